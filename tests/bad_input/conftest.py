"""Fixtures of the tests of bad input; each repository is a fresh copy."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bad_input.support import build_released, copy_repo
from tests.support import DvcRepo, Modelver, Templates


@pytest.fixture(scope="session")
def released_template(
    templates: Templates, modelver: Modelver, tmp_path_factory: pytest.TempPathFactory, _isolated: None
) -> DvcRepo:
    """Built once; only to be copied."""
    return build_released(templates, modelver, tmp_path_factory.mktemp("released"))


@pytest.fixture
def released(released_template: DvcRepo, tmp_path: Path) -> DvcRepo:
    """churn@v0.1.0 in `prod`, churn@v0.2.0 at HEAD; the data in cache and DVC remote; no Git remote."""
    return copy_repo(released_template, tmp_path)
