"""Nodes that measure, and show what they measured."""
