"""Weights on disk: finding, fetching, reading and writing them."""
