"""CLIP of clean pictures: its towers, what it reads, how large it is."""
