"""`doctor`: everything that is wrong with the repository's versions, each with its remedy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from dvc_modelver.commands.bytes_at_hand import Bytes
from dvc_modelver.commands.commitfacts import artifact_at
from dvc_modelver.commands.history import out_of_order
from dvc_modelver.commands.hooking.guards import BROKEN, SHADOWED, Guard
from dvc_modelver.commands.hooking.status import read_guards
from dvc_modelver.commands.list_models import list_models
from dvc_modelver.commands.project import Project
from dvc_modelver.commands.recovery import Lock, Recovery, is_held, read_left, read_locks
from dvc_modelver.commands.recovery import recover as recover_left
from dvc_modelver.core.facts import Source
from dvc_modelver.core.registry import Model, Problem
from dvc_modelver.core.tagobjects import TagObject, TagRef, tag_problem
from dvc_modelver.core.tags import PREFIX, Event, TagName, parse_tag_name
from dvc_modelver.core.text import quoted
from dvc_modelver.core.verification import moved, no_bytes_named, no_commit, record_differs, vanished
from dvc_modelver.errors import ModelverError
from dvc_modelver.gitio.refs import read_broken_refs
from dvc_modelver.gitio.remotes import push_url

_PROTECT = {
    "github": (
        "note: on GitHub: Settings, Rules, Rulesets, New tag ruleset: include *@v*, *#*, **/*@v* and **/*#*, "
        "and restrict updates and deletions"
    ),
    "gitlab": (
        "note: on GitLab: Settings, Repository, Protected tags: protect *@v* and *#*, and say who may create them"
    ),
}
"""Part of a server's address -> where its rule for tags is; a `*` of GitHub's does not reach over a slash."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """What was found; `notes` are no faults."""

    problems: tuple[Problem, ...]
    notes: tuple[str, ...]
    recovery: Recovery = field(default_factory=lambda: Recovery(left=None))
    """What an interrupted command has left, and what was done about it."""
    locks: tuple[Lock, ...] = ()
    """Git's; none is ever removed."""
    guards: tuple[Guard, ...] = ()
    """The Git hooks and the merge driver, as git would meet them now."""


def diagnose(project: Project, *, recover: bool = False, dry_run: bool = False) -> Diagnosis:
    """Look at every tag's object and commit, not at names alone.

    Args:
        recover: first finish or undo what a killed command left.
        dry_run: only say what `recover` would do.
    """
    recovery = recover_left(project, dry_run=dry_run) if recover else Recovery(left=read_left(project))
    listing = list_models(project)
    problems = list(listing.problems)
    with Bytes(project) as at_hand:
        for model in project.registry.models.values():
            told = {problem.ref for problem in listing.problems}
            problems += [one for one in _model_problems(project, model, at_hand) if one.ref not in told]
    problems += [
        Problem(
            ref=ref,
            problem="it holds no object id",
            remedy=f"git update-ref -d {quoted(ref)}, then git fetch --tags",
        )
        for ref in read_broken_refs(project.repository.git)
    ]
    problems += _vanished(project)
    problems += _unfinished(recovery)
    locks = read_locks(project)
    problems += [_lock_problem(lock) for lock in locks if lock.old]
    if listing.incomplete:
        problems.append(
            Problem(
                ref="HEAD",
                problem="this clone is shallow: versions may be missing",
                remedy="git fetch --unshallow --tags",
            )
        )
    guards: tuple[Guard, ...] = ()
    try:
        guards = read_guards(project) if project.repository.root is not None else ()
    except ModelverError as error:
        problems.append(Problem(ref="hooks", problem=error.message, remedy=error.hint or "modelver hooks status"))
    problems += [
        Problem(ref=f"hook {guard.name}", problem=f"{guard.state}: {guard.detail}", remedy=guard.remedy)
        for guard in guards
        if guard.state in (SHADOWED, BROKEN)
    ]
    notes = (*_notes(project), *_busy(project, locks))
    return Diagnosis(problems=tuple(problems), notes=notes, recovery=recovery, locks=locks, guards=guards)


