"""The memory of a study: typed tables, sessions, and queries that hand back records."""
