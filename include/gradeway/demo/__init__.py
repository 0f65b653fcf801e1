"""Data to try Gradeway with: the format's own example rows, and made-up terms of any size."""
