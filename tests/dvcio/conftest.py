"""Fixtures of the tests about bytes; each repository is a fresh copy."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.dvcio.bytes_support import Repo, build


@pytest.fixture(scope="session")
def bytes_template(tmp_path_factory: pytest.TempPathFactory) -> Repo:
    """Built once; only to be copied."""
    return build(tmp_path_factory.mktemp("bytes"))


@pytest.fixture
def bytes_repo(bytes_template: Repo, tmp_path: Path) -> Repo:
    """A DVC repository with files and directories of today's and of DVC 2's layout, in cache and remote."""
    shutil.copytree(bytes_template.base, tmp_path / "work", symlinks=True)
    return Repo(tmp_path / "work")
