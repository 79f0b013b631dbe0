"""`modelver show`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated

import typer

from dvc_modelver.cli.answer import Answer, Json, author_json, day, number, record_json, shown, when
from dvc_modelver.cli.arguments import REFERENCE, REPO, opened, shallow_notes
from dvc_modelver.cli.shell import table_command
from dvc_modelver.cli.table import Table
from dvc_modelver.commands.project import Project, Surroundings
from dvc_modelver.commands.show import VersionFacts, VersionRow, show_version, show_versions
from dvc_modelver.core.facts import Values
from dvc_modelver.core.notes import REPRODUCTION, Note
from dvc_modelver.core.references import Reference
from dvc_modelver.core.sizes import size
from dvc_modelver.core.text import one_line
from dvc_modelver.errors import BadInput


@table_command
def run(
    around: Surroundings,
    reference: REFERENCE,
    metric: Annotated[
        str | None,
        typer.Option("--metric", metavar="KEY", help="One metric over all versions.", show_default=False),
    ] = None,
    svg: Annotated[
        str | None,
        typer.Option("--svg", metavar="FILE", help="With --metric: also draw it.", show_default=False),
    ] = None,
    repo: REPO = None,
) -> Answer:
    """Show all versions of a model, or one version in full.

    \b
    Examples:
      modelver show churn
      modelver show churn@v1.2.0
      modelver show churn#prod --json
      modelver show churn --metric auc --svg auc.svg
    """
    if svg is not None and metric is None:
        raise BadInput("--svg draws a metric", hint="modelver show NAME --metric KEY --svg FILE")
    with opened(around, repo, reference) as project:
        wanted = project.resolve(reference)
        if metric is not None:
            return _metric_answer(around, project, wanted, metric, svg)
        if wanted.version is None and wanted.stage is None and not wanted.latest:
            found = versions_answer(wanted.name, show_versions(project, wanted))
            return replace(found, notes=shallow_notes(project) or found.notes)
        return version_answer(show_version(project, wanted))


def _metric_answer(around: Surroundings, project: Project, wanted: Reference, metric: str, svg: str | None) -> Answer:
    from dvc_modelver.commands.metricline import bars, metric_line, write_svg

    if wanted.version is not None or wanted.stage is not None:
        raise BadInput("--metric is over all versions", hint=f"modelver show {wanted.name} --metric {metric}")
    line = metric_line(project, wanted, metric)
    if svg is not None:
        write_svg(line, around.directory / svg)
    shares = bars(line)
    rows = [
        (str(m.version), day(m.at), _value(m.value), _delta(m.delta, line.better), shares.get(m.version, ""))
        for m in reversed(line.versions)
    ]
    title = f"{line.key or line.file} of {line.name} ({line.file}{_BETTER[line.better]})"
    versions = [
        {
            "version": m.version,
            "commit": m.commit,
            "created_at": m.at,
            "value": m.value,
            "delta": m.delta,
            "withdrawn": m.withdrawn,
        }
        for m in reversed(line.versions)
    ]
    return Answer(
        data={"name": line.name, "file": line.file, "key": line.key, "better": line.better, "versions": versions},
        table=Table(
            columns=("VERSION", "AT (UTC)", "VALUE", "CHANGE", ""), rows=tuple(rows), right=frozenset({"VALUE"})
        ),
        lines=(one_line(title),),
        notes=(
            *(f"note: {one_line(problem)}" for problem in line.problems),
            *([f"wrote {svg}"] if svg is not None else []),
        ),
    )


_METRIC_COLUMNS = ("VERSION", "AT (UTC)", "VALUE", "CHANGE", "")
_BETTER = {"up": ", higher is better", "down": ", lower is better", None: ""}


def _value(value: object) -> str:
    return "-" if value is None else shown(value)


def _delta(delta: float | None, better: str | None) -> str:
    if delta is None or delta != delta or not delta:
        return "=" if delta == 0 else ""
    verdict = "" if better is None else " (better)" if (delta > 0) == (better == "up") else " (worse)"
    return f"{'↑' if delta > 0 else '↓'} {delta:+.4g}{verdict}"


def version_json(row: VersionRow) -> Json:
    """One version with the contract's keys."""
    artifact = row.artifact
    return {
        "name": row.name,
        "version": row.version,
        "tag": row.tag,
        "commit": row.commit,
        "created_at": row.created_at,
        "author": author_json(row.author),
        "message": row.message,
        "prerelease": row.version.is_prerelease,
        "stages": list(row.stages),
        "withdrawn": row.withdrawn,
        "signed": row.signed,
        "record": record_json(row.record),
        "published": row.published,
        "previous": row.previous,
        "problem": row.problem or artifact.problem,
        "artifact": {
            "path": artifact.path,
            "type": artifact.type,
            "kind": artifact.kind,
            "digest": artifact.digest,
            "sha256": row.sha256,
            "size": row.size,
            "files": artifact.files,
            "source": artifact.source,
        },
    }


def versions_answer(name: str, rows: tuple[VersionRow, ...]) -> Answer:
    """All versions of a model in every form."""
    return Answer(
        data={"name": name, "versions": [version_json(row) for row in rows]},
        table=Table(
            columns=("VERSION", "AT (UTC)", "BY", "STAGES", "SIZE", "DIGEST", "COMMIT", "STATE"),
            rows=tuple(
                (
                    str(row.version),
                    day(row.created_at),
                    row.author.name if row.author else "-",
                    ", ".join(row.stages) or "-",
                    size(row.size),
                    _short(row.artifact.digest),
                    row.commit[:9],
                    _state(row),
                )
                for row in rows
            ),
            right=frozenset({"SIZE"}),
        ),
        lines=() if rows else (f"{name} has no version yet.",),
        notes=() if rows else (f"hint: modelver release {name}",),
    )


