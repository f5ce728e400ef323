"""Writes proofs that `verifier.checker` accepts."""
