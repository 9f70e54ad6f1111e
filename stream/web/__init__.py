"""The live page: every camera with its people and postures, in a browser."""
