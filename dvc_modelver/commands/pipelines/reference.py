"""What a version says of its data: a profile that it tracks beside the table, else that of the table's own bytes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dvc_modelver.commands.bytes_at_hand import Bytes
from dvc_modelver.commands.comparison.facts import FactsReader
from dvc_modelver.commands.comparison.profiles import profile_output
from dvc_modelver.commands.gating.measure import source_at
from dvc_modelver.commands.gating.reference import version_place
from dvc_modelver.commands.project import Project
from dvc_modelver.core.facts import Output
from dvc_modelver.core.references import resolve_version
from dvc_modelver.core.trees import Tree
from dvc_modelver.core.validation import Profile
from dvc_modelver.core.validationrules import parse_profile
from dvc_modelver.dvcio.locate import Commit
from dvc_modelver.dvcio.measures import files_of
from dvc_modelver.dvcio.profiled import PROFILE_SUFFIX
from dvc_modelver.dvcio.profiles import table_format
from dvc_modelver.errors import BadInput, DataError


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """What a table is checked against."""

    ref: str | None
    """As people name it; None when there is nothing."""
    profile: Profile | None = None
    rules: Mapping[str, object] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def find_reference(project: Project, text: str, file: Path, data: str | None) -> Reference:
    """The profile of a version's table: that of the same path as `file`, of `data`, or of its only training table.

    A function of the version's commit and its data.  Nothing is fetched.

    Raises `NotFound` for a version or stage that there is not, `BadInput` when no single table is meant, `DataError`
    when the table's bytes are not on this machine.
    """
    named = project.resolve(text)
    model = project.model_of(named.name)
    place = version_place(model, resolve_version(model, named))
    assert place.commit is not None
    tree = project.tree(place.commit)
    with Bytes(project) as at_hand:
        source = source_at(FactsReader(project, [place], at_hand), place, model.name)
        commit, home = Commit(tree), source.declared.file
        path = data or _same(project, at_hand, commit, tree, home, file)
        if path is None:
            path = _only([one.output.path for one in source.recipe.data], place.ref)
        tracked = _bytes(at_hand, commit, tree, home, path + PROFILE_SUFFIX)
        if tracked is not None:
            from dvc_modelver.dvcio.values import read_values

            name = f"{path}{PROFILE_SUFFIX} of {place.ref}"
            profile, rules = parse_profile(name, read_values(tracked, path=f"{path}{PROFILE_SUFFIX}"))
            return Reference(ref=place.ref, profile=profile, rules=rules, notes=(f"against {name}",))
        output = _output(at_hand, commit, tree, home, path)
        table = profile_output(project, at_hand, output, tree) if output is not None else None
    if output is None:
        raise BadInput(f"{place.ref} has no table {path}", hint="--data PATH names one of its tables")
    if table is None:
        raise DataError(f"{path} of {place.ref} is not on this machine, or no table", hint="dvc fetch --all-tags")
    return Reference(ref=place.ref, profile=Profile(table=table), notes=(f"against {path} of {place.ref}",))


def _same(project: Project, at_hand: Bytes, commit: Commit, tree: Tree, home: str, file: Path) -> str | None:
    """The path of `file` from the repository's root, when the version has a table there."""
    if project.repository.root is None:
        return None
    path = Path(os.path.relpath(file.absolute(), project.repository.root)).as_posix()
    return path if not path.startswith("../") and _output(at_hand, commit, tree, home, path) is not None else None


def _only(paths: list[str], ref: str) -> str:
    tables = [path for path in paths if table_format(path) is not None]
    if len(tables) == 1:
        return tables[0]
    some = ", ".join(tables[:3])
    why = f"was made with several tables: {some}" if tables else "was made with no table that DVC tracks"
    raise BadInput(f"{ref} {why}", hint="--data PATH names the one to compare with" if tables else "--profile FILE")


def _output(at_hand: Bytes, commit: Commit, tree: Tree, home: str, path: str) -> Output | str | None:
    """What the version tracks at a path: an output, a file of a tracked directory, a path in Git, or nothing.

    Raises `DataError` when the directory's listing is not on this machine.
    """
    if tree.entry(path) is not None:
        return path
    located = commit.find(path, home)
    if located is None:
        return None
    found = files_of(located, path, at_hand.listing)
    if found is None:
        raise DataError(f"the listing of {located.output.path} is not at hand", hint="dvc fetch --all-tags")
    return next((output for output in found if output.path == path), None)


def _bytes(at_hand: Bytes, commit: Commit, tree: Tree, home: str, path: str) -> bytes | None:
    output = _output(at_hand, commit, tree, home, path)
    if output is None or isinstance(output, str):
        return tree.read(path) if output is not None else None
    found = at_hand.blob(output)
    if found is None:
        raise DataError(f"{path} is kept by DVC, and not at hand", hint="dvc fetch --all-tags")
    return found
