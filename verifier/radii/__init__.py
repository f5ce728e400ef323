"""Brackets of minimal adversarial perturbations: every bound from below and from above, and the value between them."""
