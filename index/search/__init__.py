"""Nearest neighbours, and what a distance means."""
