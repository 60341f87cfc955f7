"""The nodes: thin typed functions. A file is a category of the palette."""
