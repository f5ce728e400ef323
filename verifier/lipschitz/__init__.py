"""Lipschitz constants, bounded from above, and the radii they certify.

Every constant is one of *difference quotients*, not of derivatives: kinks need no care, and a bound on slopes is all
that is asked of a scalar function. Bounds on the values of nodes are arguments; the caller chooses who finds them.
"""
