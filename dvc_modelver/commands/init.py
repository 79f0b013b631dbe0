"""`init`: declare the models that DVC tracks here already, and write CI jobs for them.

Read what DVC tracks and what is declared, propose, ask, then write lines into `dvc.yaml`; committing is the user's.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from dvc_modelver.commands.ci import CiPlan, plan_ci
from dvc_modelver.commands.project import Project
from dvc_modelver.commands.publishing import Outcome, Step, Written, exclusive
from dvc_modelver.core.config import Config
from dvc_modelver.core.declarations import DeclaredAll
from dvc_modelver.core.discovery import DVC_YAML, GTO_YAML, Proposal, TrackedOutput, discover, taken_names
from dvc_modelver.core.names import check_name, check_stage
from dvc_modelver.dvcio import paths
from dvc_modelver.dvcio.declare import add_artifacts, render_entries
from dvc_modelver.dvcio.locate import Commit, Located, Pipeline, is_directory
from dvc_modelver.dvcio.project import declared
from dvc_modelver.dvcio.settings import CONFIG_FILE, read_config_files
from dvc_modelver.errors import BadInput, EnvironmentProblem, Refused
from dvc_modelver.gitio.commits import write_file
from dvc_modelver.gitio.worktree import WorkTree, read_known

Choose = Callable[[Proposal], str | None]
"""Gives the name to declare a proposal by, None to leave it; None in its place: nobody can be asked."""
Agree = Callable[[Sequence[str]], bool]
"""Whether these files may be written; None in its place: nobody can be asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Initialised:
    """What `init` found and wrote, or would write."""

    outcome: Outcome
    declared: tuple[str, ...]
    """Canonical names that were declared before."""
    proposals: tuple[Proposal, ...]
    """What is written, or would be."""
    files: tuple[str, ...]
    """What is to be committed."""
    notes: tuple[str, ...]
    settings: tuple[str, ...] = ()
    """What people have to set up for the CI jobs, a line each."""

    @property
    def text(self) -> tuple[tuple[str, str], ...]:
        """(file, lines) of the entries, as they are written."""
        return tuple(
            (file, render_entries({p.name: p.entry() for p in self.proposals if p.file == file}))
            for file in dict.fromkeys(p.file for p in self.proposals)
        )


def init(
    project: Project,
    *,
    choose: Choose | None,
    stages: Sequence[str] | None = None,
    ci: str | None = None,
    agree: Agree | None = None,
    dry_run: bool = False,
) -> Initialised:
    """Declare what looks like a model; with `stages`, write a configuration that allows these.

    With `ci`, `github` or `gitlab`, also write jobs for every declared model, once `agree` does.

    Raises:
        EnvironmentProblem: not a DVC repository.
        BadInput: a `dvc.yaml` is broken, a name or stage is none, or there is nobody to ask.
        Refused: there is a configuration already that allows other stages.
        Conflict: one of the jobs' files is there with other content.
    """
    tree = WorkTree(project.root, read_known(project.repository.git))
    config = _config(project, stages)
    everything, found = _read(project, tree)
    if found and choose is None and not dry_run:
        raise BadInput(
            f"found {len(found)} to declare, and there is no terminal to ask on",
            hint="--yes declares all, --dry-run shows them",
        )
    chosen = tuple(found) if dry_run else tuple(_chosen(found, everything, choose))
    writes = {file: [p for p in chosen if p.file == file] for file in dict.fromkeys(p.file for p in chosen)}
    # Read again: a person may have thought for minutes, and edited the file meanwhile.
    data = {file: _with_entries(tree, file, proposals) for file, proposals in writes.items()}
    if config is not None:
        data[CONFIG_FILE] = config
    jobs = _jobs(project, ci, everything, chosen, stages)
    data |= _agreed(jobs, agree, dry_run)
    if not dry_run and data:
        with exclusive(project, dry_run):
            for file, content in data.items():
                write_file(project.root / file, content)
    steps = [Step("declare", f"{p.file}: {p.name} -> {p.path}") for p in chosen]
    steps += [Step("write", file) for file in data if file not in writes]
    outcome = Outcome(
        action="init",
        dry_run=dry_run,
        changed=bool(data),
        models=tuple(_written(p.canonical) for p in chosen),
        steps=tuple(steps),
    )
    return Initialised(
        outcome=outcome,
        declared=tuple(d.name for d in everything.artifacts if d.file != GTO_YAML),
        proposals=chosen,
        files=tuple(data),
        notes=tuple(_notes(everything)),
        settings=jobs.settings if jobs is not None and jobs.files.keys() <= data.keys() else (),
    )


