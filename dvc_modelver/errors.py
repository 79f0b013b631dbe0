"""Everything that can go wrong, each with its exit code and the next step."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What a command's exit status means to a script."""

    OK = 0
    CHECK_FAILED = 1
    BAD_INPUT = 2
    REFUSED = 3
    CONFLICT = 4
    DATA = 5
    ENVIRONMENT = 6
    NOT_FOUND = 7
    BUG = 70
    INTERRUPTED = 130


class ModelverError(Exception):
    """A failure that a user can act on.

    Args:
        message: the fact, one line, without a final full stop.
        hint: the next step, one line; empty when there is none.
    """

    code: ExitCode = ExitCode.BUG
    kind: str = "bug"

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class CheckFailed(ModelverError):
    """A check was made, and its answer is no."""

    code, kind = ExitCode.CHECK_FAILED, "check-failed"


class BadInput(ModelverError):
    """A name, version, option or file that cannot be read as what it should be."""

    code, kind = ExitCode.BAD_INPUT, "bad-input"


class Refused(ModelverError):
    """Going on would lose work or break a promise."""

    code, kind = ExitCode.REFUSED, "refused"


class Conflict(ModelverError):
    """Someone else was first, or it exists with other content."""

    code, kind = ExitCode.CONFLICT, "conflict"


class DataError(ModelverError):
    """Bytes that are needed are missing or corrupt."""

    code, kind = ExitCode.DATA, "data"


class EnvironmentProblem(ModelverError):
    """The repository, machine or server does not allow it."""

    code, kind = ExitCode.ENVIRONMENT, "environment"


class NotFound(ModelverError):
    """No such model, version or stage, or the stage is empty."""

    code, kind = ExitCode.NOT_FOUND, "not-found"
