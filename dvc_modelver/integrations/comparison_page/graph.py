"""Where each version comes from: the drawn graph, and the same as a table for those who cannot see it.  Pure."""

from __future__ import annotations

from collections.abc import Iterator

from dvc_modelver.core.lineage import Lineage, Node
from dvc_modelver.core.report import Report
from dvc_modelver.integrations.comparison_page.markup import Cell, clipped, commit, digest, letter, mark
from dvc_modelver.integrations.comparison_page.metricrows import name_of
from dvc_modelver.integrations.comparison_page.tables import Column, Row, Table, render
from dvc_modelver.integrations.documents import clean


def lineages(report: Report) -> str:
    """A box for each version that opens; empty where no lineage is known."""
    return "".join(
        _box(report, lineage, at) for at, lineage in enumerate(report.lineages) if lineage is not None and lineage.nodes
    )


def _box(report: Report, lineage: Lineage, at: int) -> str:
    known = clean(lineage)
    count = f"{len(lineage.nodes):,} nodes"
    title = f"{mark(at)} {clipped(name_of(report.comparison.points[at]), 60)}"
    notes = "".join(f"<li>{clipped(note, 300)}</li>" for note in known.notes)
    return (
        f'<details class="origin"><summary>{title} <span class="quiet">{count}</span></summary>'
        f"{_drawn(lineage, f'lineage-{letter(at).lower()}-')}{f'<ul>{notes}</ul>' if notes else ''}"
        f"{render(_table(known, at))}</details>\n"
    )


def _drawn(lineage: Lineage, prefix: str) -> str:
    from dvc_modelver.integrations.lineage_svg import draw

    picture = draw(lineage, id_prefix=prefix)
    return f'<div class="scroll graph" role="region" aria-label="Lineage graph" tabindex="0">{picture}</div>'


def _table(lineage: Lineage, at: int) -> Table:
    columns = tuple(Column(html=name) for name in ("What", "Kind", "Digest", "First in commit", "By", "On"))
    rows = tuple(Row(cells=tuple(map(_cell, _node(node)))) for node in lineage.nodes)
    name = f"Lineage of {letter(at)}"
    return Table(id=f"t-lineage-{letter(at).lower()}", caption=name, columns=columns, rows=rows)


def _cell(html: str) -> Cell:
    return Cell(html=html)


def _node(node: Node) -> Iterator[str]:
    origin = node.origin
    yield clipped(node.label)
    yield node.kind.value
    yield digest(node.digest) if node.digest else ""
    yield commit(origin.commit) if origin else ""
    yield clipped(origin.author.name, 40) if origin else ""
    yield f"{origin.at:%Y-%m-%d}" if origin else ""
