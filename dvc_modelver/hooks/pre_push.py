"""pre-push: no version leaves this clone that others could not trust, or whose bytes they could not fetch.

    LOCAL-REF LOCAL-ID REMOTE-REF REMOTE-ID        one row on stdin for each ref; arguments: the remote and its URL

Branches, and tags that are not ours, are none of its business.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dvc_modelver.core.facts import Output
from dvc_modelver.core.tags import Event
from dvc_modelver.core.text import one_line, redact
from dvc_modelver.errors import BadInput, ExitCode, ModelverError
from dvc_modelver.gitio.objects import Objects
from dvc_modelver.gitio.repository import Repository
from dvc_modelver.hooks.call import Call
from dvc_modelver.hooks.pushed import PushedTag, parse_rows
from dvc_modelver.hooks.soundtags import PushedTags, TagFault
from dvc_modelver.hooks.whereabouts import repository_of

if TYPE_CHECKING:
    from dvc_modelver.hooks.remotebytes import Absence

_SHOWN = 50
"""Problems that are named; of more, how many."""
_MAX_LINE = 1000


def run(call: Call) -> int:
    """0 when every tag of ours in this push is sound, else the exit code of the gravest problem.

    Raises `BadInput` without the remote's name, `EnvironmentProblem` when the repository cannot be read.
    """
    if not call.args:
        raise BadInput("pre-push is started by git, with the remote's name", hint="modelver hooks install")
    rows = list(parse_rows(call.read()))
    if not rows:
        return int(ExitCode.OK)
    repository = repository_of(call)
    with Objects(repository.git) as objects:
        faults = _faults(call, repository, PushedTags(repository.git, objects, rows), rows)
    return _refuse(call, faults)


def _faults(call: Call, repository: Repository, tags: PushedTags, rows: Sequence[PushedTag]) -> list[TagFault]:
    remote = redact(call.args[0])
    together = tags.grouped(rows)
    found = {row.ref: fault for row in together if (fault := tags.fault(row, remote)) is not None}
    sound = [row for row in together if row.ref not in found]
    if repository.root is None:
        call.say("note: without a work tree nobody knows the DVC remote: no bytes were looked for")
    else:
        found |= {fault.ref: fault for fault in _bytes(call, repository.root, tags, sound)}
    return [found[row.ref] for row in rows if row.ref in found]


def _bytes(call: Call, root: Path, tags: PushedTags, rows: Sequence[PushedTag]) -> Iterator[TagFault]:
    """The versions whose bytes their DVC remote lacks."""
    withdrawn = {
        (row.name.name, row.name.version)
        for row in rows
        if row.name is not None and row.name.event is Event.WITHDRAW_VERSION
    }
    outputs: dict[str, Output] = {}
    for row in rows:
        gone = row.name is not None and (row.name.name, row.name.version) in withdrawn
        output = None if gone else _output(tags, row)
        if output is not None:
            outputs[row.ref] = output
    lacking = _absences(call, root, set(outputs.values())) if outputs else {}
    for ref, output in outputs.items():
        if output in lacking:
            yield TagFault(ref, lacking[output].problem, lacking[output].remedy, ExitCode.DATA)


def _output(tags: PushedTags, row: PushedTag) -> Output | None:
    """What DVC keeps of the version that a tag releases or promotes."""
    commit = tags.commit_of(row) if row.oid and row.name is not None else None
    if commit is None or row.name is None or row.name.event not in (Event.RELEASE, Event.PROMOTE):
        return None
    tag = tags.objects.get(row.oid)
    try:
        facts = tags.facts(row.name.name, commit, tag.record if tag is not None else None)
    except ModelverError:
        return None
    return facts.output if facts.in_cache and facts.output is not None and facts.output.pushed else None


def _absences(call: Call, root: Path, outputs: Collection[Output]) -> dict[Output, Absence]:
    from dvc_modelver.hooks.remotebytes import RemoteBytes

    ordered = sorted(outputs, key=lambda output: (output.root, output.path, output.digest or ""))
    remotes = RemoteBytes(root, call.env)
    lacking = remotes.absences(ordered)
    uploads = [output for output, absence in lacking.items() if absence.uploads]
    if not uploads:
        return lacking
    from dvc_modelver.dvcio.settings import read_config_files

    if not read_config_files(root, call.env, key="hooks").hooks.push:
        return lacking
    return {output: absence for output, absence in lacking.items() if not absence.uploads} | _upload(
        call, root, uploads
    )


def _upload(call: Call, root: Path, outputs: Sequence[Output]) -> dict[Output, Absence]:
    """Upload one by one, so that what is missing here is told of the versions that need it."""
    from dvc_modelver.dvcio.push import push
    from dvc_modelver.hooks.remotebytes import Absence

    left: dict[Output, Absence] = {}
    for output in outputs:
        try:
            push(root, [output], env=call.env)
            call.say(f"modelver: uploaded {output.path} to the DVC remote")
        except ModelverError as error:
            left[output] = Absence(error.message, error.hint or "check the DVC remote")
    return left


def _refuse(call: Call, faults: Sequence[TagFault]) -> int:
    if not faults:
        return int(ExitCode.OK)
    count = f"{len(faults)} of its tags are" if len(faults) > 1 else "one of its tags is"
    call.say(f"error: modelver refuses this push: {count} not as others must be able to rely on")
    for fault in faults[:_SHOWN]:
        call.say(f"  {one_line(f'{fault.ref}: {fault.problem}; {fault.remedy}', _MAX_LINE)}")
    if len(faults) > _SHOWN:
        call.say(f"  and {len(faults) - _SHOWN} more")
    call.say("hint: modelver doctor and modelver verify say more; git push --no-verify goes without this check")
    codes = {fault.code for fault in faults}
    return int(ExitCode.REFUSED if ExitCode.REFUSED in codes else min(codes))
