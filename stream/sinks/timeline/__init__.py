"""Who was in what posture from when to when."""
