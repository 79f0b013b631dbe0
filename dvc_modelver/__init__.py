"""Model versions from Git tags and DVC artifacts.

The nouns, in reading order: `core.facts` (what a commit says of an artifact), `core.versions` and `core.tags` (how
a version is written down), `core.records` (what a tag's message says), `core.stages` and `core.registry` (what all
tags together say), `core.releases` (what a release would do), `commands.release` (how it is done).

    import dvc_modelver as mv

    with mv.open(".") as repo:
        repo.list().to_frame()
        repo.get("churn#prod", "model.pkl")
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dvc_modelver._version import __version__

if TYPE_CHECKING:
    from dvc_modelver.api import Repository, open

__all__ = ["Repository", "__version__", "open"]


def __getattr__(name: str) -> object:
    # Importing the package alone costs nothing: the command line must not pay for the API.
    if name in ("open", "Repository"):
        from dvc_modelver import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
