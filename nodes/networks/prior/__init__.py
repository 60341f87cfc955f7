"""Priors: from a text to the CLIP embedding of a picture."""
