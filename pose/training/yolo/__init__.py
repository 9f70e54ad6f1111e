"""Teaching a one-shot YOLO-Pose network: mosaics, assignment, loss, and the loop around them."""
