"""What becomes of a verdict that is to be written down: the one place that calls the writer of proofs."""

from verifier.proving.made import PROOF_SIZE, Limits, Made, made

__all__ = ["PROOF_SIZE", "Limits", "Made", "made"]
