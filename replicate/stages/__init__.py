"""The verbs: each stage reads the store, calls a noun, and writes the store."""
