"""`validate`: is a table like the one that a model was made with?

With a profile in a file it needs no repository and calls nothing that DVC locks: it works inside a pipeline stage.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from dvc_modelver.commands.child import run_child
from dvc_modelver.commands.gating.files import refuse_other
from dvc_modelver.commands.gating.policy import SUFFIXES, read_file
from dvc_modelver.commands.pipelines.reference import Reference, find_reference
from dvc_modelver.commands.project import Project, Surroundings
from dvc_modelver.core.progress import Progress
from dvc_modelver.core.secrets import redact_text
from dvc_modelver.core.tables import TableProfile
from dvc_modelver.core.validation import Count, Finding, Profile, Rules, Seen, expectations, judge, passed
from dvc_modelver.core.validationrules import parse_profile, parse_rules, profile_document
from dvc_modelver.errors import BadInput, Refused
from dvc_modelver.gitio.commits import write_file

if TYPE_CHECKING:
    from dvc_modelver.dvcio.rowhashes import RowHashes
    from dvc_modelver.dvcio.tablerows import Block

SCHEMA = 1
MAX_DISTINCT_TOGETHER = 500_000
"""Different values that a profile counts in all columns together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidateRequest:
    """What the user asked for; paths are as seen from the directory that the command works in."""

    file: str
    against: str | None = None
    """A version or what a stage holds."""
    data: str | None = None
    """The version's table, when its path is another; from the repository's root."""
    profile: str | None = None
    policy: str | None = None
    train: str | None = None
    id: tuple[str, ...] = ()
    out: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Validated:
    """A table's verdict."""

    file: str | None
    """None: another checker was asked."""
    against: str | None
    rows: int | None
    findings: tuple[Finding, ...]
    notes: tuple[str, ...] = ()
    command: tuple[str, ...] | None = None

    @property
    def ok(self) -> bool:
        return passed(self.findings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Profiled:
    """The profile that was written, or would be."""

    file: str
    target: str
    profile: Profile
    changed: bool
    dry_run: bool


def validate(around: Surroundings, request: ValidateRequest) -> Validated:
    """Check a table, and write the verdict to `request.out`.

    Raises:
        BadInput: the table, the profile or the policy cannot be read as what it is, or there is nothing to check.
        NotFound: no such version or stage.
        DataError: the version's table is not on this machine.
        Refused: `--against` inside a pipeline stage.
        Conflict: `request.out` is there, and no verdict.
    """
    out = _answer(around, request.out, request)
    reference = _reference(around, request)
    policy = _policy(around, request)
    rules = parse_rules(reference.ref or "the profile", reference.rules, "rules.")
    rules = parse_rules(request.policy or "the policy", policy, base=rules)
    if request.id:
        rules = replace(rules, id=request.id)
    if reference.profile is None and not policy and request.train is None and not rules.id:
        raise BadInput(
            f"there is nothing to check {request.file} against",
            hint="--profile FILE, --against NAME@V or --train FILE; --write-profile FILE makes a profile",
        )
    seen, notes = _read(around, request, reference.profile, rules)
    found = Validated(
        file=request.file,
        against=reference.ref,
        rows=seen.rows,
        findings=judge(reference.profile, rules, seen),
        notes=(*reference.notes, *notes),
    )
    if out is not None:
        write_file(out, _file(found))
    return found


def write_profile(around: Surroundings, file: str, target: str, *, dry_run: bool = False) -> Profiled:
    """Write the profile of a table to a file; `rules` that people wrote into it stay.

    Raises `BadInput` when the table cannot be read, or the file is there and no profile.
    """
    place = _target(around, target, ValidateRequest(file=file))
    assert place is not None
    rules: Mapping[str, object] = {}
    if place.exists():
        rules = read_profile_file(around, target)[1]
    profile = profile_of(around.directory / file, file, around.progress)
    text = json.dumps(profile_document(profile, rules), indent=2, ensure_ascii=True) + "\n"
    changed = not place.exists() or place.read_bytes() != text.encode()
    if changed and not dry_run:
        write_file(place, text.encode("ascii"))
    return Profiled(file=file, target=target, profile=profile, changed=changed, dry_run=dry_run)


def check_by_command(around: Surroundings, words: tuple[str, ...], out: str | None = None) -> Validated:
    """Run another checker with our streams; it fails unless it ends with 0.

    Raises `BadInput` when it cannot be started.
    """
    place = _answer(around, out, None)
    ended = run_child(words, around.directory, around.env)
    seen = f"exit code {ended.code}"
    bad = Finding(column=None, rule="command", level="refuse", expected="exit code 0", seen=seen, count=1)
    found = Validated(
        file=None,
        against=None,
        rows=None,
        findings=(bad,) if ended.code else (),
        command=tuple(map(redact_text, words)),
    )
    if place is not None:
        write_file(place, _file(found))
    return found


# Read -------------------------------------------------------------------------------------------------------------


def _answer(around: Surroundings, file: str | None, request: ValidateRequest | None) -> Path | None:
    """Where the verdict is written; raises `Conflict` where something else is."""
    place = _target(around, file, request)
    if place is not None and file is not None:
        refuse_other(place, file, ("schema", "findings"))
    return place


def _target(around: Surroundings, file: str | None, request: ValidateRequest | None) -> Path | None:
    """Where to write; found out before a long check, not after it."""
    if file is None:
        return None
    place = around.directory.absolute() / file
    if place.is_dir():
        raise BadInput(f"cannot write {file}: it is a directory", hint="name a file")
    read = (request.file, request.profile, request.policy, request.train) if request is not None else ()
    if any(name is not None and (around.directory.absolute() / name).resolve() == place.resolve() for name in read):
        raise BadInput(f"{file} is read, and cannot be written too", hint="name another file")
    return place


def _reference(around: Surroundings, request: ValidateRequest) -> Reference:
    if request.profile is not None and request.against is not None:
        raise BadInput("--profile and --against exclude each other", hint="choose one")
    if request.data is not None and request.against is None:
        raise BadInput("--data names a table of the version that --against names", hint="pass --against NAME@V too")
    if request.profile is not None:
        profile, rules = read_profile_file(around, request.profile)
        return Reference(ref=request.profile, profile=profile, rules=rules)
    if request.against is None:
        return Reference(ref=None)
    if around.env.get("DVC_STAGE"):
        raise Refused(
            "inside a pipeline stage a table is checked against a file, so that the answer depends on files alone",
            hint=f"--profile FILE, written by modelver validate {request.file} --write-profile FILE",
        )
    with Project(around) as project:
        return find_reference(project, request.against, around.directory / request.file, request.data)


def read_profile_file(around: Surroundings, file: str) -> tuple[Profile, Mapping[str, object]]:
    """The profile in a file and its rules.  Raises `BadInput`."""
    from dvc_modelver.dvcio.values import read_values

    data = read_file(around.directory / file, file, hint=f"modelver validate FILE --write-profile {file}")
    return parse_profile(file, read_values(data, path=f"{file}.json", strict=True))


def _policy(around: Surroundings, request: ValidateRequest) -> Mapping[str, object]:
    if request.policy is None:
        return {}
    from dvc_modelver.dvcio.values import read_values

    if not request.policy.lower().endswith(SUFFIXES):
        raise BadInput(f"{request.policy} is no policy file by its name", hint=f"one of {', '.join(SUFFIXES)}")
    data = read_file(around.directory / request.policy, request.policy)
    found = read_values(data, path=request.policy, strict=True)
    if not isinstance(found, Mapping):
        raise BadInput(f"{request.policy}: the policy must be a mapping")
    return found


def _read(
    around: Surroundings, request: ValidateRequest, profile: Profile | None, rules: Rules
) -> tuple[Seen, tuple[str, ...]]:
    """One pass over the table, and one over the training's."""
    from dvc_modelver.dvcio.rowhashes import RowHashes
    from dvc_modelver.dvcio.tablecheck import TableCheck
    from dvc_modelver.dvcio.tablerows import read_blocks

    path = around.directory / request.file
    leak = _Leak(around, request, rules)
    with ExitStack() as stack:
        check = TableCheck(expectations(profile, rules))
        rows = stack.enter_context(RowHashes())
        ids: RowHashes | None = None
        stack.enter_context(leak)
        for block in read_blocks(path, request.file, progress=around.progress):
            check.add(block)
            rows.add(block)
            leak.add(block)
            if rules.id and ids is None and set(rules.id) <= set(block.names):
                ids = stack.enter_context(RowHashes(rules.id))
            if ids is not None:
                ids.add(block)
        seen = Seen(
            rows=check.rows,
            columns=check.columns(),
            ragged=check.ragged,
            duplicates=rows.repeated(),
            duplicate_ids=ids.repeated() if ids is not None else None,
            leaked=leak.rows(),
            leaked_ids=leak.ids(),
        )
    return seen, leak.notes


class _Leak:
    """What a table shares with that of the training."""

    def __init__(self, around: Surroundings, request: ValidateRequest, rules: Rules) -> None:
        from dvc_modelver.dvcio.comparable import common_kind
        from dvc_modelver.dvcio.rowhashes import RowHashes
        from dvc_modelver.dvcio.tablerows import read_blocks

        self.notes: tuple[str, ...] = ()
        self._pairs: dict[str, tuple[RowHashes, RowHashes]] = {}
        if request.train is None:
            return
        ours, theirs = around.directory / request.file, around.directory / request.train
        mine, train = next(read_blocks(ours, request.file)), next(read_blocks(theirs, request.train))
        if rules.label is not None and rules.label not in train.names:
            raise BadInput(f"{request.train} has no column {rules.label}", hint="it is named as the label")
        common = tuple(name for name in mine.names if name in train.names and name != rules.label)
        if not common:
            raise BadInput(f"{request.file} and {request.train} have no column in common", hint="see their first lines")
        other = {*mine.names, *train.names} - {*common, rules.label}
        if other:
            self.notes = (f"rows are compared with the training's by the {len(common)} columns that both have",)
        kinds = {name: common_kind(name, mine, train) for name in {*common, *rules.id} & {*mine.names} & {*train.names}}
        self._pairs["rows"] = RowHashes(common, kinds=kinds), RowHashes(common, kinds=kinds)
        if rules.id and set(rules.id) <= {*mine.names}:
            missing = [name for name in rules.id if name not in train.names]
            if missing:
                raise BadInput(f"{request.train} has no column {missing[0]}", hint="it is named as the id")
            self._pairs["ids"] = RowHashes(rules.id, kinds=kinds), RowHashes(rules.id, kinds=kinds)
        for block in read_blocks(theirs, request.train, progress=around.progress):
            for _, hashes in self._pairs.values():
                hashes.add(block)

    def __enter__(self) -> _Leak:
        return self

    def __exit__(self, *ended: object) -> None:
        for pair in self._pairs.values():
            for hashes in pair:
                hashes.__exit__(*ended)

    def add(self, block: Block) -> None:
        for hashes, _ in self._pairs.values():
            hashes.add(block)

    def rows(self) -> Count | None:
        return self._shared("rows")

    def ids(self) -> Count | None:
        return self._shared("ids")

    def _shared(self, what: str) -> Count | None:
        pair = self._pairs.get(what)
        return pair[0].shared(pair[1]) if pair is not None else None


def profile_of(path: Path, name: str, progress: Progress) -> Profile:
    """The profile of a table in a file.  Raises `BadInput` when it cannot be read."""
    from dvc_modelver.dvcio.columns import MAX_DISTINCT, Column
    from dvc_modelver.dvcio.rowhashes import RowHashes
    from dvc_modelver.dvcio.tablerows import read_blocks

    columns: dict[str, Column] = {}
    count = ragged = 0
    with RowHashes() as hashes:
        for block in read_blocks(path, name, progress=progress):
            there = dict(zip(block.names, block.columns, strict=True))
            for new in [one for one in there if one not in columns]:
                limit = min(MAX_DISTINCT, MAX_DISTINCT_TOGETHER // max(len(columns), len(there)))
                columns[new] = Column(new, nulls=count, limit=limit)
            for one, column in columns.items():
                cells = there.get(one, (None,) * block.rows)
                if block.typed:
                    column.add_values(cells)
                else:
                    column.add_cells(cells)  # type: ignore[arg-type]
            hashes.add(block)
            count += block.rows
            ragged += block.ragged
        duplicates = hashes.repeated().count
    table = TableProfile(rows=count, columns=tuple(column.profile() for column in columns.values()), ragged=ragged)
    return Profile(table=table, duplicates=duplicates)


# The answer as a document ---------------------------------------------------------------------------------------


def document(found: Validated) -> dict[str, object]:
    """The verdict as JSON has it: a function of the files alone."""
    return {
        "ok": found.ok,
        "file": found.file,
        "against": found.against,
        "rows": found.rows,
        "findings": [
            {
                "column": None if one.column is None else redact_text(one.column),
                "rule": one.rule,
                "level": one.level,
                "expected": redact_text(one.expected),
                "seen": redact_text(one.seen),
                "count": one.count,
            }
            for one in found.findings
        ],
        "notes": list(found.notes),
        **({"command": list(found.command)} if found.command is not None else {}),
    }


def _file(found: Validated) -> bytes:
    return (json.dumps({"schema": SCHEMA, **document(found)}, indent=2, ensure_ascii=True) + "\n").encode("ascii")
