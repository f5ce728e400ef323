"""Linear relaxations of nonlinear nodes, derived from the facts of scalar functions; bounds and programs share them."""
