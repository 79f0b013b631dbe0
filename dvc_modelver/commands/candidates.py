"""What a release starts from: the commit, and each model as it stands there, checked against the work tree."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from dvc_modelver.commands.bytes_at_hand import Bytes
from dvc_modelver.commands.evidence import local_cache, released
from dvc_modelver.commands.prepared import read_prepared
from dvc_modelver.commands.project import Project
from dvc_modelver.commands.publishing import Numbers, read_numbers, refuse_inside_dvc, refuse_under_way
from dvc_modelver.commands.unseen import refuse_shallow
from dvc_modelver.core.declarations import Declared
from dvc_modelver.core.facts import ArtifactFacts, Slice, Source
from dvc_modelver.core.names import check_name, check_stage, from_tag, near, to_tag
from dvc_modelver.core.registry import Model
from dvc_modelver.core.releases import Candidate, ReleaseOptions, refuse_case_twin, slice_digest
from dvc_modelver.core.versions import Version
from dvc_modelver.dvcio import facts as dvc_facts
from dvc_modelver.dvcio.project import declared as read_declarations
from dvc_modelver.dvcio.project import declared_one
from dvc_modelver.dvcio.workspace import Saved, hash_workspace
from dvc_modelver.errors import EnvironmentProblem, ModelverError, NotFound, Refused
from dvc_modelver.gitio.objects import CommitTree
from dvc_modelver.gitio.process import GitFailed
from dvc_modelver.gitio.worktree import Change, WorkTree, changes_in, read_changes, read_known

if TYPE_CHECKING:
    from dvc_modelver.core.bumps import Suggestion


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseRequest:
    """What the user asked for."""

    models: tuple[str, ...]
    options: ReleaseOptions = field(default_factory=ReleaseOptions)
    rev: str | None = None
    exp: str | None = None
    prepare: bool = False
    push: bool = False
    push_to: str | None = None
    offline: bool = False
    dry_run: bool = False
    cards: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadModel:
    """One model, read."""

    model: Model
    declared: Declared
    facts: ArtifactFacts
    slice: Slice
    numbers: Numbers
    candidate: Candidate


def read_target(project: Project, request: ReleaseRequest) -> str:
    """The commit to release.  Raises when the repository is in no state to release from."""
    refuse_inside_dvc(project)
    refuse_shallow(project)
    refuse_under_way(project)
    if project.head is None:
        raise EnvironmentProblem("there is no commit to release yet", hint="git commit")
    if request.exp is not None:
        return _experiment(project, request.exp)
    if request.rev is not None:
        commit = project.objects.commit(request.rev)
        if commit is None:
            raise NotFound(f"there is no commit {request.rev}", hint="git log")
        return commit
    if project.repository.root is None:
        raise EnvironmentProblem("a bare repository has no work tree to release from", hint="name a commit with --rev")
    return project.head


def _experiment(project: Project, name: str) -> str:
    """The commit of a DVC experiment (`refs/exps/AB/CDEF.../NAME`)."""
    listing = project.repository.git.text("for-each-ref", "--format=%(objectname) %(refname)", "refs/exps")
    rows = [line.split(" ", 1) for line in listing.splitlines()]
    named = {
        ref.rpartition("/")[2]: oid for oid, ref in rows if not ref.startswith(("refs/exps/exec", "refs/exps/temp"))
    }
    if name not in named:
        raise NotFound(f"there is no DVC experiment {name}", hint=near(name, named) or "dvc exp list")
    return named[name]


def read_names(project: Project, request: ReleaseRequest) -> list[str]:
    """Canonical names, each once, in the order given."""
    if request.options.stage is not None:
        check_stage(request.options.stage, project.config.stages)
    names: dict[str, None] = {}
    for text in request.models:
        try:
            names[project.resolve(check_name(text)).name] = None
        except NotFound:
            _refuse_uncommitted_declaration(project, text)
            raise
    for name in names:
        together = [other for other in names if other != name]
        refuse_case_twin(name, [*_spellings(project, name), *together], request.options.force)
    return list(names)


def _spellings(project: Project, name: str) -> list[str]:
    """The artifacts that tags know under `name`, in whatever upper and lower case."""
    tag = to_tag(name)
    return [from_tag(found[:-1]) for end in "@#" for found in project.tags.spellings(f"{tag}{end}")]


def _refuse_uncommitted_declaration(project: Project, text: str) -> None:
    if project.repository.root is None:
        return
    for artifact in read_declarations(WorkTree(project.repository.root, read_known(project.repository.git))).artifacts:
        if artifact.name in (text, f"{project.repository.prefix}:{text}"):
            raise Refused(
                f"{artifact.file} declares {text}, but that is not committed",
                hint=f"git add {artifact.file} && git commit",
            )


def read_model(project: Project, request: ReleaseRequest, tree: CommitTree, name: str) -> ReadModel:
    model = project.model_of(name)
    declared = declared_one(tree, name)
    if declared is None:
        _refuse_uncommitted_declaration(project, name)
        raise NotFound(
            f"commit {tree.commit[:12]} declares no artifact {name}",
            hint="add it under artifacts: in dvc.yaml, or modelver init",
        )
    if declared.problem is not None:
        check_name(name)
        raise Refused(f"{declared.file}: {name}: {declared.problem}", hint=declared.remedy)
    at_head = request.rev is None and request.exp is None
    changes = read_changes(project.repository.git) if at_head else ()
    if at_head:
        card = [project.config.cards.path_of(name)] if request.cards and not request.prepare else []
        _refuse_dirty(
            project, (*changes_in(changes, _own_files(declared)), *changed_files(project, changes, card)), name
        )
    with Bytes(project) as at_hand:
        facts = dvc_facts.artifact_facts(tree, declared, listing=at_hand.listing)
    if facts.source is Source.MISSING:
        raise Refused(f"{name}: {facts.problem}", hint="run dvc repro or dvc add, then git commit")
    parts = dvc_facts.slice_of(tree, declared)
    if at_head:
        _check_work_tree(project, changes, parts, facts, name)
    numbers = read_numbers(project, model, offline=request.offline, push=request.push)
    candidate = _candidate(project, tree, model, declared, facts, parts, numbers)
    prepared = read_prepared(project, tree, model, numbers, preparing=request.prepare, cards=request.cards)
    candidate = replace(candidate, prepared=prepared)
    return ReadModel(model=model, declared=declared, facts=facts, slice=parts, numbers=numbers, candidate=candidate)


def changed_files(project: Project, changes: Sequence[Change], paths: Sequence[str]) -> tuple[Change, ...]:
    """Those of `changes` that are the files at `paths`; a file that is not there has not changed with its folder."""
    there = [path for path in paths if os.path.lexists(project.root / path)]
    return tuple(change for change in changes if change.path in paths or any(change.is_in(path) for path in there))


def _own_files(declared: Declared) -> list[str]:
    folder = declared.file.rpartition("/")[0]
    lock = f"{folder}/dvc.lock" if folder else "dvc.lock"
    paths = [declared.file, lock]
    if declared.path is not None and "://" not in declared.path:
        paths.append(f"{folder}/{declared.path}.dvc" if folder else f"{declared.path}.dvc")
    return paths


def _refuse_dirty(project: Project, dirty: Sequence[Change], name: str) -> None:
    if not dirty:
        return
    paths = [change.path for change in dirty]
    shown = ", ".join(paths[:5]) + (f" and {len(paths) - 5} more" if len(paths) > 5 else "")
    verb = "is" if len(paths) == 1 else "are"
    raise Refused(
        f"{name} cannot be released: {shown} {verb} not as committed",
        hint=f"git add {' '.join(paths[:5])} && git commit; or release what is committed with --rev HEAD",
    )


def _check_work_tree(
    project: Project, changes: Sequence[Change], parts: Slice, facts: ArtifactFacts, name: str
) -> None:
    """The model's slice and bytes in the work tree are HEAD's; other changes are named and left alone."""
    paths = [*parts.files, *((facts.path,) if facts.source is Source.GIT and facts.path else ())]
    dirty = changes_in(changes, paths)
    _refuse_dirty(project, dirty, name)
    others = [change.path for change in changes if not change.untracked]
    if others:
        project.around.say(f"note: left alone: {', '.join(others[:5])}{' ...' if len(others) > 5 else ''}")
    if not facts.in_cache:
        return
    copy = hash_workspace(project.root, facts, local_cache(project, facts), progress=project.around.progress)
    if copy.state is Saved.DIFFERENT:
        raise Refused(
            f"{copy.first or facts.path} is not the file that {', '.join(facts.files_read[1:]) or 'HEAD'} names",
            hint="dvc repro or dvc commit, then git commit; or dvc checkout to get the committed one back",
        )


def _candidate(
    project: Project,
    tree: CommitTree,
    model: Model,
    declared: Declared,
    facts: ArtifactFacts,
    parts: Slice,
    numbers: Numbers,
) -> Candidate:
    last = model.highest_usable
    retired = model.retired_by
    return Candidate(
        model=model,
        commit=tree.commit,
        taken=numbers.taken,
        counter=numbers.counter,
        slice_digest=slice_digest(parts),
        last=last,
        last_slice_digest=_slice_digest_of(project, model, last),
        content=lambda: released(project, tree, declared, facts),
        suggested=lambda: _suggested(project, model.name, last, tree.commit),
        retired_tag=retired.name if retired is not None else None,
    )


def _suggested(project: Project, name: str, last: Version | None, commit: str) -> Suggestion:
    """How far the number goes by what changed since `last`; no level where one of the two cannot be read."""
    # A release whose number does not depend on it does without: reading both points takes 40 ms.
    from dvc_modelver.commands.comparison.facts import FactsReader
    from dvc_modelver.commands.comparison.points import Place, find_place
    from dvc_modelver.core.bumps import Suggestion, suggest

    try:
        places = [find_place(project, f"{name}@{last}"), Place(ref=commit[:12], name=name, commit=commit)]
        with Bytes(project) as at_hand:
            before, now = FactsReader(project, places, at_hand).points()
    except GitFailed:
        raise
    except ModelverError as error:
        return Suggestion(level=None, reasons=(error.message,))
    return suggest(before.facts, now.facts, project.config.bump)


def _slice_digest_of(project: Project, model: Model, version: Version | None) -> str | None:
    """Of an earlier version, from its own commit; None when that commit cannot be read as a DVC project."""
    if version is None:
        return None
    commit = model.release_ref(version).target or ""
    try:
        tree = project.tree(commit)
        declared = declared_one(tree, model.name)
        return slice_digest(dvc_facts.slice_of(tree, declared)) if declared is not None else None
    except GitFailed:
        raise
    except ModelverError:
        return None