# Read -------------------------------------------------------------------------------------------------------------


def _read(project: Project, tree: WorkTree) -> tuple[DeclaredAll, tuple[Proposal, ...]]:
    """What is declared, and what could be."""
    entry = tree.entry(".dvc")
    if not (entry is not None and entry.is_directory) and not any(
        path.endswith("/.dvc/config") for path in tree.files("config")
    ):
        raise EnvironmentProblem("this is not a DVC repository", hint="dvc init")
    commit = Commit(tree)
    files = set(tree.files(DVC_YAML))
    outputs = {o.path: o for o in _outputs(commit, tree, sorted(files)) if not _is_behind_link(tree, o.path)}
    everything = declared(tree)
    for problem in everything.problems:
        raise BadInput(problem.problem, hint=f"correct {problem.file}; nothing was changed")
    return everything, discover(outputs.values(), everything.artifacts, project.registry.models)


def _is_behind_link(tree: WorkTree, path: str) -> bool:
    """Whether a directory above `path` is a symbolic link; the file itself may be one, into DVC's cache."""
    folder = posixpath.dirname(path)
    return bool(folder) and paths.through_symlink(tree, folder) is not None


def _outputs(commit: Commit, tree: WorkTree, files: Sequence[str]) -> Iterator[TrackedOutput]:
    """Everything that stages or `.dvc` files write into the repository.  Raises `BadInput` when one is broken."""
    for file in tree.files("*.dvc"):
        for located in commit.dvc_outputs(file):
            if located.kind == "outs" and not paths.is_url(located.output.path):
                yield _tracked(tree, located, _home(located, files))
    for file in files:
        pipeline = commit.pipeline(file)
        if pipeline is None:
            continue
        for problem in pipeline.project.problems:
            raise BadInput(f"{file}: {problem}", hint=f"correct {file}; nothing was changed")
        yield from _defined(tree, pipeline)
        for located in commit.stage_outputs(pipeline):
            if located.kind == "outs" and not paths.is_url(located.output.path):
                yield _tracked(tree, located, file)


def _defined(tree: WorkTree, pipeline: Pipeline) -> Iterator[TrackedOutput]:
    """The outputs of stages that may not have run yet; those of templates are known only when they have."""
    for name, definition in pipeline.project.stages.items():
        for out in definition.outs:
            path = None if "${" in out.path or definition.group else pipeline.full(name, out.path)
            if path is not None and out.kind == "outs" and not paths.is_url(path):
                yield _output(tree, path.rstrip("/"), pipeline.file, directory=False)


def _tracked(tree: WorkTree, located: Located, home: str) -> TrackedOutput:
    return _output(tree, located.output.path, home, directory=is_directory(located.output))


def _output(tree: WorkTree, path: str, home: str, *, directory: bool) -> TrackedOutput:
    entry = tree.entry(path)
    return TrackedOutput(
        path=path,
        home=home,
        directory=directory or (entry is not None and entry.is_directory),
        mlflow=tree.entry(f"{path}/MLmodel") is not None,
    )


