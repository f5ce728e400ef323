"""Randomized smoothing: statements about the *smoothed* network, each true but for a share alpha of the draws."""
