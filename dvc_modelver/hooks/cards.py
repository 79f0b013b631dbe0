"""What the two hooks for cards share: whether a commit concerns a card."""

from __future__ import annotations

from dvc_modelver.hooks.precommit import declaring, is_dvc_name, is_mentioned
from dvc_modelver.hooks.staged import Change, Staged

_MARK = b"modelver:begin"
_SPEAKING = ("artifacts.yaml", ".modelver.yaml", "pyproject.toml", "MLmodel")


def concerns_cards(staged: Staged) -> bool:
    """Whether a card may be other after this commit than before; decided by names, and by text where names are open."""
    if not any(staged.tree.files("dvc.yaml", "artifacts.yaml")):
        return any(change.name in ("dvc.yaml", "artifacts.yaml") for change in staged.changes)
    if any(is_dvc_name(change.name) or change.name in _SPEAKING for change in staged.changes):
        return True
    return any(_is_card(staged, change) for change in staged.changes) or is_mentioned(
        (change.path for change in staged.changes), declaring(staged, "dvc.yaml", "dvc.lock", *_SPEAKING)
    )


def _is_card(staged: Staged, change: Change) -> bool:
    """A card, or a picture beside Markdown."""
    if change.name.endswith(".svg"):
        folder = change.path[: -len(change.name)]
        return any(path.startswith(folder) for path in staged.tree.files("*.md"))
    if not change.name.endswith(".md"):
        return False
    sides = [entry.oid for entry in (change.old, change.new) if entry.mode.startswith("100")]
    return any(_MARK in staged.tree.blob(oid) for oid in sides)
