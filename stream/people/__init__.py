"""People over time: tracks, steady keypoints, steady postures."""
