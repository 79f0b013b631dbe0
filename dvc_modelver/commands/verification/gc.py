"""`verify --gc`: which released versions a `dvc gc` would take bytes from, and the command line that takes none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import pairwise

from dvc_modelver.commands.project import Project
from dvc_modelver.commands.verification.gcused import Used
from dvc_modelver.core.garbage import Judged, Line, Need, choose, judge, parse_keep
from dvc_modelver.core.registry import Model
from dvc_modelver.core.tagobjects import NOWHERE
from dvc_modelver.core.tags import Event, parse_tag_name
from dvc_modelver.core.verification import some_of
from dvc_modelver.core.versions import Version
from dvc_modelver.errors import EnvironmentProblem, ModelverError

USUAL = (("-w",), ("-a",), ("-T",), ("-A",))
SAFE = ("-a", "-T")
"""Keeps every version, and what is not released yet on other branches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """A version of which it cannot be told what it needs."""

    name: str
    version: Version
    problem: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RootPlan:
    """What holds for one DVC repository."""

    root: str
    lines: tuple[Judged, ...]
    """The usual command lines."""
    chosen: Judged | None
    """The one that keeps what the policy wants."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GcPlan:
    """What `dvc gc` would do to versions."""

    keep: str
    needs: tuple[Need, ...]
    roots: tuple[RootPlan, ...]
    unknown: tuple[Unknown, ...]
    sizes: Mapping[tuple[str, str], int] = field(repr=False)
    """Bytes by (where, object)."""
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether a command line is known that keeps every version that the policy wants."""
        return not self.unknown and all(root.chosen is not None for root in self.roots)


def plan_gc(project: Project, keep: str = "all", *, remote: bool = False) -> GcPlan:
    """Find out what each usual `dvc gc` would take, without running dvc.

    Args:
        keep: which versions must not lose anything: `all`, `staged` (that hold or held a stage), `since:DATE`.
        remote: also what `--cloud` would take from the DVC remotes, which are asked what they have.

    Raises `BadInput` for another policy, `EnvironmentProblem` when a remote cannot be asked.
    """
    policy, day = parse_keep(keep)
    used = Used(project, remote=remote)
    needs: list[Need] = []
    unknown: list[Unknown] = []
    done = 0
    total = sum(model.version_count for model in project.registry.models.values())
    for model in project.registry.models.values():
        wanted = _wanted(model, policy, day)
        for version in model.versions:
            done += 1
            project.around.progress(done, total, f"{model.name}@{version}")
            try:
                needs += _needs(used, model, version, version in wanted)
            except ModelverError as error:
                found = Unknown(name=model.name, version=version, problem=error.message, remedy=error.hint)
                unknown += [found] if version in wanted else []
    needs = used.only_present(needs)
    roots = tuple(_plan_root(project, used, root, needs, remote) for root in sorted({n.root for n in needs} or {""}))
    notes = (*used.notes, *_notes(project, remote))
    return GcPlan(keep=keep, needs=tuple(needs), roots=roots, unknown=tuple(unknown), sizes=used.sizes, notes=notes)


def _wanted(model: Model, policy: str, day: str) -> set[Version]:
    if policy == "all":
        return set(model.versions)
    if policy == "staged":
        events = (event for stage in model.stage_names for event in model.stage_events(stage))
        return {event.version for event in events if event.event is Event.PROMOTE and event.version is not None}
    since = date.fromisoformat(day)
    tags = {version: model.tag(model.release_ref(version)) for version in model.versions}
    # Younger by its tag; one that cannot be read is kept rather than lost.
    return {version for version, tag in tags.items() if tag is None or tag.at.date() >= since}


def _needs(used: Used, model: Model, version: Version, wanted: bool) -> Iterator[Need]:
    ref = model.release_ref(version)
    tag = model.tag(ref)
    commit = ref.target or ""
    if commit in NOWHERE:
        raise EnvironmentProblem(f"its tag object {ref.oid[:12]} is not here", hint="git fetch --tags; git fsck --full")
    if used.project.objects.commit(commit) != commit:
        raise EnvironmentProblem(f"its commit {commit[:12]} is not here", hint="git fetch --tags --unshallow")
    for root, objects in used.of_version(model.name, commit, tag.record if tag is not None else None).items():
        if not used.has_root(root):
            where = root or "the top directory"
            raise EnvironmentProblem(
                f"there is no DVC repository in {where} today, and dvc gc passes over commits where it lies elsewhere",
                hint=f"modelver get {model.name}@{version} -o PATH keeps its bytes outside of DVC",
            )
        yield Need(
            name=model.name, version=version, commit=commit, objects=frozenset(objects), wanted=wanted, root=root
        )


