"""Where scenes go."""
