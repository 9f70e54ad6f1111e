"""How good a database is."""
