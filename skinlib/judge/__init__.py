"""How good is it? Metrics with intervals, calibration, abstention: from a table of predictions alone."""
