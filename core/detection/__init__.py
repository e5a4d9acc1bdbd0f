"""The R-CNN detector: trunk, heads, training, model cards and registry."""
