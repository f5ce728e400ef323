"""Robust accuracy over a data set: for each perturbation size, what is certified, what is broken, what lies between."""
