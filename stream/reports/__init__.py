"""What is said of results: explanations and evaluations of video."""
