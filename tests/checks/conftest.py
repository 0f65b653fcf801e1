"""Tests here may use an intake of their own."""

from fixtures.intakes import careless, empty_store, home, site

__all__ = ["careless", "empty_store", "home", "site"]
