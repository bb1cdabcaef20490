"""Weights, features computed once, training, finished runs, baselines and the ladder of all methods."""
