"""Region proposals: where in a slice something might be."""
