"""The shapes world: captioned pictures of coloured shapes, and an oracle that reads them back. Needs no torch."""
