"""The landing zone: the only place where outsiders write, and the custody of what they drop."""
