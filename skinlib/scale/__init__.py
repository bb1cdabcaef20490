"""More machines than one: the same work on a cluster, and what it takes."""