def _model_problems(project: Project, model: Model, at_hand: Bytes) -> Iterator[Problem]:
    tags = list(model.tag_refs())
    objects = model.read_tags(ref.oid for _, ref in tags)
    for name, ref in tags:
        tag = objects.get(ref.oid)
        fault = _tag_fault(project, model, name, ref, tag, at_hand)
        if fault is not None:
            yield _problem(ref, *fault)
    for stage in model.stage_names:
        events = model.stage_events(stage)
        for event in out_of_order(events):
            yield _problem(
                event.ref, "its time is later than that of an event with a higher counter", "check the clocks"
            )
        held = model.holder(stage)
        if held is not None and held.version is None:
            remedy = f"modelver release {model.name} --rev {(held.ref.target or '')[:12]} --no-card"
            yield _problem(held.ref, f"{stage} is on a commit that no version names", remedy)
        elif held is not None and held.version is not None and not model.has(held.version):
            yield _problem(held.ref, f"{stage} holds {held.version}, which has no tag here", "git fetch --tags")


def _tag_fault(
    project: Project, model: Model, name: TagName, ref: TagRef, tag: TagObject | None, at_hand: Bytes
) -> tuple[str, str] | None:
    problem = tag_problem(tag, ref.name, model.name)
    if problem is not None:
        return problem, f"git tag -d -- {quoted(ref.name)}, then fetch or make it again"
    first = project.seen.oids.get(ref.name)
    if first is not None and first != ref.oid:
        return moved(first)
    if project.objects.commit(ref.target or "") is None:
        return no_commit(ref.target or "")
    if name.event is Event.RELEASE and tag is not None:
        return _version_fault(project, model, ref, tag, at_hand)
    return None


def _version_fault(
    project: Project, model: Model, ref: TagRef, tag: TagObject, at_hand: Bytes
) -> tuple[str, str] | None:
    facts = artifact_at(project, model.name, ref.target or "", at_hand, tag.record)
    if facts.source is Source.MISSING:
        return no_bytes_named(facts.problem)
    return record_differs(tag.record, facts) if tag.record is not None else None


def _vanished(project: Project) -> Iterator[Problem]:
    here = {ref.name for ref in project.tags.all()}
    for name, oid in project.seen.oids.items():
        if name not in here and parse_tag_name(name) is not None:
            problem, remedy = vanished(name, oid)
            yield Problem(ref=f"refs/tags/{name}", problem=problem, remedy=remedy)


def _unfinished(recovery: Recovery) -> Iterator[Problem]:
    left = recovery.left
    if left is not None and recovery.done is None:
        going = f" to {left.version}" if left.version is not None else ""
        of = f" of {left.model}{going}" if left.model is not None else ""
        yield Problem(
            ref=", ".join((*left.refs, *left.files)).replace(PREFIX, "") or "journal",
            problem=f"a {left.action or 'command'}{of} was interrupted on {left.since:%Y-%m-%d at %H:%M:%S} UTC",
            remedy="modelver doctor --recover finishes or undoes it, as does the next writing command",
        )


def _lock_problem(lock: Lock) -> Problem:
    return Problem(
        ref=lock.path,
        problem=f"this lock of git's is {_age(lock)} old",
        remedy="when no git is running in this repository, remove that file",
    )


def _busy(project: Project, locks: Iterable[Lock]) -> Iterator[str]:
    yield from (f"note: git may be at work: {lock.path}, {_age(lock)} old" for lock in locks if not lock.old)
    if is_held(project.repository.state_dir):
        yield "note: another modelver is at work in this repository"


def _age(lock: Lock) -> str:
    seconds = int(lock.age.total_seconds())
    for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= size:
            return f"{seconds // size} {unit}{'s' if seconds >= 2 * size else ''}"
    return f"{seconds} s"


def _notes(project: Project) -> tuple[str, ...]:
    if project.remote is None or not project.registry.models:
        return ()
    said = (
        "note: only the server can keep a pushed tag from being moved or deleted: protect the tags *@v* and *#* there"
    )
    host = push_url(project.repository.git, project.remote).lower()
    return (said, *(line for name, line in _PROTECT.items() if name in host))


def _problem(ref: TagRef, problem: str, remedy: str) -> Problem:
    return Problem(ref=f"refs/tags/{ref.name}", problem=problem, remedy=remedy)
