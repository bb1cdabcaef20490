"""Photos: reading, the catalogue and the data set, fetching, splits, and the sample that is drawn."""
