"""A store knows one tenant of a system: the ids of another mean nothing to it."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from gradeway import clock
from gradeway.errors import SyncBusyError, TenantChangedError
from gradeway.store import tenants
from gradeway.store.engine import Store
from gradeway.store.exams import Attempt
from gradeway.store.lock import COLLECT, SYNC, alone


def test_another_tenant_is_refused_until_the_first_is_forgotten(empty_store: str) -> None:
    store = Store(empty_store)
    tenants.hold(store, "questionmark", "https://one.example/deliveryodata/123456/")
    tenants.hold(store, "questionmark", "https://ONE.example:443/deliveryodata/123456")
    with pytest.raises(TenantChangedError, match="gradeway sessions forget"):
        tenants.hold(store, "questionmark", "https://one.example/deliveryodata/654321/")
    with store.writing() as session:
        kept = {"schedule_id": 1, "participant": "1", "seen_at": clock.now()}
        session.add_all(Attempt(system=system, attempt="1", **kept) for system in ("questionmark", "other"))
    tenants.forget(store, "questionmark")
    tenants.hold(store, "questionmark", "https://one.example/deliveryodata/654321/")
    with store.session() as session:
        assert list(session.scalars(select(Attempt.system))) == ["other"]
    store.engine.dispose()


@pytest.mark.parametrize("what", [SYNC, COLLECT])
def test_a_tenant_is_not_forgotten_under_a_run(empty_store: str, what: str) -> None:
    store = Store(empty_store)
    tenants.hold(store, "questionmark", "https://one.example/deliveryodata/123456/")
    with alone(Store(empty_store), what), pytest.raises(SyncBusyError):
        tenants.forget(store, "questionmark")
    with pytest.raises(TenantChangedError):
        tenants.hold(store, "questionmark", "https://other.example/")
    store.engine.dispose()
