"""Pictures in which the people are labelled."""
