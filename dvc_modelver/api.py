"""The Python API: the same facts as the command line, as frozen dataclasses and as pandas frames."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime, timezone
from enum import Enum
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from dvc_modelver.commands.bisection.bisect import Bisected, BisectRequest, bisect
from dvc_modelver.commands.candidates import ReleaseRequest
from dvc_modelver.commands.cards.check import CardReport, check_cards
from dvc_modelver.commands.cards.show import ShownCard, show_card
from dvc_modelver.commands.cards.update import update_cards
from dvc_modelver.commands.comparison.compare import compare_points
from dvc_modelver.commands.doctor import Diagnosis, diagnose
from dvc_modelver.commands.frames import FramedComparison, FramedImpact, FramedLineage, FramedMetricLine, framed
from dvc_modelver.commands.get import Got, get
from dvc_modelver.commands.history import EventRow, ModelAt, history, history_at
from dvc_modelver.commands.list_models import ModelRow, list_models
from dvc_modelver.commands.metricline import metric_line
from dvc_modelver.commands.project import Project, Surroundings
from dvc_modelver.commands.promote import promote
from dvc_modelver.commands.provenance.impact import impact
from dvc_modelver.commands.provenance.lineage import lineage
from dvc_modelver.commands.publishing import Outcome
from dvc_modelver.commands.push import push_tags
from dvc_modelver.commands.release import release
from dvc_modelver.commands.restoration.rollback import RollbackRequest, RolledBack, rollback, rollback_stage, undo
from dvc_modelver.commands.show import VersionFacts, VersionRow, show_version, show_versions
from dvc_modelver.commands.verification.verify import Options, verify
from dvc_modelver.commands.withdraw import retire, withdraw
from dvc_modelver.core.names import check_name
from dvc_modelver.core.releases import ReleaseOptions
from dvc_modelver.core.verification import Verified
from dvc_modelver.core.versions import Bump, Version
from dvc_modelver.errors import BadInput

if TYPE_CHECKING:
    import git
    import pandas as pd

Row = TypeVar("Row")


class Rows(tuple[Row, ...], Generic[Row]):
    """Frozen dataclasses, one a row."""

    __slots__ = ()

    def to_frame(self) -> pd.DataFrame:
        """One row each: versions and enums as text, times as UTC timestamps, nested fields as `outer.inner`."""
        import pandas as pd

        frame: pd.DataFrame = pd.DataFrame([flat(row) for row in self])
        return frame


def flat(value: object, prefix: str = "") -> dict[str, object]:
    """A dataclass as one flat mapping: nested dataclasses and mappings become `outer.inner` keys."""
    found: dict[str, object] = {}
    pairs: Iterable[tuple[str, object]]
    if is_dataclass(value):
        pairs = [(field.name, getattr(value, field.name)) for field in fields(value)]
    else:
        pairs = [(str(key), item) for key, item in value.items()] if isinstance(value, Mapping) else []
    for key, item in pairs:
        name = f"{prefix}{key}"
        if (is_dataclass(item) and not isinstance(item, Version)) or isinstance(item, Mapping):
            found |= flat(item, f"{name}.")
        else:
            found[name] = _cell(item)
    return found


def _cell(item: object) -> object:
    if isinstance(item, Enum):
        return item.value
    if isinstance(item, (Version, PurePosixPath, Path)):
        return str(item)
    return item


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=timezone.utc)


def open(path: str | os.PathLike[str] = ".", *, env: Mapping[str, str] | None = None) -> Repository:
    """Open the repository that `path` lies in.

    Args:
        path: any directory of it.
        env: the environment for git and for `MODELVER_*` settings; the process's own by default.

    Raises:
        BadInput: there is no such directory.
        EnvironmentProblem: it lies in no Git repository, or there is no git.
    """
    return Repository(Path(path), dict(os.environ) if env is None else env)


class Repository:
    """One repository.  Every method reads the refs anew; errors are subclasses of `dvc_modelver.errors.ModelverError`.

    A context manager, for symmetry with other resources: nothing is held between calls.
    """

    def __init__(self, path: Path, env: Mapping[str, str]) -> None:
        self._around = Surroundings(directory=path, env=env)
        with self._project() as project:
            self.root: Path = project.repository.root or project.repository.git_dir

    def __enter__(self) -> Repository:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        return None

    def __repr__(self) -> str:
        return f"Repository({str(self.root)!r})"

    def _project(self) -> Project:
        return Project(self._around)

    @property
    def git(self) -> git.Repo:
        """The repository as GitPython sees it, for configuration and remotes."""
        import git

        return git.Repo(self._around.directory, search_parent_directories=True)

    # Reading ----------------------------------------------------------------------------------------------------

    def list(self) -> Rows[ModelRow]:
        """Every model, sorted by name: its latest version and what each stage holds."""
        with self._project() as project:
            return Rows(list_models(project).models)

    def show(self, name: str) -> Rows[VersionRow]:
        """All versions of a model, the highest first.  Sizes are bytes.  Raises `NotFound`, `BadInput`."""
        with self._project() as project:
            return Rows(show_versions(project, project.resolve(name)))

    def version(self, reference: str) -> VersionFacts:
        """One version in full: `churn@v1.2.0`, `churn@latest`, `churn#prod`.  Raises `NotFound`, `BadInput`."""
        with self._project() as project:
            return show_version(project, project.resolve(reference))

    def history(self, name: str | None = None) -> Rows[EventRow]:
        """Every event, newest first.  Raises `NotFound`."""
        with self._project() as project:
            return Rows(history(project, name))

    def at(self, moment: datetime, name: str | None = None) -> Rows[ModelAt]:
        """What each stage held at `moment` (UTC when naive), by the events' own times."""
        with self._project() as project:
            return Rows(history_at(project, _aware(moment), name).models)

    def metric(self, name: str, key: str) -> FramedMetricLine:
        """A metric over all versions of a model, the lowest first; its `.to_frame()` has a row for each.

        Args:
            key: dotted, its last part where nothing else ends so, or `FILE:KEY`.

        Raises:
            NotFound: no such model, or no version of it has that metric.
            BadInput: several metrics could be meant.
        """
        with self._project() as project:
            return framed(FramedMetricLine, metric_line(project, project.resolve(check_name(name)), key))

    def compare(self, *references: str) -> FramedComparison:
        """Metrics, params, data, code, environment and artifact of several points; a single one with the work tree.

        `.to_frame()` has a row for each of them, a column for each point, and the deltas of metrics.

        Args:
            references: versions, stages, models (their latest), branches, tags, commits; `.` is the work tree.

        Raises:
            NotFound: no such model, version, stage or commit, or nothing declares the model.
            BadInput: nobody can say which model is meant, or a file of a point cannot be read.
        """
        with self._project() as project:
            return framed(FramedComparison, compare_points(project, references))

    def lineage(self, reference: str) -> FramedLineage:
        """Where a version comes from: `.to_frame()` has a row for each node, `.edges_frame()` one for each edge.

        Raises `NotFound`, `BadInput`, `DataError` (its commit or an object is not in this clone).
        """
        with self._project() as project:
            return framed(FramedLineage, lineage(project, project.resolve(reference)))

    def impact(
        self, query: str, *, rev: str | None = None, at: datetime | None = None, offline: bool = False
    ) -> FramedImpact:
        """Which versions were made from a file, digest, param (`FILE:KEY[=VALUE]`) or import.

        Where `complete` is false, some could not be ruled out: `.unknown_frame()` names them.

        Args:
            rev: only the bytes that the path has there.
            at: stages as they were then (UTC when naive), instead of today's.
            offline: do not ask the DVC remote for listings.

        Raises:
            BadInput: the query is none.
            NotFound: nothing here knows what it names.
            DataError: what the path held at `rev` cannot be known.
        """
        moment = _aware(at) if at is not None else None
        with self._project() as project:
            return framed(FramedImpact, impact(project, query, rev=rev, at=moment, offline=offline))

    def verify(
        self,
        reference: str | None = None,
        *,
        every: bool = False,
        remote: bool = False,
        signed: bool = False,
        force: bool = False,
    ) -> Rows[Verified]:
        """Every link from tag to bytes, of what is in use; of one model, version or stage; or of `every` version.

        Args:
            remote: also ask the DVC remote.
            signed: fail where a tag is not signed by someone who is allowed to.
            force: hash again what was hashed before and has not changed since.
        """
        with self._project() as project:
            options = Options(remote=remote, signed=signed, force=force)
            return Rows(verify(project, reference, options, every=every).versions)

    def bisect(self, name: str, metric: str, *, good: str | None = None, bad: str | None = None) -> Bisected:
        """The version and the commit where a metric went wrong, from recorded metrics.

        Raises `NotFound` when there is no such model, version or metric, `BadInput` when good is not better than bad.
        """
        with self._project() as project:
            return bisect(project, BisectRequest(name=name, metric=metric, good=good, bad=bad))

    def doctor(self) -> Diagnosis:
        """Everything that is wrong with the repository's versions."""
        with self._project() as project:
            return diagnose(project)

    def get(self, reference: str, destination: str | os.PathLike[str] | None = None) -> Got:
        """Put a version's verified bytes at `destination` (default: its own name, in the current directory).

        Raises:
            NotFound: no such version, or the stage is empty.
            DataError: bytes are missing or corrupt.
            Conflict: something else lies at `destination`.
        """
        with self._project() as project:
            return get(project, reference, Path(destination) if destination is not None else None)

    def card(self, reference: str | None = None) -> ShownCard:
        """The card of a version as it was released (`churn@v1.2.0`, `churn#prod`), or the work tree's (`churn`).

        Raises:
            NotFound: no such model or version, or it has no card.
            BadInput: no name, and there are several models.
        """
        with self._project() as project:
            return show_card(project, reference)

    def check_cards(self, *names: str, stage: str | None = None) -> tuple[CardReport, ...]:
        """What is wrong with the cards of the work tree, of all models by default.

        Args:
            stage: also ask for the sections that this stage needs.
        """
        with self._project() as project:
            return check_cards(project, names, stage=stage)

    # Writing ----------------------------------------------------------------------------------------------------

    def release(
        self,
        *names: str,
        bump: str | None = None,
        force_bump: bool = False,
        version: str | None = None,
        message: str = "",
        stage: str | None = None,
        rev: str | None = None,
        prepare: bool = False,
        card: bool = True,
        push: bool = False,
        offline: bool = False,
        dry_run: bool = False,
    ) -> Outcome:
        """Release the next version of the models, all of them or none.

        Args:
            bump: `auto` (default: what changed since the last version decides), `major`, `minor`, `patch` or
                `prerelease`.
            force_bump: that level even where what changed asks for more.
            version: this very number instead.
            rev: a commit instead of HEAD.
            prepare: write the card with the planned number, and stop before the commit.
            card: write and commit the card; without, the commit itself is tagged.

        Raises:
            Refused: the work tree is not as committed, the model is retired, or nothing changed under a new number.
            Conflict: the number is taken.
            DataError: bytes are missing or corrupt.
        """
        bump = None if bump is not None and bump.lower() == "auto" else bump
        if bump is not None and bump.upper() not in Bump.__members__:
            raise BadInput(f"{bump!a} is no bump", hint="auto, major, minor, patch or prerelease")
        if force_bump and bump is None:
            raise BadInput("force_bump needs a level", hint="name it with bump")
        options = ReleaseOptions(
            bump=Bump[bump.upper()] if bump is not None else None,
            force_bump=force_bump,
            version=Version.parse(version) if version is not None else None,
            message=message,
            stage=stage,
        )
        request = ReleaseRequest(
            models=names,
            options=options,
            rev=rev,
            prepare=prepare,
            cards=card,
            push=push,
            offline=offline,
            dry_run=dry_run,
        )
        with self._project() as project:
            return release(project, request)

    def update_cards(self, *names: str, **options: bool) -> Outcome:
        """Bring cards of the work tree up to date, of all models by default.  Options: `discard_edits`, `dry_run`.

        Raises `Refused` (a block was edited by hand), `BadInput` (marks that cannot be read).
        """
        return self._write(update_cards, names, **options)

    def promote(self, reference: str, stage: str, *, message: str = "", **options: bool) -> Outcome:
        """Let `stage` hold a version.  Options: `push`, `offline`, `dry_run`.

        Raises `NotFound`, `Refused` (withdrawn, retired), `Conflict` (someone else promoted at the same time).
        """
        return self._write(promote, reference, stage, message=message, **options)

    def rollback(
        self,
        name: str,
        version: str | None = None,
        *,
        form: str = "slice",
        stage: str | None = None,
        reason: str = "",
        branch: str | None = None,
        include_shared: bool = False,
        push: bool = False,
        offline: bool = False,
        dry_run: bool = False,
    ) -> Outcome:
        """Bring back what an earlier version was made of, with its bytes, as one new commit.

        Args:
            version: by default the version before the one whose bytes HEAD names.
            form: `slice`, `tree`, `model` (the model alone) or `detach`.
            stage: let this stage hold the version again (by default its previous holder) instead: no file moves.
            branch: make the commit on a new branch, and leave the work tree as it is.
            include_shared: also what other models are made with.
            offline: do not ask the remote for numbers; of a stage.

        Raises:
            Refused: something would be lost, or other models are made with what would change.
            DataError: bytes are missing or corrupt: found before anything changes.
            NotFound: there is no such version, or none before.
        """
        if form not in ("slice", "tree", "model", "detach"):
            raise BadInput(f"{form!a} is no form of a rollback", hint="slice, tree, model or detach")
        wanted = Version.parse(version) if version is not None else None
        with self._project() as project:
            if stage is not None:
                return rollback_stage(
                    project, name, stage, wanted, reason=reason, push=push, offline=offline, dry_run=dry_run
                )
            request = RollbackRequest(
                name=name,
                version=wanted,
                form=form,
                reason=reason,
                branch=branch,
                include_shared=include_shared,
                push=push,
                dry_run=dry_run,
            )
            return rollback(project, request)

    def undo_rollback(self, *, dry_run: bool = False) -> RolledBack:
        """Go back to where the last rollback started.  Raises `Refused` when something has moved since."""
        with self._project() as project:
            return undo(project, dry_run=dry_run)

    def withdraw(self, reference: str, *, message: str = "", **options: bool) -> Outcome:
        """Empty `NAME#STAGE`, or withdraw `NAME@V` for ever (needs a message; does not ask)."""
        return self._write(withdraw, reference, message=message, confirm=lambda question: None, **options)

    def retire(self, name: str, *, message: str = "", **options: bool) -> Outcome:
        """Close a model until `release --unretire`."""
        return self._write(retire, name, message=message, **options)

    def push(self, name: str | None = None, **options: bool) -> Outcome:
        """Publish what the remote lacks, of one model or of all.  Options: `renumber`, `dry_run`."""
        return self._write(push_tags, name, **options)

    def _write(self, act: Callable[..., Outcome], *args: Any, **options: Any) -> Outcome:
        with self._project() as project:
            return act(project, *args, **options)
