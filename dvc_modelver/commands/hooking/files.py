"""The files that stand for one hook in a directory of hooks, and whose each is."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from dvc_modelver.commands.hooking.scripts import EDITED, KEPT, LEGACY, Kind, kind_of
from dvc_modelver.errors import EnvironmentProblem

_MAX_SCRIPT = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class HookFiles:
    """One hook's files, as they are now."""

    name: str
    top: Path
    """What git runs."""
    legacy: Path
    """What pre-commit runs when its own file is on top."""
    kept: Path
    """What ours runs first."""
    edited: Path
    """Where a file of ours goes that somebody has changed."""
    top_kind: Kind | None
    """None where there is no file."""
    legacy_kind: Kind | None

    @property
    def spot(self) -> Path:
        """Where ours is, or belongs."""
        return self.legacy if self.top_kind is Kind.PRE_COMMIT else self.top

    @property
    def spot_kind(self) -> Kind | None:
        return self.legacy_kind if self.top_kind is Kind.PRE_COMMIT else self.top_kind

    @property
    def is_ours(self) -> bool:
        return self.spot_kind in (Kind.OURS, Kind.EDITED)


def read_hook_files(directory: Path, name: str) -> HookFiles:
    """Look at the files of the hook `name` in `directory`."""
    top, legacy = directory / name, directory / f"{name}{LEGACY}"
    return HookFiles(
        name=name,
        top=top,
        legacy=legacy,
        kept=directory / f"{name}{KEPT}",
        edited=directory / f"{name}{EDITED}",
        top_kind=_kind(name, top),
        legacy_kind=_kind(name, legacy),
    )


def _kind(name: str, path: Path) -> Kind | None:
    if not os.path.lexists(path):
        return None
    text = read_script(path)
    # A link is somebody's own, whatever it leads to: replacing it would not be taking our file away.
    found = kind_of(name, text)
    return Kind.OTHER if path.is_symlink() and found in (Kind.OURS, Kind.EDITED) else found


def read_script(path: Path) -> bytes:
    """The beginning of a hook file; empty for a directory, a pipe or device, and a broken link."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # a pipe would never end
            return b""
        with open(path, "rb") as file:
            return file.read(_MAX_SCRIPT)
    except (FileNotFoundError, IsADirectoryError):
        return b""
    except OSError as error:
        if error.errno == errno.ELOOP:
            return b""
        raise EnvironmentProblem(f"cannot read {path}: {error.strerror}", hint="check who may read it") from error
