"""Models by name, their training, and the scoring engine. The only room that imports torch."""
