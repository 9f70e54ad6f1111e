"""Posture embeddings: the numbers that stand for a person's posture."""
