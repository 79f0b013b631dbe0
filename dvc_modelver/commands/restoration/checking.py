"""The result of a rollback must be the target's slice, and such that dvc takes it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from dvc_modelver.commands.restoration.moving import members_of
from dvc_modelver.commands.restoration.naming import USE_TREE, some_of
from dvc_modelver.commands.restoration.side import Side, read_side
from dvc_modelver.core.rollback import (
    Moved,
    PartKey,
    Shared,
    keys,
    overlapping,
)
from dvc_modelver.core.trees import Tree
from dvc_modelver.dvcio import restoring
from dvc_modelver.dvcio.locate import Commit
from dvc_modelver.errors import BadInput, Refused


def planned_side(tree: Tree, target: Side, groups: Iterable[str]) -> Side:
    """What the commit will be.  Raises `Refused` when dvc could not read it."""
    try:
        return read_side(tree, target.declared, members_of(Commit(tree), groups))
    except BadInput as error:
        raise Refused(f"the result could not be read: {error.message}", hint=USE_TREE) from None


def also_changed(head: Side, planned: Side, known: Iterable[Shared]) -> Iterator[Shared]:
    """What changes in another model's slice without being a part of this one: by a file that is restored whole."""
    named = {(part.kind, part.path) for part in known}
    for name, before in head.others.items():
        after = planned.others.get(name, {})
        for key in sorted(before.keys() | after.keys()):
            if before.get(key) != after.get(key) and key not in named:
                yield Shared(kind=key[0], path=key[1], models=(name,))


def check_slice(planned: Side, target: Side, files: Iterable[str], *, measured: bool) -> None:
    """The result must be the target's slice, part for part, and such that dvc takes it."""
    broken = restoring.broken(planned.commit, files)
    if broken is not None:
        raise Refused(f"the result could not be read: {broken}", hint=USE_TREE)
    wanted, found = keys(target.slice), keys(planned.slice)
    if measured:
        wanted, found = wanted | keys(target.measured), found | keys(planned.measured)
    wrong = sorted({path for kind, path in wanted.keys() | found.keys() if _other(wanted, found, (kind, path))})
    if wrong:
        raise Refused(f"{some_of(wrong)} cannot be restored apart from the rest of its file", hint=USE_TREE)


def _other(wanted: Mapping[PartKey, str], found: Mapping[PartKey, str], key: PartKey) -> bool:
    return wanted.get(key) != found.get(key)


def check_beside(head: Side, planned: Side, moved: Moved, files: Iterable[str]) -> None:
    """Pipeline stages beside the slice must stay, and dvc must take them: one fault fails all its commands."""
    mine = {*moved.restored, *moved.dropped}
    names = list(files)
    after = restoring.entries_of(planned.commit, names)
    before = restoring.entries_of(head.commit, names)
    other = sorted(key[1] for key, digest in before.items() if key not in mine and after.get(key) != digest)
    if other:
        raise Refused(f"{some_of(other)} would change with it, and is no part of the model", hint=USE_TREE)
    twice = overlapping([located.output.path for located in planned.outputs])
    if twice is not None and overlapping([located.output.path for located in head.outputs]) is None:
        raise Refused(f"the outputs {twice[0]} and {twice[1]} would overlap", hint=USE_TREE)
    both = sorted(restoring.kept_twice(planned.commit) - restoring.kept_twice(head.commit))
    if both:
        raise Refused(f"{some_of(both)} would be kept by Git and by DVC", hint=USE_TREE)
    lost = sorted(restoring.unresolved(planned.commit) - restoring.unresolved(head.commit))
    if lost:
        stage, name = lost[0]
        raise Refused(f"{stage} uses ${{{name}}}, which would be gone from vars", hint=USE_TREE)
