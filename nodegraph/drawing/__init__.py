"""Graphs as pictures: what there is to draw, where it stands, and how it is written down."""
