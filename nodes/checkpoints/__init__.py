"""Checkpoints: the only place that knows file formats, key names and where models lie."""
