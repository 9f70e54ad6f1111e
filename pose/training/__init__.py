"""Teaching a network to find people: assignment, loss, augmentation, and the loop around them."""
