"""Perceptual hashes, exact radius search, confirmation, and what to drop."""
