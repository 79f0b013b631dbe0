"""Releasing, stages, rollback and publishing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dvc_modelver.api.base import Base
from dvc_modelver.commands.candidates import ReleaseRequest
from dvc_modelver.commands.cards.update import update_cards
from dvc_modelver.commands.promote import promote
from dvc_modelver.commands.publishing import Outcome
from dvc_modelver.commands.push import push_tags
from dvc_modelver.commands.release import release
from dvc_modelver.commands.restoration.rollback import RollbackRequest, RolledBack, rollback, rollback_stage, undo
from dvc_modelver.commands.withdraw import retire, withdraw
from dvc_modelver.core.releases import ReleaseOptions
from dvc_modelver.core.versions import Bump, Version
from dvc_modelver.errors import BadInput


class Writing(Base):
    """What changes refs, files or a remote; each says what it did, and with `dry_run` what it would do."""

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

    def undo_rollback(self, *, reason: str = "", push: bool = False, dry_run: bool = False) -> RolledBack:
        """Go back to where the last rollback started.  Raises `Refused` when something has moved since."""
        with self._project() as project:
            return undo(project, reason=reason, push=push, dry_run=dry_run)

    def withdraw(self, reference: str, *, message: str = "", **options: bool) -> Outcome:
        """Empty `NAME#STAGE`, or withdraw `NAME@V` for ever (needs a message; does not ask)."""
        return self._write(withdraw, reference, message=message, confirm=lambda question: None, **options)

    def retire(self, name: str, *, message: str = "", **options: bool) -> Outcome:
        """Close a model until `release --unretire`."""
        return self._write(retire, name, message=message, **options)

    def push(self, name: str | None = None, **options: bool) -> Outcome:
        """Publish what the remote lacks, of one model or of all, and exchange notes.

        Options: `renumber`, `dry_run`.  Raises `Conflict`, `EnvironmentProblem`.
        """
        return self._write(push_tags, name, **options)

    def _write(self, act: Callable[..., Outcome], *args: Any, **options: Any) -> Outcome:
        with self._project() as project:
            return act(project, *args, **options)
