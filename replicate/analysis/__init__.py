"""The mathematics of a replication: pure functions, arrays in, records out."""
