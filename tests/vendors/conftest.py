"""A scripted server for each test, and a clock that passes only when someone sleeps."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from requests.auth import HTTPBasicAuth

from fixtures.scripted_server import PASSWORD, Clock, Reply, Script, serving
from gradeway.vendors.connection import Endpoint
from gradeway.vendors.learn import Learn
from gradeway.vendors.questionmark import Questionmark
from gradeway.vendors.transport import Manners, Transport


@pytest.fixture
def script() -> Iterator[Script]:
    with serving() as running:
        yield running


@pytest.fixture
def passing() -> Clock:
    return Clock()


@pytest.fixture
def manners(passing: Clock) -> Manners:
    return Manners(
        connect=2, read=0.3, interval=0, sleep=passing.sleep, monotonic=passing.monotonic, random=lambda: 1.0
    )


@pytest.fixture
def endpoint(script: Script) -> Endpoint:
    return Endpoint("gradeway_questionmark", f"{script.url}/deliveryodata/123456/", "service", PASSWORD)


@pytest.fixture
def transport(endpoint: Endpoint, manners: Manners) -> Iterator[Transport]:
    with Transport(endpoint, HTTPBasicAuth(*endpoint.basic()), manners=manners) as made:
        yield made


@pytest.fixture
def client(endpoint: Endpoint, manners: Manners) -> Iterator[Questionmark]:
    with Questionmark(endpoint, manners=manners) as made:
        yield made


TOKEN = Reply(body={"access_token": "Zebra.token-1", "token_type": "bearer", "expires_in": 3600})


@pytest.fixture
def site(script: Script) -> Endpoint:
    """Where Learn is."""
    return Endpoint("gradeway_learn", f"{script.url}/", "application-key", PASSWORD)


@pytest.fixture
def learn(script: Script, site: Endpoint, manners: Manners) -> Iterator[Learn]:
    """A client of Learn, whose first request is answered with a token."""
    script.say(TOKEN)
    with Learn(site, manners=manners) as made:
        yield made
