"""`modelver-dvc-sync`: what is staged of DVC's files agrees with itself, and names bytes that can be had.

Decided first by names alone: a commit that touches nothing of it starts git two or three times and parses nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from dvc_modelver.errors import BadInput
from dvc_modelver.hooks.call import Call
from dvc_modelver.hooks.names import may_be_model
from dvc_modelver.hooks.precommit import Finding, declaring, is_dvc_name, is_mentioned, report
from dvc_modelver.hooks.staged import Change, Staged

ASK_REMOTE = "--ask-remote"


def run(call: Call) -> int:
    """0 when it agrees, 1 when not.  With `--ask-remote` a DVC remote on a server is asked for what the cache lacks."""
    unknown = [arg for arg in call.args if arg.startswith("-") and arg != ASK_REMOTE]
    if unknown:
        raise BadInput(f"modelver-dvc-sync has no option {unknown[0]}", hint=f"the option is {ASK_REMOTE}")
    with Staged(call) as staged:
        return report(call, _findings(staged, ASK_REMOTE in call.args))


def _findings(staged: Staged, ask: bool) -> Iterator[Finding]:
    if not uses_dvc(staged):
        return
    pipelines, dvc_files = _touched(staged)
    if pipelines or dvc_files:
        from dvc_modelver.dvcio.locate import Commit
        from dvc_modelver.hooks.sync_bytes import check_bytes
        from dvc_modelver.hooks.sync_stages import check_dvc_file, check_pipeline

        commit = Commit(staged.tree)
        for file in pipelines:
            yield from check_pipeline(staged, commit, file)
        for file in dvc_files:
            yield from check_dvc_file(commit, file)
        yield from check_bytes(staged, commit, [*pipelines, *dvc_files], ask=ask)
    added = [change for change in staged.changes if change.is_file and change.status in "AT"]
    if pipelines or dvc_files or _may_belong_to_dvc(staged, added):
        from dvc_modelver.hooks.accident import check_accidents

        yield from check_accidents(staged, added, [*pipelines, *dvc_files])


def _may_belong_to_dvc(staged: Staged, added: list[Change]) -> bool:
    """Whether any of the new files may be one that DVC tracks, or a model that it should."""
    if any(may_be_model(change.name) for change in added):
        return True
    paths = [change.path for change in added]
    tracked = (f"{path[:end]}.dvc" for path in paths for end in _ends(path))
    return any(file in staged.tree.entries for file in tracked) or (
        bool(paths) and is_mentioned(paths, declaring(staged, "dvc.lock", "dvc.yaml"))
    )


def _ends(path: str) -> Iterator[int]:
    """Where the path itself and each directory above it end."""
    yield from (at for at, character in enumerate(path) if character == "/")
    yield len(path)


def uses_dvc(staged: Staged) -> bool:
    """Whether what is staged, or the repository, has to do with DVC."""
    if any(is_dvc_name(change.name) or change.path.startswith(".dvc/") for change in staged.changes):
        return True
    return any(is_dvc_name(path.rpartition("/")[2]) or path.endswith(".dvc/config") for path in staged.tree.entries)


def _touched(staged: Staged) -> tuple[list[str], list[str]]:
    """Each `dvc.yaml` and each `.dvc` file that the commit may put out of step."""
    dvc_files: list[str] = []
    pipelines: dict[str, None] = {}
    others: set[bytes] = set()
    for change in staged.changes:
        if change.name in ("dvc.yaml", "dvc.lock"):
            pipelines[f"{change.path[: -len(change.name)]}dvc.yaml"] = None
        elif is_dvc_name(change.name):
            if change.is_file:
                dvc_files.append(change.path)
        elif not staged.everything:
            others.add(change.name.encode("utf-8", "surrogateescape"))
    if others:
        declaring(staged, "dvc.lock", "dvc.yaml")
        for lock in staged.tree.files("dvc.lock"):
            text = staged.tree.read(lock) or b""
            if any(name in text for name in others):
                pipelines[f"{lock[: -len('dvc.lock')]}dvc.yaml"] = None
    return sorted(pipelines), dvc_files
