"""Let DVC's own code talk to remotes.  The one module that imports dvc, and only inside functions."""

from __future__ import annotations

import contextlib
import errno
import logging
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from dvc_modelver.core.progress import Progress, no_progress
from dvc_modelver.dvcio.cache import Cache
from dvc_modelver.dvcio.config import Remote, redact_text
from dvc_modelver.dvcio.hashing import LEGACY_MD5
from dvc_modelver.dvcio.listing import ObjectId
from dvc_modelver.dvcio.transfer import Wanted
from dvc_modelver.errors import EnvironmentProblem, ModelverError


def fetch(remote: Remote, wanted: Sequence[Wanted], into: Path, *, progress: Progress = no_progress) -> None:
    """Download objects into the directory `into`, each under its `oid.file_name`; what the remote lacks is left out.

    Nothing is verified here.

    Raises:
        EnvironmentProblem: the remote cannot be reached or refuses.
    """
    with _dvc(remote) as door:
        door.get(wanted, into, progress)


def send(remote: Remote, wanted: Sequence[Wanted], cache: Cache, *, progress: Progress = no_progress) -> None:
    """Upload objects that lie in `cache`; nothing is verified here, and nothing asked back.

    Raises:
        EnvironmentProblem: as `fetch`.
    """
    if wanted:
        with _dvc(remote) as door:
            door.put(wanted, cache, progress)


def present(remote: Remote, oids: Sequence[ObjectId]) -> set[ObjectId]:
    """Those of `oids` that the remote has.

    Raises:
        EnvironmentProblem: as `fetch`.
    """
    with _dvc(remote) as door:
        return door.present(oids)


class _Remote:
    """One remote through dvc's file systems; errors are whatever they raise."""

    def __init__(self, remote: Remote) -> None:
        from dvc.fs import get_cloud_fs

        config = {"core": {}, "remote": {remote.name: dict(remote.settings)}}
        cls, settings, self._base = get_cloud_fs(config, name=remote.name)
        if cls.protocol == "local":
            raise EnvironmentProblem(f"the URL {remote.shown} of the DVC remote {remote.name!r} is not supported")
        if settings.get("worktree") or settings.get("version_aware"):
            raise EnvironmentProblem(f"the DVC remote {remote.name!r} is cloud versioned, which keeps no objects")
        self._settings = settings
        self._fs: Any = cls(**settings)

    def _store(self, *, legacy: bool) -> Any:
        from dvc_data.hashfile import db

        get_odb: Any = db.get_odb
        if legacy:
            return get_odb(self._fs, self._base, **{**self._settings, "hash_name": LEGACY_MD5})
        base = self._fs.join(self._base, "files", "md5")
        return get_odb(self._fs, base, **{**self._settings, "hash_name": "md5", "verify": False})

    def present(self, oids: Sequence[ObjectId]) -> set[ObjectId]:
        """Those of `oids` that the remote has."""
        there: set[ObjectId] = set()
        for legacy in (False, True):
            some = {oid.value: oid for oid in oids if oid.legacy == legacy}
            if some:
                there.update(some[value] for value in self._store(legacy=legacy).oids_exist(list(some)))
        return there

    def get(self, wanted: Sequence[Wanted], into: Path, progress: Progress) -> None:
        """Download; a missing object leaves no file."""
        total, done, lock = len(wanted), 0, threading.Lock()

        def get_one(row: Wanted) -> None:
            nonlocal done
            target = into / row.oid.file_name
            try:
                self._fs.get_file(self._store(legacy=row.oid.legacy).oid_to_path(row.oid.value), str(target))
            except FileNotFoundError:
                target.unlink(missing_ok=True)
            with lock:
                done += 1
                progress(done, total, row.path)

        with ThreadPoolExecutor(max(1, min(self._fs.jobs, total))) as pool:
            running = [pool.submit(get_one, row) for row in wanted]
            try:
                for job in running:
                    job.result()
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def put(self, wanted: Sequence[Wanted], own: Cache, progress: Progress) -> None:
        """Upload; the first failure is raised."""
        from dvc.fs import localfs

        failures: list[BaseException] = []
        for legacy in (False, True):
            rows = [row for row in wanted if row.oid.legacy == legacy]
            if rows:
                places = [str(own.path(row.oid)) for row in rows]
                self._store(legacy=legacy).add(
                    places,
                    localfs,
                    [row.oid.value for row in rows],
                    check_exists=False,
                    batch_size=self._fs.jobs,
                    on_error=lambda _oid, error: failures.append(error),
                )
                progress(len(rows), len(rows), rows[-1].path)
        if failures:
            raise failures[0]


@contextlib.contextmanager
def _dvc(remote: Remote) -> Iterator[_Remote]:
    """A remote opened by dvc, silent, whose errors are ours."""
    with _silence():
        try:
            yield _Remote(remote)
        except ModelverError:
            raise
        except ImportError as error:
            scheme = remote.url.partition("://")[0]
            hint = f"pip install 'dvc[{scheme}]'"
            raise EnvironmentProblem(f"DVC cannot open {scheme}:// here: {_words(error)}", hint=hint) from None
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise _failed(remote, error) from None
        except Exception as error:  # every cloud library has its own errors, most of them bare Exceptions
            raise _failed(remote, error) from None


def _failed(remote: Remote, error: Exception) -> EnvironmentProblem:
    message = f"the DVC remote {remote.name!r} ({remote.shown}) failed: {_words(error)}"
    return EnvironmentProblem(message, hint="check the network and your credentials, then try again")


def _words(error: BaseException) -> str:
    """An error's first line, without secrets."""
    lines = redact_text(str(error)).strip().splitlines()
    return (lines[0] if lines else type(error).__name__)[:300]


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Keep dvc's loggers off the terminal: what they would say, our errors say."""
    loggers = [logging.getLogger(name) for name in ("dvc", "dvc_data", "dvc_objects", "asyncio", "aiohttp")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
