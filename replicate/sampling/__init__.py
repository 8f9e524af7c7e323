"""Strategies that turn selection frequencies into test sets, and how well they match."""
