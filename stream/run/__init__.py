"""What belongs to one run: outputs, counts, status."""
