"""What changes sides between Git and DVC, and what the commit would be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from dvc_modelver.commands.restoration.side import Side
from dvc_modelver.dvcio import restoring
from dvc_modelver.dvcio.linked import Linked
from dvc_modelver.dvcio.locate import Commit
from dvc_modelver.dvcio.steps import Executable


def change_sides(head: Side, target: Side, restored: restoring.Restored, *, alone: bool = False) -> None:
    """Where DVC's outputs come to lie, Git's files go; and `.gitignore` follows.

    `alone`: outputs that nothing names any more are left where they are.
    """
    planned = Commit(overlay_of(head, target, restored.files, "0" * 40))
    named, known = restoring.kept(restoring.all_outputs(planned)).keys(), restoring.kept(head.outputs).keys()
    come = [output.path for output in target.measured.outputs if output.path in named - known]
    gone = [output.path for output in head.measured.outputs if output.cached and output.path not in named]
    if alone:
        gone = [path for path in gone if planned.tree.entry(path) is not None]
    restored.files |= restoring.given_up(head.tree, target.tree, head.links, come)
    restored.files |= restoring.ignore_lines(head.tree, target.tree, restored.files, come, gone)


def overlay_of(head: Side, target: Side, files: Mapping[str, bytes | None], like: str) -> Linked:
    """What a commit of `files` on HEAD would be."""
    return Linked(head.tree, files, like, modes_of(target, files), links=head.links)


def executable_of(head: Side, target: Side) -> Executable:
    """The outputs that can be run, at both."""
    return Executable(before=restoring.executables(head.commit), after=restoring.executables(target.commit))


def modes_of(target: Side, files: Iterable[str]) -> dict[str, str]:
    """Git's modes of files, as the target has them."""
    return {path: entry.mode for path in files if (entry := target.tree.entry(path)) is not None}
