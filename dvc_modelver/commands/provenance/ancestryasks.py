"""What may be asked of a history, and the questions that each ask is made of.  Pure."""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Mapping
from dataclasses import dataclass

from dvc_modelver.commands.provenance.ancestrymemory import Question
from dvc_modelver.core.facts import Output, Scalar
from dvc_modelver.dvcio.mentions import digest_number, first_part, number_of, value_number, value_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What to find the origin of; one of the fields is set (`inside` and `holds` belong to others)."""

    node: str
    """Its id, which the answer stands under."""
    digest: str | None = None
    """That a `dvc.lock` or `.dvc` file names as written; if none ever did, as read by a pipeline stage."""
    inside: tuple[Output, str] | None = None
    """The tracked directory that has it, and its path there, where the digest is of a part of a directory."""
    blob: str | None = None
    """Of a file in Git."""
    folder: str | None = None
    """Tree of a directory in Git."""
    entry: str | None = None
    """Digest of an entry of `dvc.lock`."""
    holds: tuple[str, ...] = ()
    """The digests in that entry."""
    imported: tuple[str | None, str, str | None] | None = None
    """(url, path, locked revision)."""
    values: tuple[str, Mapping[str, Scalar]] | None = None
    """(file, dotted key -> value) of params."""


def questions(ask: Ask) -> tuple[Question, ...]:
    """The things whose firsts answer the ask, the first of them that ever was."""
    # Where it was is said of a file in Git in another way.
    in_git = " in git" if ask.blob or ask.folder else ""
    if ask.digest is not None:
        number = digest_number(ask.digest)
        needs = () if number is None else (number,)
        return tuple(Question(key=f"{kind} {ask.digest}{in_git}", needs=needs) for kind in ("out", "dep"))
    if ask.entry is not None:
        numbers = (digest_number(digest) for digest in ask.holds)
        return (Question(key=f"entry {ask.entry}", needs=tuple(n for n in numbers if n is not None)),)
    if ask.imported is not None:
        revision = ask.imported[2] or ""
        whole = len(revision) >= 40 and not set(revision.lower()) - set("0123456789abcdef")
        key = hashlib.sha256(repr(ask.imported).encode("utf-8", "backslashreplace")).hexdigest()
        return (Question(key=f"import {key}", needs=(number_of(revision),) if whole else ()),)
    if ask.values is not None:
        return (_values_question(*ask.values),)
    kind, oid = ("blob", ask.blob) if ask.blob else ("folder", ask.folder or "")
    return (Question(key=f"{kind} {oid}", needs=(number_of(oid),), folder=kind == "folder"),)


def _values_question(file: str, values: Mapping[str, Scalar]) -> Question:
    name = posixpath.basename(file)
    exact = "\0".join((name, *(value_text(key, value) for key, value in sorted(values.items()))))
    return Question(
        key=f"values {hashlib.sha256(exact.encode('utf-8', 'surrogatepass')).hexdigest()}",
        values=tuple((f"{name}/{first_part(key)}", value_number(key, value)) for key, value in values.items()),
    )
