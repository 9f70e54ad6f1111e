"""The annotated video of a source."""
