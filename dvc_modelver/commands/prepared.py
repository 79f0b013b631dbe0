"""The number that a model's card was prepared for, and who else has it."""

from __future__ import annotations

from dvc_modelver.commands.project import Project
from dvc_modelver.commands.publishing import Numbers
from dvc_modelver.core.registry import Model
from dvc_modelver.core.releases import Prepared
from dvc_modelver.core.tags import PREFIX, Event, TagName
from dvc_modelver.core.text import one_line
from dvc_modelver.core.versions import Version
from dvc_modelver.errors import BadInput, ModelverError
from dvc_modelver.gitio.objects import CommitTree
from dvc_modelver.gitio.process import GitProcess
from dvc_modelver.gitio.refs import is_ancestor
from dvc_modelver.gitio.remotes import fetch_objects

_LONGEST_NAME = 80
_MAX_BESIDE = 100
"""Commits beside a version that are asked for what their card names."""


def read_prepared(
    project: Project, tree: CommitTree, model: Model, numbers: Numbers, *, preparing: bool, cards: bool
) -> Prepared:
    """What the card names: a number that was prepared, unless it is that of a version which was released with it.

    Args:
        preparing: the card is being prepared (again), so that its file counts, and no number binds.
        cards: whether the version is to have a card.
    """
    path = project.config.cards.path_of(model.name)
    if preparing and (project.root / path).is_file():
        data: bytes | None = (project.root / path).read_bytes()
    else:
        data = tree.read(path)
    version, marks = _naming(data)
    if version is None or version in numbers.only_seen:
        return Prepared()
    if model.has(version) and _is_released_with(project, tree, path, model, version, marks):
        return Prepared()
    if _was_renumbered(project, tree, model, version):
        return Prepared()
    binding = cards and not preparing
    holder = _who_has(project, model, numbers, version) if binding else ""
    return Prepared(version=version, binding=binding, holder=holder)


def _is_released_with(
    project: Project, tree: CommitTree, path: str, model: Model, version: Version, marks: tuple[object, ...]
) -> bool:
    """Whether the card names `version` since it is that version's: nobody else prepared the number for another."""
    commit = model.release_ref(version).target or ""
    try:
        theirs = _naming(project.tree(commit).read(path))
        if theirs == (version, marks):
            return True
        if theirs[0] != version or not is_ancestor(project.repository.git, commit, tree.commit):
            return False
        # Merged, perhaps by choosing one side's card: then a commit beside the version named that number as well.
        beside = _commits_beside(project.repository.git, commit, tree.commit, path)
        return not any(_prepares(project, other, path, theirs) for other in beside)
    except ModelverError:
        return True


def _was_renumbered(project: Project, tree: CommitTree, model: Model, version: Version) -> bool:
    """Whether a version that was `version` until it was published is in the history: the card names its old number."""
    refs = [model.release_ref(found) for found in model.versions]
    tags = [tag for ref in refs if (tag := model.tag(ref)) is not None and tag.record is not None]
    moved = [tag.target for tag in tags if tag.record is not None and tag.record.renumbered_from == str(version)]
    return any(is_ancestor(project.repository.git, commit, tree.commit) for commit in moved)


def _commits_beside(git: GitProcess, commit: str, head: str, path: str) -> list[str]:
    """Those of `head`'s history that touched `path` and are neither in `commit`'s history nor made from it."""
    span = f"{commit}..{head}"
    touched = git.text("rev-list", "--full-history", "--end-of-options", span, "--", path).split()
    after = set(git.text("rev-list", "--ancestry-path", "--end-of-options", span).split()) if touched else set()
    return [oid for oid in touched if oid not in after][:_MAX_BESIDE]


def _prepares(project: Project, commit: str, path: str, released: tuple[Version | None, tuple[object, ...]]) -> bool:
    version, marks = _naming(project.tree(commit).read(path))
    return version == released[0] and marks != released[1]


def _who_has(project: Project, model: Model, numbers: Numbers, version: Version) -> str:
    """Who took `version`, or else the highest number above it, as `commit 1234567890ab by NAME`; empty: nobody."""
    above = [number for number in numbers.taken if number >= version]
    number = version if version in numbers.taken else max(above, default=None)
    if number is None:
        return ""
    if model.has(number):
        ref, tag = model.release_ref(number), model.tag(model.release_ref(number))
    else:
        name = str(TagName(Event.RELEASE, model.name, version=number))
        there = (numbers.remote or {}).get(name)
        if there is None or project.remote is None:
            return ""
        # As objects that no ref names: only the tag says whose it is.
        fetch_objects(project.repository.git, project.remote, [PREFIX + name])
        ref, tag = there, project.objects.tags([there.oid]).get(there.oid)
    by = f" by {one_line(tag.tagger.name, _LONGEST_NAME)}" if tag is not None and tag.tagger is not None else ""
    return f"commit {(ref.target or ref.oid)[:12]}{by}"


def _naming(data: bytes | None) -> tuple[Version | None, tuple[object, ...]]:
    """The version that a card's marks name, and the marks that name it; nothing for a card that cannot be read."""
    if data is None or b" version=v" not in data:
        return None, ()
    from dvc_modelver.cards.document import parse_card
    from dvc_modelver.cards.generate import named_in

    try:
        card = parse_card(data)
        named = named_in(card).version
        version = Version.parse(named) if named is not None else None
    except BadInput:
        return None, ()
    return version, tuple((b.id, b.digest, b.attributes) for b in card.blocks if "version" in dict(b.attributes))
