"""Tests here may use an intake of their own."""

from fixtures.intakes import careless, empty_store, home, site
from fixtures.landed import across

__all__ = ["across", "careless", "empty_store", "home", "site"]
