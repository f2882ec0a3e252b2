"""Sets of images for training: what is taken in, what is left out, and into which parts (C1)."""
