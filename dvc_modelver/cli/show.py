"""`modelver show`."""

from __future__ import annotations

from collections.abc import Mapping

from dvc_modelver.cli.answer import Answer, Json, author_json, day, number, record_json, shown, when
from dvc_modelver.cli.arguments import REFERENCE, REPO, opened
from dvc_modelver.cli.shell import table_command
from dvc_modelver.cli.table import Table
from dvc_modelver.commands.project import Surroundings
from dvc_modelver.commands.show import VersionFacts, VersionRow, show_version, show_versions
from dvc_modelver.core.facts import Values
from dvc_modelver.core.sizes import size
from dvc_modelver.core.text import one_line


@table_command
def run(around: Surroundings, reference: REFERENCE, repo: REPO = None) -> Answer:
    """Show all versions of a model, or one version in full.

    \b
    Examples:
      modelver show churn
      modelver show churn@v1.2.0
      modelver show churn#prod --json
    """
    with opened(around, repo, reference) as project:
        wanted = project.resolve(reference)
        if wanted.version is None and wanted.stage is None and not wanted.latest:
            return versions_answer(wanted.name, show_versions(project, wanted))
        return version_answer(show_version(project, wanted))


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
        },
        lines=tuple(_lines(facts)),
        table=None,
        notes=tuple(f"warning: {problem.problem}" for problem in facts.facts.problems),
    )


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
    rows = [(one_line(key), shown(value)) for key, value in keys.items()]
    wide = min(max(len(key) for key, _ in rows), 40)
    return [f"  {key:<{wide}}  {value}" for key, value in rows]