def _short(digest: str | None) -> str:
    if digest is None:
        return "-"
    hexadecimal = digest.removeprefix("md5:")
    return f"{hexadecimal[:10]}.dir" if hexadecimal.endswith(".dir") else hexadecimal[:10]


def _state(row: VersionRow) -> str:
    problem = row.problem or row.artifact.problem
    words = [
        "withdrawn" if row.withdrawn else "",
        "unpublished" if row.published is False else "",
        "signed" if row.signed else "",
        f"problem: {problem}" if problem else "",
    ]
    return ", ".join(word for word in words if word) or "-"


def version_answer(facts: VersionFacts) -> Answer:
    """One version in full, in every form."""
    row = facts.row
    return Answer(
        data={
            **version_json(row),
            "params": facts.facts.params,
            "metrics": facts.facts.metrics,
            "data": [{"path": o.path, "digest": o.digest, "size": o.size} for o in facts.facts.data],
            "environment": facts.environment,
            "card": facts.card,
            "notes": [_note_json(note) for note in facts.notes.notes],
        },
        lines=tuple(_lines(facts)),
        table=None,
        notes=tuple(
            f"warning: {problem}"
            for problem in (*(found.problem for found in facts.facts.problems), *facts.notes.problems)
        ),
    )


def _note_json(note: Note) -> Json:
    return {**note.facts, "at": note.at, "kind": note.kind, "by": author_json(note.by)}


_REPRODUCED = {
    "identical": "reproduced identically",
    "equivalent": "reproduced with other bytes, and the same metrics",
    "different": "rebuilt, and came out different",
}


def _note_line(note: Note) -> str:
    """One note for people, with its reason if it gives one; what its kind says beyond that is in the JSON."""
    from dvc_modelver.core.secrets import redact_text

    verdict, reason = note.facts.get("verdict"), note.facts.get("reason")
    known = _REPRODUCED.get(verdict) if note.kind == REPRODUCTION and isinstance(verdict, str) else None
    by = f" by {note.by.name}" if note.by is not None else ""
    why = f": {redact_text(reason).removeprefix(f'{note.kind}: ')}" if isinstance(reason, str) and reason else ""
    return one_line(f"{known or note.kind} on {day(note.at)}{by}{why}", 300)


def _lines(facts: VersionFacts) -> list[str]:
    row, artifact = facts.row, facts.row.artifact
    author = f"{row.author.name} <{row.author.email}>" if row.author else "unknown"
    pairs = [
        ("version", f"{row.name}@{row.version}"),
        ("state", _state(row)),
        ("stages", ", ".join(row.stages) or "-"),
        ("released", f"{when(row.created_at)} by {author}"),
        ("commit", row.commit),
        ("previous", number(row.previous)),
        ("path", artifact.path or "-"),
        ("bytes", f"{size(row.size)}{f' in {artifact.files} files' if artifact.files else ''}"),
        ("digest", artifact.digest or "-"),
        ("sha256", row.sha256 or "- (released without a record)" if row.record is None else row.sha256 or "-"),
        ("kept by", artifact.source.value),
        ("card", facts.card or "-"),
    ]
    lines = [f"{key:<10}{value}" for key, value in pairs]
    body = row.message.partition("\n")[2].strip()
    if body:
        lines += ["", *(f"    {line}" for line in body.splitlines())]
    lines += _section("metrics", facts.facts.metrics)
    lines += _section("params", facts.facts.params)
    if facts.facts.data:
        lines += ["", "data", *(f"  {one_line(o.path)}  {o.digest or '-'}  {size(o.size)}" for o in facts.facts.data)]
    if facts.environment is not None:
        lines += ["", f"environment  {one_line(str(facts.environment['file']))}", *_environment(facts.environment)]
    if facts.notes.notes:
        lines += ["", "notes", *(f"  {_note_line(note)}" for note in facts.notes.notes)]
    return lines


def _environment(known: Mapping[str, object]) -> list[str]:
    """The words that a person looks for first; all of it is in the JSON."""
    if not known["recorded"]:
        return ["  pins packages; the training recorded nothing"]
    python, packages = known.get("python"), known.get("packages")
    rows = {
        "python": python.get("version", "-") if isinstance(python, Mapping) else "not known",
        "packages": len(packages) if isinstance(packages, (list, tuple)) else 0,
    }
    return _pairs(rows)


def _section(title: str, values: Values) -> list[str]:
    lines = []
    for file, keys in values.items():
        if keys:
            lines += ["", f"{title}  {file}", *_pairs(keys)]
    return lines


def _pairs(keys: Mapping[str, object]) -> list[str]:
    from dvc_modelver.core.secrets import HIDDEN, redact_text, redact_value

    def told(key: str, value: object) -> str:
        return HIDDEN if redact_value(key, value) == HIDDEN else redact_text(shown(value))

    rows = [(one_line(key), told(key, value)) for key, value in keys.items()]
    wide = min(max(len(key) for key, _ in rows), 40)
    return [f"  {key:<{wide}}  {value}" for key, value in rows]
