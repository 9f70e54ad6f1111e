"""Running a network: device, letterbox, non-maximum suppression."""
