"""What an earlier card said of its model, read back from its blocks: so nobody needs that model's bytes.  Pure."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence

from dvc_modelver.cards.document import Card
from dvc_modelver.core.descriptions import Feature, ModelDescription, Signature, Status

_cut = re.compile(r"^\*and [\d,]+ more\*$", re.MULTILINE)


def said_of_model(card: Card) -> ModelDescription | None:
    """Format, library and signature as the blocks `artifact` and `signature` have them.

    None when the card has no such block as it was generated.  A signature that was cut in the card is not known.
    """
    artifact, signature = (_text(card, id) for id in ("artifact", "signature"))
    # The first table alone: details and hyperparameters have names of their own, `Format` perhaps.
    rows = {row[0]: _plain(row[1]) for row in _rows(artifact.partition("\n\n")[0]) if len(row) == 2}
    if "Format" not in rows:
        return None
    library, _, version = rows.get("Library", "").partition(" ")
    return ModelDescription(
        format=rows["Format"],
        status=Status.UNKNOWN,
        library=library or None,
        library_version=version or None,
        signature=_signature(signature),
    )


def _text(card: Card, id: str) -> str:
    block = card.block(id)
    return block.text if block is not None and block.is_ours else ""


def _signature(text: str) -> Signature | None:
    if not text or _cut.search(text):
        return None
    parts = re.split(r"^(Inputs|Outputs|Classes) \([\d,]+\):$", text, flags=re.MULTILINE)
    said = dict(zip(parts[1::2], parts[2::2], strict=False))
    return Signature(
        inputs=_features(said.get("Inputs", "")),
        outputs=_features(said.get("Outputs", "")),
        classes=tuple(_name(line[2:]) for line in said.get("Classes", "").splitlines() if line.startswith("- ")),
    )


def _features(text: str) -> tuple[Feature, ...]:
    return tuple(
        Feature(name=_name(row[0]), type=None if row[1] == "-" else _plain(row[1]), shape=_shape(row[2]))
        for row in _rows(text)[1:]
        if len(row) == 3
    )


def _name(cell: str) -> str:
    return "" if cell == "(no name)" else _plain(cell)


def _shape(cell: str) -> tuple[int | str, ...] | None:
    if cell == "-":
        return None
    sizes = [part for part in _plain(cell)[1:-1].split(", ") if part]
    return tuple(int(part) if re.fullmatch("[0-9]{1,20}", part) else part for part in sizes)


def _rows(text: str) -> Sequence[Sequence[str]]:
    """The cells of every table's rows as they are written, the heads among them."""
    return tuple(_cells(text))


def _cells(text: str) -> Iterator[Sequence[str]]:
    for line in text.splitlines():
        if line.startswith("| ") and not line.startswith("| ---"):
            yield [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def _plain(cell: str) -> str:
    """What the cell shows: a code span's text, or text without its escapes."""
    ticks = re.fullmatch(r"(`+)( ?)(.*?)\2\1", cell)
    if ticks:
        return ticks[3].replace("\\|", "|")
    return html.unescape(re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", cell))
