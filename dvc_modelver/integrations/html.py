"""A lineage as one HTML file that needs nothing else: the drawing, and all facts of each node in a table.  Pure."""

from __future__ import annotations

from collections.abc import Iterator

from dvc_modelver.core.lineage import Lineage, Node, NodeKind
from dvc_modelver.core.sizes import size
from dvc_modelver.integrations.documents import TOOL, by_id, clean, is_url, line, stamp, uri
from dvc_modelver.integrations.lineage_svg import LETTERS, MAX_NODES, draw, fold, shortened, text

POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_LONG = 240
"""Characters of a detail from which on it is folded."""
_KINDS = {
    NodeKind.VERSION: "Versions",
    NodeKind.STAGE: "Stages that hold it",
    NodeKind.ARTIFACT: "Artifact",
    NodeKind.PIPELINE_STAGE: "Pipeline stages",
    NodeKind.DATA: "Data",
    NodeKind.IMPORT: "Imports",
    NodeKind.CODE: "Code",
    NodeKind.PARAMS: "Params",
    NodeKind.ENVIRONMENT: "Environment",
    NodeKind.EXPERIMENT: "Experiment",
}
"""In the order of the table."""
_COLUMNS = ("Name", "Digest", "First in", "By", "On", "Details")
_STYLE = """
:root{color-scheme:light dark;--ink:#1b1f24;--muted:#57606a;--page:#f6f8fa;--paper:#ffffff;--rule:#d0d7de;
--link:#0550ae;--warn:#fff4d6;--warn-rule:#b07800;--mark:#ddf0ff}
@media(prefers-color-scheme:dark){:root{--ink:#e8ecf1;--muted:#a3adb8;--page:#0d1117;--paper:#161b22;--rule:#343b45;
--link:#8ec5ff;--warn:#33270a;--warn-rule:#d29a2a;--mark:#12304d}}
*{box-sizing:border-box}
html{scroll-padding-top:20vh}
body{margin:0 auto;max-width:1500px;padding:16px;background:var(--page);color:var(--ink);
font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;overflow-wrap:anywhere}
main{overflow-x:clip;overflow-clip-margin:8px}
h1{font-size:1.45em;line-height:1.25;margin:.2em 0 .5em}
h2{font-size:1.1em;margin:1.6em 0 .5em}
a{color:var(--link)}
:focus-visible{outline:3px solid var(--link);outline-offset:2px}
code{font:.87em ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
.facts,.legend,.details{margin:0;padding:0;list-style:none}
.facts{display:flex;flex-wrap:wrap;gap:.2em 1.6em}
.facts dt,.details dt{display:inline;color:var(--muted)}
.facts dt::after,.details dt::after{content:": "}
.facts dd,.details dd{display:inline;margin:0}
.notes{margin:1em 0;padding:.6em 1em;background:var(--warn);border-left:4px solid var(--warn-rule);border-radius:4px}
.notes p,.notes ul{margin:0;max-height:14em;overflow:auto}
.jump{margin:0 0 .4em;font-size:.9em}
.graph{overflow:auto;max-height:80vh;scroll-padding:25%;
background:var(--paper);border:1px solid var(--rule);border-radius:6px}
.graph svg.lineage{display:block;margin:0 auto}
.legend{display:flex;flex-wrap:wrap;gap:.2em 1.2em;margin:.6em 0;font-size:.9em;color:var(--muted)}
.legend b,.kind{display:inline-block;min-width:1.4em;text-align:center;border:1px solid;border-radius:3px;
font:700 .85em/1.35 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
table{width:100%;border-collapse:collapse;background:var(--paper);border:1px solid var(--rule);font-size:.93em}
th,td{padding:.4em .6em;text-align:left;vertical-align:top;border-top:1px solid var(--rule)}
thead th{border-top:0;white-space:nowrap}
tbody th[colspan]{background:var(--page);font-size:1.02em}
td.name{min-width:16em;font-weight:600}
td.on{white-space:nowrap}
td.by{min-width:7em}
td.digest,td.first{min-width:8em}
tr:target>td{background:var(--mark)}
details>summary{cursor:pointer}
.value{white-space:pre-wrap}
footer{margin:2em 0 1em;color:var(--muted);font-size:.9em}
@media(max-width:820px){body{padding:10px}
table,tbody,tr,td,tbody th[colspan]{display:block;width:100%}
thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
tr{padding:.35em 0;border-top:1px solid var(--rule)}
td,td.name,td.digest,td.first,td.by{min-width:0;padding:.1em .6em;border:0}
td[data-name]::before{content:attr(data-name) ": ";color:var(--muted)}
td:empty{display:none}
.graph{max-height:70vh}}
@media print{.graph{max-height:none}}
"""


def render(lineage: Lineage) -> str:
    """The whole page: no script, no outside resource; a node of the drawing leads to its row and back."""
    lineage = clean(lineage)
    root = by_id(lineage)[lineage.root]
    number = lineage.nodes.index(root)
    title = f"Lineage of {shortened(root.label, _LONG)}"
    parts = [
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{text(POLICY)}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="light dark">\n<meta name="referrer" content="no-referrer">',
        f"<title>{text(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>",
        f"<h1>{text(title)}</h1>",
        *_facts(root),
        *_notes(lineage),
        '<h2 id="graph">From causes, at the left, to effects</h2>',
        f'<p class="jump"><a href="#g{number}">Show {text(shortened(root.label, _LONG))} in it</a></p>',
        '<div class="graph" role="region" aria-labelledby="graph" tabindex="0">',
        draw(lineage, links=True).rstrip("\n"),
        "</div>",
        *_legend(lineage),
        f'<h2 id="nodes">Nodes ({len(lineage.nodes)})</h2>',
        *_table(lineage),
        f"</main>\n<footer>Made by {TOOL} from Git history and DVC's files alone.</footer>\n</body>\n</html>",
    ]
    return "\n".join(parts) + "\n"


