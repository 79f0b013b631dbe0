"""Is a file about to be committed to Git that belongs to DVC?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from dvc_modelver.dvcio import paths
from dvc_modelver.dvcio.locate import Commit
from dvc_modelver.errors import BadInput
from dvc_modelver.hooks.blobs import opened, read_sizes
from dvc_modelver.hooks.names import may_be_model
from dvc_modelver.hooks.precommit import Finding, word
from dvc_modelver.hooks.staged import Change, Staged

BIG = 1024 * 1024
"""Bytes from which on a model is taken for one that DVC should keep."""
_BESIDE = (".gitignore", ".gitkeep", ".gitattributes")
"""What people put into a tracked directory so that Git has it."""


def check_accidents(staged: Staged, added: Sequence[Change], files: Iterable[str]) -> Iterator[Finding]:
    """Files that are new in Git and lie where DVC keeps the bytes; big models that nobody keeps in DVC.

    Args:
        added: files that HEAD does not have.
        files: the `dvc.yaml`s and `.dvc` files that the commit changes: what they track must not be in Git either.
    """
    named = set(files)
    suspects = [change for change in added if change.name not in _BESIDE]
    tracked = dict(_tracked(Commit(staged.tree)))
    told: set[str] = set()
    for change in suspects:
        file = _owner(tracked, change.path)
        if file is not None and tracked[file][1]:
            told.add(change.path)
            yield _finding(change.path, file, tracked[file][0])
    for output, (file, cached) in tracked.items():
        if cached and file in named and output not in told:
            for path in _in_git(staged, output):
                if path not in told:
                    yield _finding(path, output, file)
    rest = [change for change in suspects if change.path not in told and may_be_model(change.name)]
    yield from _big_models(staged, rest, tracked) if rest else ()


def _finding(path: str, output: str, file: str) -> Finding:
    what = "this file" if path == output else f"the directory {paths.shown(output)}"
    return Finding(
        path=paths.shown(path),
        problem=f"DVC tracks {what} ({file}), and it is about to be committed to Git",
        remedy=f"git rm --cached {word(path)}, and name it in .gitignore",
    )


def _tracked(commit: Commit) -> Iterator[tuple[str, tuple[str, bool]]]:
    """(output, (file that says so, whether DVC's cache keeps it)): what ran, and what is only defined."""
    for file in commit.tree.files("dvc.yaml"):
        try:
            pipeline = commit.pipeline(file)
        except BadInput:
            continue
        for name, definition in pipeline.project.stages.items() if pipeline is not None else ():
            for out in definition.outs:
                full = pipeline.full(name, out.path) if pipeline is not None and "${" not in out.path else None
                if full is not None and not paths.is_url(full):
                    yield full.rstrip("/"), (file, out.cached)
    for path, located in commit.outputs().items():
        if not paths.is_url(path):
            yield path.rstrip("/"), (located.file, located.output.cached)


def _owner(tracked: Mapping[str, tuple[str, bool]], path: str) -> str | None:
    return next((part for part in (path, *paths.parents(path)) if part in tracked), None)


def _in_git(staged: Staged, output: str) -> list[str]:
    """What the index holds of an output."""
    entry = staged.tree.entry(output)
    if entry is None:
        return []
    if not entry.is_directory:
        return [output]
    below = (path for path in staged.tree.entries if paths.inside(path, output))
    return [path for path in below if path.rpartition("/")[2] not in _BESIDE][:1]


def _big_models(
    staged: Staged, suspects: Sequence[Change], tracked: Mapping[str, tuple[str, bool]]
) -> Iterator[Finding]:
    """Models that are new in Git and large; those that DVC's files say to keep in Git (`cache: false`) are meant."""
    moved = {change.old.oid for change in staged.changes if change.status == "D"}
    new = [change for change in suspects if change.status == "A" and change.new.oid not in moved]
    new = [change for change in new if all(change.path in side for side in staged.merged)] if new else []
    sizes = read_sizes(staged, new)
    big = [change for change in suspects if sizes.get(change.new.oid, 0) >= BIG]
    big = [change for change in big if _owner(tracked, change.path) is None]
    if not big or staged.everything:  # what is in Git already is there on purpose
        return
    from dvc_modelver.dvcio.formats.describe import describe
    from dvc_modelver.dvcio.formats.description import Status
    from dvc_modelver.dvcio.project import declared

    meant = {
        paths.resolve(paths.directory(one.file), one.path)[0] for one in declared(staged.tree).artifacts if one.path
    }
    for change in big:
        size = sizes[change.new.oid]
        with opened(staged, change.new.oid, size) as source:
            found = describe(source, name=change.name)
        if change.path not in meant and (found.library is not None or found.status is not Status.UNKNOWN):
            path = paths.shown(change.path)
            yield Finding(
                path=path,
                problem=f"a model ({found.format}, {size / 1e6:.1f} MB) is about to be committed to Git",
                remedy=f"git rm --cached {word(path)} && dvc add {word(path)}; or declare it under artifacts: "
                "if Git is to keep it",
            )
