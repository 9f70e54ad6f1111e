"""Training of a person detector: PicoDet on labelled pictures in every turn."""
