"""One model at one of the two commits of a rollback."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from dvc_modelver.core.declarations import Declared
from dvc_modelver.core.facts import Slice
from dvc_modelver.core.rollback import (
    PartKey,
    keys,
)
from dvc_modelver.core.trees import Tree
from dvc_modelver.dvcio import restoring
from dvc_modelver.dvcio.linked import NO_LINKS, Links
from dvc_modelver.dvcio.locate import Commit, Located
from dvc_modelver.dvcio.project import declared as declared_in
from dvc_modelver.dvcio.recipe import recipe_of
from dvc_modelver.dvcio.slices import slice_of, slice_with
from dvc_modelver.errors import BadInput

if TYPE_CHECKING:
    from dvc_modelver.core.recipe import Recipe


@dataclass(frozen=True, kw_only=True)  # not slotted: what it computes once is kept in it
class Side:
    """One model at one of the two commits."""

    tree: Tree
    commit: Commit
    declared: Declared
    slice: Slice
    """Upstream alone."""
    measured: Slice
    """With the pipeline stages that measure it."""
    recipe: Recipe
    links: Links = NO_LINKS

    @cached_property
    def outputs(self) -> tuple[Located, ...]:
        """Every output of the commit."""
        return tuple(restoring.all_outputs(self.commit))

    @cached_property
    def artifacts(self) -> tuple[Declared, ...]:
        """Every artifact of the commit."""
        return declared_in(self.tree).artifacts

    @cached_property
    def others(self) -> Mapping[str, Mapping[PartKey, str]]:
        """The parts of every other model; one whose files are broken is left out."""
        return dict(_others(self.tree, self.artifacts, self.declared.name))


def read_side(
    tree: Tree, declared: Declared, groups: Iterable[tuple[str, str]] = (), *, links: Links = NO_LINKS
) -> Side:
    """One model at a commit.

    Args:
        groups: pipeline stages (`dvc.yaml`, name) that belong to the slice too.

    Raises:
        BadInput: a DVC file of the commit is broken.
    """
    commit = Commit(tree)
    recipe = recipe_of(commit, declared)
    stages = [_stage(declared, step.name) for step in recipe.measuring]
    more = list(groups)
    return Side(
        tree=tree,
        commit=commit,
        declared=declared,
        slice=slice_with(tree, declared, more) if more else slice_of(tree, declared),
        measured=slice_with(tree, declared, [*more, *stages]),
        recipe=recipe,
        links=links,
    )


def _stage(declared: Declared, name: str) -> tuple[str, str]:
    """A step's name as (`dvc.yaml`, pipeline stage)."""
    file, colon, stage = name.rpartition(":")
    return (file, stage) if colon else (declared.file, stage)


def _others(tree: Tree, artifacts: Iterable[Declared], name: str) -> Iterator[tuple[str, Mapping[PartKey, str]]]:
    for one in artifacts:
        if one.name != name:
            with suppress(BadInput):
                yield one.name, keys(slice_of(tree, one))
