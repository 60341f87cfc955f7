"""Nodes that train: pictures, networks, objectives, the trainer."""
