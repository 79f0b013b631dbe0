"""Fixtures of the hostile repositories; each is a fresh copy in a box of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bad_input.support import build_released, copy_repo
from tests.hostile.support import Box
from tests.support import DvcRepo, Modelver, Templates


@pytest.fixture(scope="session")
def hostile_template(
    templates: Templates, modelver: Modelver, tmp_path_factory: pytest.TempPathFactory, _isolated: None
) -> DvcRepo:
    """Built once; only to be copied."""
    return build_released(templates, modelver, tmp_path_factory.mktemp("hostile"))


@pytest.fixture
def box(hostile_template: DvcRepo, tmp_path: Path) -> Box:
    """A sound repository with two versions, to be made hostile, and a place outside it to be left alone."""
    found = Box(copy_repo(hostile_template, tmp_path / "box"))
    found.outside.mkdir()
    (found.outside / "precious").write_text("the user's own")
    return found
