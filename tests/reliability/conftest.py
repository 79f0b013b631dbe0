"""Fixtures of the reliability tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.reliability.tools import Server
from tests.support import isolated_env


@pytest.fixture(scope="session")
def servers(home: Path) -> Iterator[Callable[[int], list[Server]]]:
    """Forking servers, as many as asked for; they live as long as the test process."""
    started: list[Server] = []

    def some(number: int) -> list[Server]:
        while len(started) < number:
            started.append(Server(isolated_env(home)))
        return started[:number]

    yield some
    for server in started:
        server.close()


@pytest.fixture
def server(servers: Callable[[int], list[Server]]) -> Server:
    """One forking server: `server(repo, "release", "churn")`."""
    return servers(1)[0]
