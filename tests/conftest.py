"""Fixtures named by the state that they give.  Each is a fresh copy: a test may do anything to it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

pytest.register_assert_rewrite("tests.support")

from tests.support import Clones, DvcRepo, Git, GtoOracle, Modelver, Templates, isolated_env  # noqa: E402
from tests.support.environment import prepare_home  # noqa: E402

_SLOW_IS_FINE = (HealthCheck.too_slow, HealthCheck.function_scoped_fixture)
settings.register_profile("default", max_examples=50, deadline=None, suppress_health_check=_SLOW_IS_FINE)
settings.register_profile("ci", parent=settings.get_profile("default"), max_examples=100, derandomize=True)
settings.register_profile("long", parent=settings.get_profile("default"), max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "default"))


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The isolated home directory of this test process."""
    return prepare_home(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="session", autouse=True)
def _isolated(home: Path) -> Iterator[None]:
    """Nothing of the machine's user reaches code that a test calls in this process."""
    before = dict(os.environ)
    pytest_own = {name: value for name, value in before.items() if name.startswith("PYTEST_")}
    os.environ.clear()
    os.environ.update(isolated_env(home, before) | pytest_own)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory, home: Path) -> Templates:
    """Builds and copies the ready-made repositories; for tests that need several, or choose their place."""
    base = tmp_path_factory.getbasetemp()
    # Each xdist worker has a folder of its own below one that they share.
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    return Templates(shared / "templates", home)


@pytest.fixture
def git(tmp_path: Path, home: Path) -> Git:
    """An empty Git repository, no commit yet."""
    return Git(tmp_path / "repo", home).init()


@pytest.fixture
def plain_repo(templates: Templates, tmp_path: Path) -> Git:
    """A Git repository of one commit, without DVC."""
    return templates.plain(tmp_path)


@pytest.fixture
def dvc_repo(templates: Templates, tmp_path: Path) -> DvcRepo:
    """Git and DVC with a pipeline and its model `churn`, all committed, its data in cache and remote."""
    return templates.dvc(tmp_path)


@pytest.fixture
def two_clones(templates: Templates, tmp_path: Path) -> Clones:
    """A bare repository and two people's clones of it, each like `dvc_repo`."""
    return templates.clones(tmp_path)


@pytest.fixture(scope="session")
def modelver(home: Path) -> Modelver:
    """The command: `modelver("list", "--json", cwd=repo).json`, or `modelver.process(...)` in a new process."""
    return Modelver(Git(home, home))


@pytest.fixture
def gto(dvc_repo: DvcRepo) -> GtoOracle:
    """GTO on `dvc_repo`."""
    return GtoOracle(dvc_repo.git)
