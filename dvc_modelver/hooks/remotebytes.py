"""Whether the DVC remotes have the bytes of versions: each object is asked for once, however many versions name it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dvc_modelver.core.facts import Output
from dvc_modelver.dvcio.cache import Cache, ObjectId, output_id
from dvc_modelver.dvcio.config import DvcConfig, Remote, read_dvc_config
from dvc_modelver.errors import DataError, EnvironmentProblem, ModelverError


@dataclass(frozen=True, slots=True)
class Absence:
    """Why an output cannot be fetched by others, and what makes that well."""

    problem: str
    remedy: str
    uploads: bool = False
    """Whether this clone could upload it."""


@dataclass(slots=True)
class RemoteBytes:
    """Answers for the outputs of one repository."""

    root: Path
    """Of the work tree."""
    env: Mapping[str, str]
    _configs: dict[str, DvcConfig] = field(default_factory=dict)

    def absences(self, outputs: Iterable[Output]) -> dict[Output, Absence]:
        """Those that their remote lacks, or that cannot be asked for."""
        found: dict[Output, Absence] = {}
        groups: dict[tuple[str, str | None], list[Output]] = {}
        for output in dict.fromkeys(outputs):
            groups.setdefault((output.root, output.remote), []).append(output)
        for (where, name), rows in groups.items():
            try:
                found.update(self._group(self._config(where), name, rows))
            except ModelverError as error:
                hint = error.hint or "check the DVC remote"
                found.update(dict.fromkeys(rows, Absence(error.message, hint)))
        return found

    def _config(self, where: str) -> DvcConfig:
        if not (self.root / where / ".dvc").is_dir():
            place = f"{where}/.dvc" if where else ".dvc"
            hint = "push from a branch, or a sparse checkout, that has it"
            raise EnvironmentProblem(f"no {place} is checked out to name the DVC remote", hint=hint)
        if where not in self._configs:
            self._configs[where] = read_dvc_config(self.root / where / ".dvc", env=self.env)
        return self._configs[where]

    def _group(self, config: DvcConfig, name: str | None, rows: list[Output]) -> Iterator[tuple[Output, Absence]]:
        remote = config.remote(name)
        if remote.directory is not None and not remote.directory.is_dir():
            problem = f"the DVC remote {remote.name} has no directory {remote.shown}"
            gone = Absence(problem, "mount its disk; dvc push makes a new one", uploads=True)
            yield from ((output, gone) for output in rows)
            return
        wanted = {output: self._objects(config, remote, output) for output in rows}
        there = _present(remote, Cache(config.cache_dir), {oid for oids in wanted.values() for oid in oids})
        for output, oids in wanted.items():
            lacking = [oid for oid in oids if oid not in there]
            if lacking:
                count = f" ({len(lacking)} of {len(oids)} objects)" if len(oids) > 1 else ""
                problem = f"{output.path} is not in the DVC remote {remote.name}{count}"
                yield output, Absence(problem, "dvc push, or hooks.push: true in .modelver.yaml", uploads=True)

    def _objects(self, config: DvcConfig, remote: Remote, output: Output) -> tuple[ObjectId, ...]:
        """The object, and of a directory every file whose listing is at hand."""
        oid = output_id(output)
        also = (remote.directory,) if remote.directory is not None else ()
        try:
            return tuple(Cache(config.cache_dir, also=also).objects(oid))
        except DataError:
            # DVC uploads the listing last: a remote that has it has had all that it names.
            return (oid,)


def _present(remote: Remote, own: Cache, wanted: Iterable[ObjectId]) -> set[ObjectId]:
    if remote.directory is None:
        from dvc_modelver.dvcio import act

        return act.present(remote, sorted(wanted, key=str))
    store = Cache(remote.directory)
    return {oid for oid in wanted if _is_whole(oid, store, own)}


def _is_whole(oid: ObjectId, store: Cache, own: Cache) -> bool:
    """Whether a directory of objects has it; one of another size than ours is half a copy."""
    there, here = store.find(oid), own.find(oid)
    return there is not None and (here is None or there.stat().st_size == here.stat().st_size)
