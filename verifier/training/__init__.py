"""Networks made to be verified: layers, trainings, recipes."""