def _home(located: Located, files: Sequence[str]) -> str:
    """The nearest `dvc.yaml` above a `.dvc` file's output, in its DVC repository; else the one to make at its root."""
    root, path = located.output.root, located.output.path
    above = [folder for folder in paths.parents(path) if folder == root or paths.inside(folder, root)]
    return next((file for folder in above if (file := f"{folder}/{DVC_YAML}") in files), posixpath.join(root, DVC_YAML))


def _config(project: Project, stages: Sequence[str] | None) -> bytes | None:
    """The configuration to write; None when there is nothing to write."""
    _ = project.config  # a broken one is said before anything is asked
    if stages is None:
        return None
    wanted = tuple(dict.fromkeys(check_stage(stage) for stage in stages))
    if not wanted:
        raise BadInput("--stages names no stage", hint="as in --stages dev,staging,prod")
    configured = read_config_files(project.root, {})
    if configured.stages == wanted:
        return None
    if configured != Config() or os.path.lexists(project.root / CONFIG_FILE) or _has_section(project):
        raise Refused("there is a configuration already", hint=f"write 'stages: [{', '.join(wanted)}]' into it")
    return f"stages: [{', '.join(wanted)}]\n".encode()


def _has_section(project: Project) -> bool:
    path = project.root / "pyproject.toml"
    return path.is_file() and b"[tool.modelver" in path.read_bytes()


# Decide and apply -------------------------------------------------------------------------------------------------


def _chosen(found: Sequence[Proposal], everything: DeclaredAll, choose: Choose | None) -> Iterator[Proposal]:
    chosen: set[str] = set()
    for proposal in found:
        name = choose(proposal) if choose is not None else None
        if name is None:
            continue
        if name != proposal.name:
            check_name(name)
            if ":" in name or name.lower() in taken_names(everything.artifacts, proposal.file):
                raise BadInput(f"{name} cannot be declared in {proposal.file} once more", hint="choose another name")
        named = replace(proposal, name=name)
        if named.canonical.lower() in chosen:
            raise BadInput(f"{name} is given to two models", hint="choose another name for one of them")
        chosen.add(named.canonical.lower())
        yield named


def _with_entries(tree: WorkTree, file: str, proposals: Sequence[Proposal]) -> bytes:
    entry = tree.entry(file)
    if entry is not None and not entry.mode.startswith("100"):
        raise Refused(f"{file} is not a regular file", hint="replace it by the file itself")
    return add_artifacts(tree.read(file) or b"", file, {p.name: p.entry() for p in proposals})


def _jobs(
    project: Project, ci: str | None, everything: DeclaredAll, chosen: Sequence[Proposal], stages: Sequence[str] | None
) -> CiPlan | None:
    if ci is None:
        return None
    sound = {a.name for a in everything.artifacts if a.type == "model" and a.problem is None and a.file != GTO_YAML}
    return plan_ci(project, ci, sorted(sound | {p.canonical for p in chosen}), stages or ())


def _agreed(jobs: CiPlan | None, agree: Agree | None, dry_run: bool) -> dict[str, bytes]:
    """The jobs' files, or none when they are not wanted."""
    if jobs is None or not jobs.files:
        return {}
    if agree is None and not dry_run:
        raise BadInput(
            f"there are {len(jobs.files)} files of CI jobs to write, and there is no terminal to ask on",
            hint="--yes writes them, --dry-run shows them",
        )
    return dict(jobs.files) if dry_run or agree is None or agree(tuple(jobs.files)) else {}


def _written(name: str) -> Written:
    return Written(name=name, version=None, stage=None, tag=None, commit=None, published=None)


def _notes(everything: DeclaredAll) -> Iterator[str]:
    for artifact in everything.artifacts:
        if artifact.file == GTO_YAML and (artifact.problem or artifact.path is None):
            yield f"note: {GTO_YAML}: {artifact.name} is left there: {artifact.problem or 'it has no path'}"
        elif artifact.problem:
            yield f"note: {artifact.file}: {artifact.name}: {artifact.problem}"
