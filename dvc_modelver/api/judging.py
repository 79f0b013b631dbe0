"""Whether a model or a table is good enough: gates, validations, guards, and experiments beside the versions."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TypeAlias

from dvc_modelver.api.base import Base
from dvc_modelver.api.frames import framed
from dvc_modelver.api.verdicts import FramedExperiments, FramedGate, FramedGuard, FramedValidation
from dvc_modelver.commands.experiments import list_experiments
from dvc_modelver.commands.gating.gate import GateRequest, Refreshed, gate, update_reference
from dvc_modelver.commands.guarding.guard import GuardRequest, guard
from dvc_modelver.commands.pipelines.validate import Profiled, ValidateRequest, validate, write_profile
from dvc_modelver.errors import BadInput

FilePath: TypeAlias = "str | os.PathLike[str]"
"""As seen from the directory that the repository was opened in."""


class Judging(Base):
    """Verdicts: `.ok`, and a pandas frame of what they stand on."""

    def gate(
        self,
        model: str,
        *,
        rev: str | None = None,
        exp: str | None = None,
        against: str | None = None,
        policy: FilePath | None = None,
        reference: FilePath | None = None,
    ) -> FramedGate:
        """Judge a model's metrics by a policy, and beside a version or what a stage holds.

        Args:
            model: a model, as the work tree's files have it; `NAME@V` or `NAME#STAGE`.
            rev: judge this commit or branch instead.
            exp: judge this DVC experiment instead.
            against: what to compare with; by default the policy's, else what `prod` holds, else the latest version.
            policy: a file of rules; by default `gate:` of the configuration.
            reference: a file that `update_reference` wrote: what to compare with.

        Raises `BadInput` for a policy or file that cannot be read, `NotFound`, `DataError` for metrics that are
        neither in DVC's cache nor in the remote.
        """
        with self._project() as project:
            request = GateRequest(
                model=model, rev=rev, exp=exp, against=against, policy=_text(policy), reference=_text(reference)
            )
            return framed(FramedGate, gate(project, request))

    def update_reference(
        self,
        model: str,
        *,
        against: str | None = None,
        policy: FilePath | None = None,
        reference: FilePath | None = None,
        dry_run: bool = False,
    ) -> Refreshed:
        """Write what a model is compared with to the file that `gate` reads inside a pipeline stage.

        Raises as `gate` does.
        """
        with self._project() as project:
            request = GateRequest(model=model, against=against, policy=_text(policy), reference=_text(reference))
            return update_reference(project, request, dry_run=dry_run)

    def validate(
        self,
        file: FilePath,
        *,
        against: str | None = None,
        data: str | None = None,
        profile: FilePath | None = None,
        policy: FilePath | None = None,
        train: FilePath | None = None,
        id: Sequence[str] = (),
    ) -> FramedValidation:
        """Check a table against a profile, rules, or the training's table.

        Args:
            against: a version or what a stage holds, whose table the profile is made of.
            data: that table's path from the repository's root, when it is not `file`'s own.
            profile: a file that `write_profile` wrote.
            policy: a file of rules.
            train: the training's table, of which no row may come again.
            id: the columns that name a row.

        Raises `BadInput` for a file that cannot be read or when there is nothing to check, `NotFound`, `DataError`.
        """
        request = ValidateRequest(
            file=os.fspath(file),
            against=against,
            data=data,
            profile=_text(profile),
            policy=_text(policy),
            train=_text(train),
            id=tuple(id),
        )
        return framed(FramedValidation, validate(self._around, request))

    def write_profile(self, file: FilePath, target: FilePath, *, dry_run: bool = False) -> Profiled:
        """Write the profile of a table; rules that people wrote into the file stay.  Raises `BadInput`."""
        return write_profile(self._around, os.fspath(file), os.fspath(target), dry_run=dry_run)

    def guard(
        self,
        model: str,
        stage: str,
        metrics: FilePath | Sequence[FilePath],
        *,
        rollback: bool = False,
        push: bool = False,
        offline: bool = False,
        dry_run: bool = False,
    ) -> FramedGuard:
        """Judge what production reports of a stage's version; with `rollback` take at most one step back.

        Args:
            metrics: files of metrics, or of labelled predictions; several in time order.
            push: publish the rollback; goes with `rollback`.
            offline: ask no Git remote.

        Raises `NotFound` for an unknown or empty stage, `BadInput` for a report that tells too little, `DataError`,
        `Conflict` when the stage moved meanwhile.
        """
        if push and not rollback:
            raise BadInput("push goes with rollback: without it nothing is made", hint="rollback=True")
        files = [metrics] if isinstance(metrics, (str, os.PathLike)) else metrics
        with self._project() as project:
            request = GuardRequest(
                name=model,
                stage=stage,
                metrics=tuple(os.fspath(file) for file in files),
                rollback=rollback,
                push=push,
                offline=offline,
                dry_run=dry_run,
            )
            return framed(FramedGuard, guard(project, request))

    def experiments(self, model: str | None = None) -> FramedExperiments:
        """DVC experiments beside the latest and the production version, and which would pass the gate.

        Raises `NotFound` for an unknown model.
        """
        with self._project() as project:
            return framed(FramedExperiments, list_experiments(project, model))


def _text(path: FilePath | None) -> str | None:
    return None if path is None else os.fspath(path)
