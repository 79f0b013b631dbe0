"""Notes on versions: what arrived after the release.  No holder, number or gate depends on them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from dvc_modelver.commands.project import Project
from dvc_modelver.core.notes import MAX_NOTES, NOTES_REF, Note, Notes, format_note, parse_notes
from dvc_modelver.core.tagobjects import Identity
from dvc_modelver.core.text import redact
from dvc_modelver.errors import Conflict, DataError, EnvironmentProblem
from dvc_modelver.gitio.notes import append_note, read_note
from dvc_modelver.gitio.process import GitFailed
from dvc_modelver.gitio.tagging import committer

if TYPE_CHECKING:
    from dvc_modelver.commands.publishing import Step


def read_notes(project: Project, oid: str) -> Notes:
    """What stands on the tag object `oid`; notes that cannot be read are no reason to fail."""
    found = read_note(project.repository.git, project.objects, oid, MAX_NOTES)
    if found is None:
        return Notes()
    if found.size > MAX_NOTES:
        return Notes(problems=(f"its notes are larger than {MAX_NOTES >> 20} MiB, and were not read",))
    return parse_notes(found.data)


def exchange_notes(project: Project, remote: str, there: str | None, *, dry_run: bool) -> list[Step]:
    """Give this clone and `remote` the notes of both; what was done, or would be.

    Notes that cannot be put together are no reason to fail: that is said, and either side keeps its own.

    Args:
        there: what the remote's `refs/notes/modelver` names; None when it has none.

    Raises:
        EnvironmentProblem: the remote refuses or cannot be reached, or git cannot write here.
    """
    from dvc_modelver.commands.publishing import Step
    from dvc_modelver.gitio.notesync import exchange, meet

    try:
        meeting = (meet if dry_run else exchange)(project.repository, remote, there)
    except DataError as error:
        project.around.say(f"warning: the notes were not exchanged: {error.message}")
        return []
    except (Conflict, EnvironmentProblem, GitFailed) as error:
        message = f"the versions are published, their notes are not: {error.message}"
        raise EnvironmentProblem(message, hint=error.hint or "run it again") from None
    target = f"{redact(remote)}: {NOTES_REF}"
    return [Step("git fetch", target)] * meeting.comes + [Step("git push", target)] * meeting.goes


def write_note(project: Project, oid: str, kind: str, facts: Mapping[str, object]) -> Note:
    """Add a fact to the tag object `oid`, now and in the user's name.

    Raises:
        BadInput: it is too long.
        EnvironmentProblem: git does not know who that is, or cannot write.
    """
    name, _, rest = committer(project.repository.git).partition(" <")
    who = Identity(name, rest.partition(">")[0])
    note = Note(at=project.around.now().replace(microsecond=0), kind=kind, by=who, facts=facts)
    line = format_note(note)
    try:
        append_note(project.repository, oid, line)
    except OSError as error:
        raise EnvironmentProblem(f"the note cannot be written: {error.strerror or error}") from None
    return note
