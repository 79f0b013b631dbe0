"""Notes on versions: what arrived after the release.  No holder, number or gate depends on them."""

from __future__ import annotations

from collections.abc import Mapping

from dvc_modelver.commands.project import Project
from dvc_modelver.core.notes import MAX_NOTES, Note, Notes, format_note, parse_notes
from dvc_modelver.core.tagobjects import Identity
from dvc_modelver.errors import EnvironmentProblem
from dvc_modelver.gitio.notes import append_note, read_note
from dvc_modelver.gitio.tagging import committer


def read_notes(project: Project, oid: str) -> Notes:
    """What stands on the tag object `oid`; notes that cannot be read are no reason to fail."""
    found = read_note(project.repository.git, project.objects, oid, MAX_NOTES)
    if found is None:
        return Notes()
    if found.size > MAX_NOTES:
        return Notes(problems=(f"its notes are larger than {MAX_NOTES >> 20} MiB, and were not read",))
    return parse_notes(found.data)


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
