"""From checked rows to the store, in stage order: what a row makes, changes, or waits for."""
