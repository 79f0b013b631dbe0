"""A comparison with the contract's keys."""

from __future__ import annotations

from dvc_modelver.cli.answer import Json
from dvc_modelver.core.comparison import Comparison, DataRow, Lines, MetricRow
from dvc_modelver.core.points import Bytes
from dvc_modelver.core.significance import Interval, Judged
from dvc_modelver.core.tables import TableProfile


def comparison_json(found: Comparison) -> Json:
    """Rows parallel to `versions`; what is absent is null."""
    level = found.bump.level
    return {
        "base": found.base.ref,
        "versions": [{"ref": p.ref, "name": p.name, "version": p.version, "commit": p.commit} for p in found.points],
        "metrics": [_metric(row) for row in found.metrics],
        "params": [{"file": row.file, "key": row.key, "values": row.values} for row in found.params],
        "data": [_data(row) for row in found.data],
        "code": [
            {"path": row.path, "change": row.change, "values": row.values, "lines": [_lines(n) for n in row.lines]}
            for row in found.code
        ],
        "pipeline": [{"stage": row.path, "change": row.change} for row in found.pipeline],
        "environment": [{"key": row.key, "values": row.values} for row in found.environment],
        "artifact": [{"key": row.key, "values": row.values} for row in found.artifact],
        "predictions": [{"path": row.path, "values": [_judged(v) for v in row.values]} for row in found.predictions],
        "other_files": found.other_files,
        "other_lines": [_lines(lines) for lines in found.other_lines],
        "bump": {"level": level.name.lower() if level is not None else None, "reasons": found.bump.reasons},
        "notes": found.notes,
    }


def _metric(row: MetricRow) -> Json:
    intervals = [_interval(interval) for interval in row.intervals]
    return {
        "file": row.file,
        "key": row.key,
        "values": row.values,
        "deltas": row.deltas,
        "better": row.better,
        **({"intervals": intervals} if intervals else {}),
    }


def _data(row: DataRow) -> Json:
    tables = [_table(table) for table in row.tables]
    changes = [[{"what": change.what, "detail": change.detail} for change in some] for some in row.changes]
    return {
        "path": row.path,
        "values": [_bytes(cell) for cell in row.values],
        **({"tables": tables} if tables else {}),
        **({"changes": changes} if changes else {}),
    }


def _bytes(cell: Bytes | None) -> Json | None:
    return None if cell is None else {"digest": cell.digest, "size": cell.size, "files": cell.files}


def _lines(lines: Lines | None) -> Json | None:
    return None if lines is None else {"added": lines.added, "removed": lines.removed}


def _interval(found: Interval | None) -> Json | None:
    if found is None:
        return None
    return {"low": found.low, "high": found.high, "level": found.level, "method": found.method}


def _judged(found: Judged | None) -> Json | None:
    if found is None:
        return None
    tests = [{"name": test.name, "p_value": test.p_value, "detail": test.detail} for test in found.tests]
    return {"samples": found.samples, "paired": found.paired, "tests": tests, "note": found.note}


def _table(found: TableProfile | None) -> Json | None:
    if found is None:
        return None
    columns = [
        {
            "name": column.name,
            "type": column.type,
            "nulls": column.nulls,
            "distinct": column.distinct,
            "min": column.minimum,
            "max": column.maximum,
            "mean": column.mean,
            "std": column.std,
        }
        for column in found.columns
    ]
    return {"rows": found.rows, "columns": columns}
