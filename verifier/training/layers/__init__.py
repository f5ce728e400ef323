"""Layers of 2-norm Lipschitz constant 1 for all parameters; what they are worth is proved on the plain export."""
