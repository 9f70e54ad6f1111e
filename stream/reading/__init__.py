"""Sources on threads of their own, and batches of their frames."""
