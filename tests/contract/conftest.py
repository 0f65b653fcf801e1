"""A Questionmark to check against: the sandbox, or the tenant of a Connection.

With GRADEWAY_CONTRACT_QUESTIONMARK=1 and AIRFLOW_CONN_GRADEWAY_QUESTIONMARK the tests of the
contract read a real tenant; they write there only with GRADEWAY_CONTRACT_WRITE=1.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from fixtures.sandboxes import running
from gradeway.sandbox.questionmark.start import assessment_id
from gradeway.vendors.connection import Endpoint, from_environment
from gradeway.vendors.questionmark import CONNECTION, Questionmark
from gradeway.vendors.transport import Manners

ON_TENANT = os.environ.get("GRADEWAY_CONTRACT_QUESTIONMARK") == "1"
MAY_WRITE = not ON_TENANT or os.environ.get("GRADEWAY_CONTRACT_WRITE") == "1"


@pytest.fixture(scope="session")
def tenant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Questionmark]:
    """The Questionmark whose contract is checked."""
    if ON_TENANT:
        with Questionmark(from_environment(CONNECTION)) as client:
            yield client
    else:
        with running(tmp_path_factory.mktemp("tenant")) as sandbox:
            made = sandbox.schedule(AssessmentID=assessment_id(1001), ParticipantID=510001)
            sandbox.play(made["ID"], 510001, "start")
            sandbox.play(made["ID"], 510001, "finish", score=7, max=10)
            endpoint = Endpoint("sandbox", sandbox.url, "sandbox", "sandbox")
            with Questionmark(endpoint, manners=Manners(interval=0)) as client:
                yield client


@pytest.fixture
def writable(tenant: Questionmark) -> Questionmark:
    """The same, if it may be written to."""
    if not MAY_WRITE:
        pytest.skip("GRADEWAY_CONTRACT_WRITE=1 is not set")
    return tenant
