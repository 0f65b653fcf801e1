"""Results: from finished attempts in the delivery system to files of results that become grades."""
