"""What runs a network on arrays: PyTorch, or OpenVINO on CPUs."""
