"""What is measured of samples: pure functions of tensors."""