def _facts(root: Node) -> Iterator[str]:
    """What is said of the version above everything else."""
    known = {"tag": root.details.get("tag"), "commit": root.details.get("commit")}
    if root.origin is not None:
        known |= {"by": root.origin.author.name, "on": stamp(root.origin.at)[:10]}
    known["repository"] = root.details.get("repository")
    rows = [f"<div><dt>{name}</dt><dd>{_linked(value)}</dd></div>" for name, value in known.items() if value]
    if rows:
        yield f'<dl class="facts">{"".join(rows)}</dl>'


def _notes(lineage: Lineage) -> Iterator[str]:
    """What is missing; and that the drawing has fewer nodes than the table."""
    head = "" if lineage.complete else "<strong>Incomplete.</strong> "
    notes = list(lineage.notes)
    drawn = len(fold(lineage).nodes)
    if drawn < len(lineage.nodes):
        notes.append(
            f"The drawing has {drawn} nodes for {len(lineage.nodes)}: above {MAX_NODES}, what has the same kind, "
            "causes and effects is drawn as one. The table has each."
        )
    if notes:
        said = f"<p>{head}{text(notes[0])}</p>"
        if len(notes) > 1:
            said = f"<p>{head}</p><ul>{''.join(f'<li>{text(note)}</li>' for note in notes)}</ul>"
        yield f'<div class="notes" role="note">{said}</div>'


def _legend(lineage: Lineage) -> Iterator[str]:
    present = {node.kind for node in lineage.nodes}
    items = (f"<li><b>{LETTERS[kind]}</b> {kind.value}</li>" for kind in _KINDS if kind in present)
    yield f'<ul class="legend" aria-label="Letters of the drawing">{"".join(items)}</ul>'


# The table -------------------------------------------------------------------------------------------------------


def _table(lineage: Lineage) -> Iterator[str]:
    """Nodes by kind; each row can be reached by `#nN`, N its place in the lineage."""
    drawn = fold(lineage).stands_for
    heads = "".join(f'<th scope="col">{name}</th>' for name in _COLUMNS)
    yield f'<table aria-labelledby="nodes">\n<thead><tr>{heads}</tr></thead>'
    for kind, name in _KINDS.items():
        found = [(number, node) for number, node in enumerate(lineage.nodes) if node.kind is kind]
        if found:
            yield f'<tbody>\n<tr><th colspan="{len(_COLUMNS)}" scope="rowgroup">{name} ({len(found)})</th></tr>'
            yield from (_row(number, drawn[node.id], node) for number, node in found)
            yield "</tbody>"
    yield "</table>"


def _row(number: int, drawn: int, node: Node) -> str:
    author = at = ""
    if node.origin is not None:
        name, email = node.origin.author.name, node.origin.author.email
        author = f'<span title="{text(email)}">{_short(name or email)}</span>'
        at = f'<time datetime="{stamp(node.origin.at)}">{stamp(node.origin.at)[:10]}</time>'
    cells = (
        f'<td class="name"><span class="kind" title="{node.kind.value}">{LETTERS[node.kind]}</span> '
        f'<a href="#g{drawn}">{_short(node.label) or "-"}</a></td>',
        _cell("digest", "Digest", f"<code>{_short(node.digest)}</code>" if node.digest else ""),
        _cell("first", "First in", _first(node)),
        _cell("by", "By", author),
        _cell("on", "On", at),
        f"<td>{_details(node)}</td>",
    )
    return f'<tr id="n{number}">{"".join(cells)}</tr>'


def _short(words: str) -> str:
    """What nobody reads to the end is cut; the whole label, path or name is in the details or the drawing's title."""
    return text(shortened(words, _LONG))


def _cell(kind: str, name: str, inside: str) -> str:
    return f'<td class="{kind}" data-name="{name}">{inside}</td>' if inside else f'<td class="{kind}"></td>'


def _first(node: Node) -> str:
    if node.origin is None:
        return ""
    words = f'<code title="{text(node.origin.commit)}">{text(node.origin.commit[:12])}</code>'
    moved = node.path is not None and node.kind is not NodeKind.PIPELINE_STAGE and node.origin.path != node.path
    return f"{words} as {_short(node.origin.path)}" if moved else words


def _details(node: Node) -> str:
    """Everything else that is known, in the order of the lineage."""
    facts = [] if node.size is None else [("size", size(node.size))]
    if len(node.label) > _LONG and node.label != node.path:
        facts.append(("label", node.label))
    if node.path is not None and (node.path != node.label or len(node.path) > _LONG):
        facts.append(("path", node.path))
    facts += [("came back in", commit[:12]) for commit in node.returned]
    facts += [(name, value) for name, value in node.details.items() if value]
    rows = (f"<div><dt>{text(name)}</dt><dd>{_linked(value)}</dd></div>" for name, value in facts)
    return f'<dl class="details">{"".join(rows)}</dl>' if facts else ""


def _linked(value: str) -> str:
    """A web address as a link, long text folded; both show the whole text."""
    if is_url(value) and value.startswith(("https://", "http://")) and len(value) <= _LONG and line(value) == value:
        return f'<a href="{text(uri(value))}" rel="noreferrer">{text(value)}</a>'
    shown = f'<span class="value">{text(value)}</span>'
    if len(value) <= _LONG:
        return shown
    return f"<details><summary>{text(value[:60])}… ({len(value)} characters)</summary>{shown}</details>"
