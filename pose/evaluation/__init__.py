"""How good a pose network is."""
