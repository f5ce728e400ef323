"""Ranges and optima: the ends of what outputs, hidden tensors and linear forms come to over an input set."""
