"""From landed bytes to checked rows: decode, validate, and tell what was found."""
