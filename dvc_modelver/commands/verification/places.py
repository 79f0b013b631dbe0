"""Where a version's bytes should be: Git, DVC's cache, and the DVC remote."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from dvc_modelver.commands.project import Project
from dvc_modelver.commands.verification.bytes import Hasher, Target, look_at
from dvc_modelver.core.facts import ArtifactFacts, Output
from dvc_modelver.core.records import Record, manifest_digest
from dvc_modelver.core.trees import Tree
from dvc_modelver.core.verification import Fault, Look
from dvc_modelver.dvcio.cache import Cache, output_id
from dvc_modelver.dvcio.config import DvcConfig, Remote, read_dvc_config
from dvc_modelver.dvcio.content import FILE, select
from dvc_modelver.dvcio.listing import ListedFile, ObjectId
from dvc_modelver.errors import DataError, ModelverError


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Files of a version that a remote has to be asked for."""

    remote: Remote
    shown: tuple[tuple[ObjectId, str], ...]
    """Every object with the path that people know it by."""


_DOWNLOADS = 16
"""Objects that lie in scratch at a time."""
Found = Target | Asked | Look
"""Files to hash, objects to ask for, or an answer."""


class Places:
    """Finds the files of versions; what many versions share is read once.

    Args:
        download: hash the bytes of remotes that are no directory, instead of asking for their presence alone.
    """

    def __init__(self, project: Project, *, download: bool = False) -> None:
        self._project = project
        self._download = download
        self._altered: dict[tuple[str, ObjectId], str] = {}
        self._configs: dict[str, DvcConfig] = {}
        self._listings: dict[tuple[Cache, ObjectId], tuple[ListedFile, ...]] = {}
        self._present: dict[str, set[ObjectId] | Fault] = {}
        self._files: dict[str, set[ObjectId]] = {}

    # Git and the cache ------------------------------------------------------------------------------------------

    def here(self, commit: str, facts: ArtifactFacts, record: Record | None) -> Found:
        """What this machine should have of the version."""
        try:
            if not facts.in_cache or facts.output is None:
                return self._in_git(self._project.tree(commit), facts, record)
            oid = output_id(facts.output)
        except DataError as error:
            return Look(note=f"cannot be verified: {error.message}")
        except ModelverError as error:
            return Look(problem=Fault(error.message, error.hint))
        if self._project.repository.bare:
            return Look(note="a bare repository has no cache: --remote looks into the DVC remote")
        return self._target(facts, facts.output, oid, record, Cache(self._config(facts.output.root).cache_dir))

    def _in_git(self, tree: Tree, facts: ArtifactFacts, record: Record | None) -> Look:
        # Imported here: few artifacts are in Git, and this brings the fetching code with it (10 ms).
        from dvc_modelver.commands.evidence import find_bytes

        pieces = find_bytes(self._project, tree, facts)
        rows = [(p.path, p.source) for p in pieces.files if isinstance(p.source, bytes)]
        hashes = [(path, len(data), hashlib.sha256(data).hexdigest()) for path, data in rows]
        found = hashes[0][2] if pieces.kind == FILE else manifest_digest(hashes)
        bad: tuple[str, ...] = ()
        if record is not None and record.sha256 not in (None, found):
            bad = (f"{facts.path} (in Git, but not as the record's sha256 says)",)
        elif pieces.kind == FILE and facts.digest is not None:
            md5 = hashlib.md5(rows[0][1], usedforsecurity=False).hexdigest()
            bad = () if facts.digest == f"md5:{md5}" else (f"{facts.path} (in Git, but not as dvc.lock says)",)
        return Look(files=len(rows), size=sum(size for _, size, _ in hashes), bad=bad)

    def _target(
        self, facts: ArtifactFacts, output: Output, oid: ObjectId, record: Record | None, cache: Cache
    ) -> Target | Look:
        if oid.directory and not cache.exists(oid):
            return Look(files=facts.files or 1, missing=(f"{output.path} (the listing of its files)",))
        try:
            kind, files = self._select(facts, output, oid, cache)
        except ModelverError as error:
            place = cache.find(oid)
            places = (str(place),) if place is not None else ()
            return Look(bad=(f"{output.path} (the listing of its files: {error.message})",), places=places)
        rows = tuple((file, cache.find(file.oid)) for file in files)
        return Target(kind=kind, path=facts.path or output.path, files=rows, record=record)

    def _select(
        self, facts: ArtifactFacts, output: Output, oid: ObjectId, cache: Cache
    ) -> tuple[str, Sequence[ListedFile]]:
        if not oid.directory:
            return FILE, [ListedFile(PurePosixPath(facts.path or output.path).name, oid)]
        key = (cache, oid)
        if key not in self._listings:
            self._listings[key] = cache.read_listing(oid)
        kind, files = select(self._listings[key], facts.inside)
        if facts.inside and not files:
            raise DataError(f"holds no {facts.inside}")
        return kind, files

    def _config(self, root: str) -> DvcConfig:
        if root not in self._configs:
            place = self._project.data_root / root / ".dvc"
            self._configs[root] = read_dvc_config(place, env=self._project.around.env)
        return self._configs[root]

    # The remote -------------------------------------------------------------------------------------------------

    def there(self, facts: ArtifactFacts, record: Record | None) -> Found:
        """What the DVC remote should have of the version."""
        if not facts.in_cache or facts.output is None:
            return Look(note="DVC keeps no bytes of it in a remote")
        if not facts.output.pushed:
            return Look(note="push: false: DVC keeps no bytes of it in a remote")
        try:
            oid = output_id(facts.output)
        except DataError as error:
            return Look(note=f"cannot be verified: {error.message}")
        except ModelverError as error:
            return Look(problem=Fault(error.message, error.hint))
        try:
            remote = self._config(facts.output.root).remote(facts.output.remote)
            if remote.directory is not None:
                return self._target(facts, facts.output, oid, record, Cache(remote.directory))
            return self._asked(facts, facts.output, oid, remote)
        except ModelverError as error:
            return Look(problem=Fault(error.message, error.hint))

    def _asked(self, facts: ArtifactFacts, output: Output, oid: ObjectId, remote: Remote) -> Asked | Look:
        wanted = [(oid, output.path)]
        if oid.directory:
            cache = Cache(self._config(output.root).cache_dir, also=(self._project.scratch,))
            if not cache.exists(oid) and not self._fetch_listing(remote, oid, output.path):
                return Look(files=facts.files or 1, missing=(f"{output.path} (the listing of its files)",))
            _, files = self._select(facts, output, oid, cache)
            wanted += [(file.oid, f"{facts.path}/{file.relpath}") for file in files]
        self._files.setdefault(remote.url, set()).update(oid for oid, _ in wanted)
        return Asked(remote=remote, shown=tuple(wanted))

    def _fetch_listing(self, remote: Remote, oid: ObjectId, path: str) -> bool:
        """Bring a listing that only the remote has where a cache would have it; whether it is there now."""
        from dvc_modelver.dvcio import act
        from dvc_modelver.dvcio.transfer import Wanted

        scratch = self._project.scratch
        act.fetch(remote, [Wanted(oid, path)], scratch)
        place = Cache(scratch).path(oid)
        if not (scratch / oid.file_name).is_file():
            return False
        place.parent.mkdir(parents=True, exist_ok=True)
        (scratch / oid.file_name).replace(place)
        return True

    def answer(self, found: Found, hasher: Hasher) -> Look:
        """What was found, once all files are hashed."""
        if isinstance(found, Look):
            return found
        if isinstance(found, Target):
            return look_at(found, hasher)
        there = self._ask(found.remote)
        if isinstance(there, Fault):
            return Look(problem=there)
        url = found.remote.url
        return Look(
            files=len([oid for oid, _ in found.shown if not oid.directory]),
            missing=tuple(path for oid, path in found.shown if oid not in there),
            bad=tuple(f"{path} ({how})" for oid, path in found.shown if (how := self._altered.get((url, oid)))),
            hashed=self._download,
        )

    def _ask(self, remote: Remote) -> set[ObjectId] | Fault:
        """Which of the objects of all versions a remote has: asked once."""
        if remote.url not in self._present:
            from dvc_modelver.dvcio import act

            try:
                wanted = sorted(self._files[remote.url], key=str)
                there = act.present(remote, wanted)
                if self._download:
                    there = self._hash_there(remote, sorted(there, key=str))
                self._present[remote.url] = there
            except ModelverError as error:
                self._present[remote.url] = Fault(error.message, error.hint)
        return self._present[remote.url]

    def _hash_there(self, remote: Remote, oids: Sequence[ObjectId]) -> set[ObjectId]:
        """Download a few at a time, hash, and keep nothing; those that came, `_altered` has what is wrong with them."""
        from dvc_modelver.dvcio import act
        from dvc_modelver.dvcio.hashing import hash_source
        from dvc_modelver.dvcio.transfer import Wanted

        folder = self._project.scratch / "downloaded"
        folder.mkdir(exist_ok=True)
        came: set[ObjectId] = set()
        for start in range(0, len(oids), _DOWNLOADS):
            some = oids[start : start + _DOWNLOADS]
            act.fetch(remote, [Wanted(oid, str(oid)) for oid in some], folder, progress=self._project.around.progress)
            for oid in some:
                place = folder / oid.file_name
                if not place.is_file():
                    continue
                digests, _ = hash_source(place, (oid.hash_name,))
                came.add(oid)
                if digests[oid.hash_name] != oid.hex:
                    self._altered[remote.url, oid] = f"altered, md5 {digests[oid.hash_name]}"
                place.unlink()
        return came


def bring_back(reference: str) -> str:
    """How bytes that are missing here come back."""
    return f"modelver get {reference} -o PATH fetches and checks them, as dvc fetch would without checking"


def removal(look: Look, reference: str) -> str:
    """How bytes that are altered here are replaced."""
    places = " ".join(shlex.quote(place) for place in look.places[:3])
    return f"rm -f {places} && modelver get {reference} -o PATH" if places else "do not use it; ask who made it"
