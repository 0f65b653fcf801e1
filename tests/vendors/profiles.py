"""Profiles of assessmentQ: that of the sandbox, changed."""

from __future__ import annotations

import copy
from typing import Any

from gradeway.vendors.assessmentq import SANDBOX_PROFILE

DROPPED = object()


def profile(**changed: object) -> dict[str, Any]:
    """Return the sandbox's profile with fields changed; ``a__b`` is field b of a, and DROPPED takes one away."""
    made: dict[str, Any] = copy.deepcopy(dict(SANDBOX_PROFILE))
    for name, value in changed.items():
        outer, _, inner = name.rpartition("__")
        fields = made[outer] if outer else made
        if value is DROPPED:
            del fields[inner]
        else:
            fields[inner] = value
    return made
