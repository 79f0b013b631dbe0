"""The block `artifact`: the model's file or folder, who keeps its bytes, and what they say of themselves.  Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from dvc_modelver.cards.escape import code_cell
from dvc_modelver.cards.facts import CardFacts
from dvc_modelver.cards.tables import MAX_CELL, clip, digest_of, param_cell, table, text_cell
from dvc_modelver.core.descriptions import ModelDescription, Scalar, Status
from dvc_modelver.core.facts import ArtifactFacts, Source
from dvc_modelver.core.sizes import size

MAX_IMPORTS = 20
MAX_OPEN = 12
"""Rows of a table that stands open; a longer one is folded up."""
_STATUS = {
    Status.NO_CODE_FORMAT: "the format holds no code",
    Status.CODE_CAPABLE: "loading it runs code: load it only if you trust who made it",
    Status.UNKNOWN: "not known whether loading runs code",
}


def render(facts: CardFacts) -> str:
    """The file's facts, then the details and hyperparameters that its bytes hold."""
    model = facts.model
    rows = [*_kept(facts.artifact), *(_format(model) if model is not None else [])]
    parts = [table(["Property", "Value"], rows)]
    if model is None:
        parts.append("The bytes of the model were not looked at, so nothing is said here of what they hold.")
    else:
        parts += [_values("Details", "Detail", model.details)] if model.details else []
        parts += [_values("Hyperparameters", "Name", model.hyperparameters)] if model.hyperparameters else []
    return "\n\n".join(parts)


def _kept(artifact: ArtifactFacts) -> Iterator[Sequence[str]]:
    yield "Path", code_cell(clip(artifact.path or "")) or "the commit does not say"
    if artifact.kind is not None:
        yield "Kind", _kind(artifact)
    if artifact.size is not None:
        exact = f" ({artifact.size:,} bytes)" if artifact.size >= 1000 else ""
        yield "Size", f"{size(artifact.size)}{exact}"
    yield "Digest", code_cell(clip(digest_of(artifact) or "")) or _unknown(artifact)
    yield "Kept by", _keeper(artifact)


def _kind(artifact: ArtifactFacts) -> str:
    if artifact.files is None:
        return text_cell(clip(artifact.kind or ""))
    return f"directory of {artifact.files:,} file{'' if artifact.files == 1 else 's'}"


def _unknown(artifact: ArtifactFacts) -> str:
    problem = text_cell(clip(artifact.problem or ""))
    return f"not known: {problem}" if problem and artifact.source is not Source.MISSING else "not known"


def _keeper(artifact: ArtifactFacts) -> str:
    if artifact.source is Source.MISSING:
        return f"not found: {text_cell(clip(artifact.problem or 'the commit does not say where it is'))}"
    if artifact.source is Source.URL:
        return "URL (not verifiable)"
    if artifact.source is Source.GIT:
        return "Git" if artifact.lfs is None else "Git LFS"
    if artifact.output is not None and not artifact.output.cached:
        return "Git or nobody: DVC does not cache it (`cache: false`)"
    return "DVC cache"


def _format(model: ModelDescription) -> Iterator[Sequence[str]]:
    yield "Format", code_cell(clip(model.format))
    if model.library is not None:
        yield "Library", text_cell(clip(f"{model.library} {model.library_version or ''}"))
    yield "Code", _STATUS[model.status]
    if model.imports:
        yield "Imports", _imports(model.imports)
    if not model.complete:
        problem = text_cell(clip(model.problem or ""))
        yield "Looked at", f"in part only{f': {problem}' if problem else ''}"


def _imports(imports: Sequence[str]) -> str:
    more = f" and {len(imports) - MAX_IMPORTS:,} more" if len(imports) > MAX_IMPORTS else ""
    spans = (code_cell(clip(name, MAX_CELL)) or "(no name)" for name in imports[:MAX_IMPORTS])
    return ", ".join(spans) + more


def _values(title: str, name: str, values: Mapping[str, Scalar]) -> str:
    rows = [[text_cell(clip(key)), param_cell(key, value)] for key, value in values.items()]
    shown = table([name, "Value"], rows)
    if len(rows) <= MAX_OPEN:
        return f"{title}:\n\n{shown}"
    return f"<details>\n<summary>{title} ({len(rows):,})</summary>\n\n{shown}\n\n</details>"
