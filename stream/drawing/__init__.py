"""Pictures made of what was understood."""
