"""Bundles as folders for others: in diffusers' layout or OpenAI's where these can say them, else in our own, with a card."""
