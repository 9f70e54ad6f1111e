"""The networks, layer for layer."""
