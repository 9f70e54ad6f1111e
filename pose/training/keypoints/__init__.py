"""Teaching a keypoint network: crops of people, augmentation, heat-map targets, and the loop around them."""
