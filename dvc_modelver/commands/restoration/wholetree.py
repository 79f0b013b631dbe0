"""Plan the rollback of a whole tree."""

from __future__ import annotations

from dvc_modelver.commands.restoration.naming import some_of
from dvc_modelver.commands.restoration.plan import Plan
from dvc_modelver.core.rollback import (
    output_changes,
)
from dvc_modelver.core.trees import Tree
from dvc_modelver.dvcio import restoring
from dvc_modelver.dvcio.linked import NO_LINKS, SUBMODULE, Links
from dvc_modelver.dvcio.locate import Commit
from dvc_modelver.dvcio.steps import Executable
from dvc_modelver.errors import Refused


def plan_tree(head: Tree, target: Tree, links: tuple[Links, Links] = (NO_LINKS, NO_LINKS)) -> Plan:
    """Every file, link and output as the target's commit has them.

    Args:
        links: of the two.

    Raises `Refused` when a submodule differs.
    """
    names = sorted({*head.files("*"), *target.files("*"), *links[0].entries, *links[1].entries})
    changed = [name for name in names if head.entry(name) != target.entry(name)]
    submodules = [name for name in changed if SUBMODULE in (_mode(head, name), _mode(target, name))]
    if submodules:
        raise Refused(f"{some_of(submodules)} is a submodule that differs", hint="restore it by hand, and commit it")
    commits = Commit(head), Commit(target)
    now, then = (restoring.kept(restoring.all_outputs(commit)) for commit in commits)
    known = {path: output for path, output in then.items() if output.digest is not None}
    gone = [path for path in now if path not in then]
    before, after = (restoring.executables(commit) for commit in commits)
    return Plan(
        files={name: _bytes(target, links[1], name) for name in changed},
        outputs=tuple(output_changes(now, known, gone)),
        executable=Executable(before=before, after=after),
    )


def _mode(tree: Tree, path: str) -> str:
    entry = tree.entry(path)
    return entry.mode if entry is not None else ""


def _bytes(tree: Tree, links: Links, path: str) -> bytes | None:
    return links.read(path) if path in links.entries else tree.read(path)
