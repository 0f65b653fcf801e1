"""Custody of offline results: every result file reaches the assessment system once, and none is lost."""
