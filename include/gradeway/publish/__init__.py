"""Publishing: the store's schemas, columns and grades appear in the gradebook, exactly and safely."""