def _plan_root(project: Project, used: Used, root: str, needs: Sequence[Need], remote: bool) -> RootPlan:
    own = [need for need in needs if need.root == root]
    reach = _Reach(project, used, root, own)
    clouds = ((), ("-c",)) if remote else ((),)
    usual = tuple(judge(reach.line((*options, *cloud)), own) for cloud in clouds for options in USUAL)
    cloud = ("-c",) if remote else ()
    candidates = [SAFE] if all(need.wanted for need in own) else [*reach.narrow(), SAFE]
    chosen = choose([reach.line((*options, *cloud)) for options in candidates], own)
    return RootPlan(root=root, lines=usual, chosen=chosen)


class _Reach:
    """Which commits and objects the options of a command line reach."""

    def __init__(self, project: Project, used: Used, root: str, needs: Sequence[Need]) -> None:
        self._used = used
        self._root = root
        self._needs = needs
        self._commits = frozenset(need.commit for need in needs)
        self._times = {commit: used.committed(commit) for commit in self._commits}
        self._tips = used.branch_tips()

    def line(self, options: tuple[str, ...]) -> Line:
        commits: set[str] = set()
        objects = set(self._used.of_work_tree(self._root))
        if "-T" in options or "-A" in options:
            commits |= self._commits
        if "-a" in options:
            commits |= self._commits & set(self._tips)
            for tip in self._tips:
                objects |= self._used.of_commit(tip, self._root)
        for option, value in pairwise(options):
            if option == "--rev":
                commits.add(value)
            elif option == "--date":
                begin = datetime.fromisoformat(value).timestamp()  # local midnight, as DVC reads it
                commits |= {commit for commit, at in self._times.items() if at >= begin}
        return Line(options=options, commits=frozenset(commits), objects=frozenset(objects))

    def narrow(self) -> Iterator[tuple[str, ...]]:
        """Command lines that keep less than everything, where the policy may allow one."""
        yield ("-w",)
        wanted = {need.commit for need in self._needs if need.wanted}
        if len(wanted) == 1:
            yield ("--rev", *wanted)
        yield ("-a",)
        if wanted:
            first = datetime.fromtimestamp(min(self._times[commit] for commit in wanted)).date().isoformat()
            yield ("--date", first)
            yield ("-a", "--date", first)


def _tags_on_no_commit(project: Project) -> list[str]:
    """DVC ends with an error at a tag on a tree or a blob."""
    words = ("--format=%(objecttype) %(*objecttype) %(refname:lstrip=2)", "refs/tags/")
    said = project.repository.git.complete("for-each-ref", *words).stdout.decode("utf-8", "surrogateescape")
    rows = (line.split(" ", 2) for line in said.splitlines())
    return [row[2] for row in rows if len(row) == 3 and {"tree", "blob"} & set(row[:2])]


def _is_version(tag: str) -> bool:
    name = parse_tag_name(tag)
    return name is not None and name.event is Event.RELEASE


def _notes(project: Project, remote: bool) -> Iterable[str]:
    odd = _tags_on_no_commit(project)
    if odd:
        what = f"the tag {odd[0]} names" if len(odd) == 1 else f"the tags {some_of(odd)} name"
        yield f"warning: {what} no commit: dvc gc stops there, and removes nothing, until git tag -d takes it away"
    if project.repository.shallow:
        yield "note: this clone is shallow: dvc gc sees only what is here; git fetch --unshallow --tags"
    here = {ref.name: ref.oid for ref in project.tags.all()}
    gone = [name for name, oid in project.seen.oids.items() if here.get(name) != oid and _is_version(name)]
    if gone:
        yield (
            f"warning: this clone has seen versions whose tags are gone or were moved ({some_of(sorted(gone))}): "
            "dvc gc takes their bytes; modelver doctor says how they come back"
        )
    if not remote or project.remote is None:
        return
    from dvc_modelver.gitio.remotes import read_remote_tags

    try:
        there = read_remote_tags(project.repository.git, project.remote)
    except EnvironmentProblem as error:
        yield f"warning: {error.message}: versions that only others have are not counted; --cloud takes their bytes"
        return
    lacking = [ref.name for ref in there if ref.name not in here and _is_version(ref.name)]
    if lacking:
        yield (
            f"warning: the Git remote has versions that this clone lacks ({', '.join(sorted(lacking)[:3])}"
            f"{' and more' if len(lacking) > 3 else ''}): git fetch --tags first, or --cloud takes their bytes"
        )
