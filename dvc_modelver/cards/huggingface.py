"""Our keys of a card's front matter, as the Hugging Face Hub reads them.  Pure, from Git-tracked facts alone."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from dvc_modelver.cards.facts import CardFacts
from dvc_modelver.cards.tasks import OTHER, is_hub_id, known_task, library, metric, slug, task_title
from dvc_modelver.cards.yamltext import Value
from dvc_modelver.core.facts import Output, Scalar
from dvc_modelver.core.metrics import measured, slices
from dvc_modelver.core.recipe import Input, Kind, Step
from dvc_modelver.core.secrets import HIDDEN, redact_text, redact_value
from dvc_modelver.core.text import one_line

MAX_METRICS = 100
"""Numbers of one metrics file."""
MAX_NAMES = 20
"""Names under `metrics`."""
_MAX_FILES, _MAX_TEXTS, _MAX_LENGTH, _MAX_BITS = 50, 50, 200, 64
_HELD_OUT = frozenset(["test", "tests", "testing", "val", "valid", "validation", "eval", "evaluation", "holdout"])


def front_matter(facts: CardFacts) -> dict[str, Value]:
    """Our keys in their order; one that nothing is known for is left out."""
    meta = facts.declared.meta
    task = _known(facts)
    found: dict[str, Value] = {
        "license": next((text.lower() for text in _texts(meta.get("license"))), None),
        "library_name": _library(facts),
        "pipeline_tag": task if task != OTHER else None,
        "tags": _texts(facts.declared.labels),
        "datasets": _datasets(facts),
        "metrics": _names(facts),
        "base_model": _one_or_many([text for text in _texts(meta.get("base_model")) if is_hub_id(text)]),
        "model-index": _model_index(facts),
    }
    return {key: value for key, value in found.items() if value}


def _texts(value: object) -> list[str]:
    """The texts of a text or a list, without secrets, each once; whatever else it is or holds is left out."""
    items = [value] if isinstance(value, str) else value if isinstance(value, (list, tuple)) else []
    lines = (_line(item) for item in items[:_MAX_TEXTS] if isinstance(item, str))
    return list(dict.fromkeys(line for line in lines if line))


def _line(text: str) -> str:
    return one_line(redact_text(text), _MAX_LENGTH)


def _one_or_many(texts: list[str]) -> str | list[str]:
    return texts[0] if len(texts) == 1 else texts


def _library(facts: CardFacts) -> str | None:
    said = (*_texts(facts.declared.meta.get("library_name")), *_texts(facts.declared.meta.get("framework")))
    return next((name for text in said if (name := library(text))), None)


def _datasets(facts: CardFacts) -> list[str]:
    """What people name; else the file names of the raw data: the Hub refuses paths."""
    raw = (found.output.path for found in facts.recipe.data if found.kind is Kind.DATA)
    names = _texts(facts.declared.meta.get("datasets")) or _texts([PurePosixPath(path).name for path in raw])
    return [name for name in names if is_hub_id(name)]


# Task --------------------------------------------------------------------------------------------------------------


def _said(facts: CardFacts) -> list[str]:
    meta = facts.declared.meta
    return [*_texts(meta.get("task"))[:1], *_texts(meta.get("pipeline_tag"))[:1]]


def _known(facts: CardFacts) -> str | None:
    said = (*_said(facts), *_texts(facts.declared.labels))
    return next((task for text in said if (task := known_task(text))), None)


def _task(facts: CardFacts) -> dict[str, Value]:
    """A task that the Hub knows goes by the Hub's id, in people's own words where they have others."""
    words = next(iter(_said(facts)), "")
    task = _known(facts) or slug(words) or OTHER
    return {"type": task, "name": words if words and known_task(words) is None else task_title(task)}


# Metrics -----------------------------------------------------------------------------------------------------------


def _model_index(facts: CardFacts) -> list[Value]:
    results: list[Value] = [
        {"task": _task(facts), "dataset": _dataset(facts, file), "metrics": numbers}
        for file in sorted(facts.metrics)[:_MAX_FILES]
        if (numbers := _results(facts, file))
    ]
    return [{"name": _line(facts.name), "results": results}] if results else []


def _results(facts: CardFacts, file: str) -> list[Value]:
    return [
        {"type": metric(measured(key)), "name": _line(key) or "value", "value": value}
        for key, value in list(_numbers(facts, file))[:MAX_METRICS]
    ]


def _names(facts: CardFacts) -> list[str]:
    found = (metric(measured(key)) for file in sorted(facts.metrics) for key, _ in _numbers(facts, file))
    return list(dict.fromkeys(found))[:MAX_NAMES]


def _numbers(facts: CardFacts, file: str) -> Iterator[tuple[str, int | float]]:
    """(dotted key, finite number) of the whole data; a file that holds one number and no key goes by its name.

    A slice's numbers would look like second results on the same data: they are left out unless there are no others.
    """
    values = facts.metrics[file]
    for key, value in ((key, values[key]) for key in slices(values).plain or tuple(values)):
        if _is_number(value) and redact_value(key, value) != HIDDEN:
            yield key or PurePosixPath(file).stem, value  # type: ignore[misc]  # it is a number


def _is_number(value: Scalar) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return value.bit_length() <= _MAX_BITS if isinstance(value, int) else math.isfinite(value)


# What was measured on ----------------------------------------------------------------------------------------------


def _dataset(facts: CardFacts, file: str) -> dict[str, Value]:
    """The data that the numbers of a metrics file were measured on; the digest is its revision."""
    found = _evaluated_on(facts, file)
    if found is None:
        return {"name": "not recorded", "type": "unknown"}
    path = found.output.path
    named: dict[str, Value] = {"name": _line(path), "type": slug(PurePosixPath(path).stem) or "unknown"}
    return named | ({"revision": _line(found.output.digest)} if found.output.digest else {})


def _evaluated_on(facts: CardFacts, file: str) -> Input | None:
    recipe = facts.recipe
    steps = (*recipe.evaluation, *recipe.steps)
    step = next((step for step in steps if _writes(step, file)), None)
    own = _data(facts, step) if step is not None else []
    found = own or [item for earlier in _before(recipe.evaluation, step) for item in _data(facts, earlier)]
    by_path = sorted(found, key=lambda item: item.output.path)
    return next((item for item in by_path if _is_held_out(item.output)), None) or next(
        iter((*by_path, *recipe.data)), None
    )


def _data(facts: CardFacts, step: Step) -> list[Input]:
    """The data that a step read, without the model and what the evaluation itself wrote."""
    return [
        item
        for item in step.inputs
        if item.kind in (Kind.DATA, Kind.STAGE)
        and not facts.is_model(item.output.path)
        and not any(_writes(other, item.output.path) for other in facts.recipe.evaluation)
    ]


def _before(evaluation: Iterable[Step], step: Step | None) -> list[Step]:
    """The evaluation's steps that `step` reads from, the nearest first; each stands behind those that it reads."""
    wanted = [step] if step is not None else []
    for earlier in reversed(tuple(evaluation)):
        if earlier not in wanted and any(_writes(earlier, item.output.path) for late in wanted for item in late.inputs):
            wanted.append(earlier)
    return wanted[1:]


def _writes(step: Step, path: str) -> bool:
    return any(_holds(out.path, path) for out in step.outs)


def _holds(folder: str, path: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")


def _is_held_out(output: Output) -> bool:
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", output.path)
    return any(word.lower() in _HELD_OUT for word in words)
