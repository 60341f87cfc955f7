"""The UNet, and the classifier that is its first half."""
