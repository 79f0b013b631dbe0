"""Whether what is there is sound: verification, rebuilds, cards, and everything that is wrong."""

from __future__ import annotations

import os
from pathlib import Path

from dvc_modelver.api.base import Base
from dvc_modelver.api.frames import FramedReproduction, framed
from dvc_modelver.api.rows import Rows
from dvc_modelver.commands.cards.check import CardReport, check_cards
from dvc_modelver.commands.doctor import Diagnosis, diagnose
from dvc_modelver.commands.reproduction.plan import Plan
from dvc_modelver.commands.reproduction.reproduce import ReproduceRequest, reproduce
from dvc_modelver.commands.verification.gc import GcPlan, plan_gc
from dvc_modelver.commands.verification.verify import Options, verify
from dvc_modelver.core.verification import Verified
from dvc_modelver.errors import BadInput, Refused


class Checking(Base):
    """Answers that say yes or no, and why."""

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

    def gc(self, keep: str = "all", *, remote: bool = False) -> GcPlan:
        """Which versions each usual `dvc gc` would take bytes from, and the command line that keeps them; runs none.

        Args:
            keep: which versions must lose nothing: `all`, `staged` (that hold or held a stage), `since:DATE`.
            remote: also what `--cloud` would take from the DVC remotes.

        Raises `BadInput` for another policy, `EnvironmentProblem` when a remote cannot be asked.
        """
        with self._project() as project:
            return plan_gc(project, keep, remote=remote)

    def reproduce(
        self,
        reference: str,
        *,
        tolerance: float = 0.0,
        keep: str | os.PathLike[str] | None = None,
        note: bool = True,
        yes: bool = False,
        dry_run: bool = False,
    ) -> FramedReproduction:
        """Rebuild a version in a temporary worktree and compare; `.to_frame()` has a row for each difference.

        Args:
            tolerance: how far a metric may be from the recorded one, as a share of it (0.01 is one percent).
            keep: a directory that is not there yet, for the rebuilt outputs.
            note: record the proof on the version.
            yes: the repository's own commands may be run; nothing asks.
            dry_run: only say what would run, and what it reads.

        Raises:
            Refused: without `yes` or `dry_run`; or a stage writes outside of the repository.
            NotFound: there is no such version, or it has no pipeline.
            DataError: inputs are missing or corrupt.
            Conflict: `keep` is there already.
        """
        if not 0 <= tolerance < float("inf"):
            raise BadInput(f"{tolerance!r} is no tolerance", hint="for example 0.01, which is one percent")

        def confirm(plan: Plan) -> None:
            if not yes:
                raise Refused("reproduce runs the repository's own commands", hint="pass yes=True, or dry_run=True")

        place = Path(keep).absolute() if keep is not None else None
        with self._project() as project:
            request = ReproduceRequest(reference=reference, tolerance=tolerance, keep=place, note=note, dry_run=dry_run)
            return framed(FramedReproduction, reproduce(project, request, confirm))

    def doctor(self, *, recover: bool = False, dry_run: bool = False) -> Diagnosis:
        """Everything that is wrong with the repository's versions.

        Args:
            recover: first finish or undo what a killed command left.
            dry_run: only say what `recover` would do.
        """
        if dry_run and not recover:
            raise BadInput("dry_run goes with recover: doctor alone changes nothing", hint="recover=True")
        with self._project() as project:
            return diagnose(project, recover=recover, dry_run=dry_run)

    def check_cards(self, *names: str, stage: str | None = None) -> tuple[CardReport, ...]:
        """What is wrong with the cards of the work tree, of all models by default.

        Args:
            stage: also ask for the sections that this stage needs.
        """
        with self._project() as project:
            return check_cards(project, names, stage=stage)
