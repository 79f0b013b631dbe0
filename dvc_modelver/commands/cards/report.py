"""What is wrong with a card: held against the tree that it stands in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from dvc_modelver.cards.document import Card, State
from dvc_modelver.cards.facts import CardFacts
from dvc_modelver.cards.generate import named_in, plan, states
from dvc_modelver.commands.bytes_at_hand import Bytes
from dvc_modelver.commands.cards.check import CardReport, Finding
from dvc_modelver.commands.cards.facts import CardSource, TreeReader
from dvc_modelver.commands.cards.text import (
    card_path,
    missing_pictures,
    read_card,
)
from dvc_modelver.commands.cards.update import read_declared, refuse_shared
from dvc_modelver.commands.project import Project
from dvc_modelver.core.trees import Tree
from dvc_modelver.errors import ModelverError


def read_reports(
    project: Project, tree: Tree, names: Sequence[str], stage: str | None, known: Mapping[str, CardReport]
) -> tuple[tuple[CardReport, ...], frozenset[str]]:
    """What is wrong with each card, and whose report also depends on what `tree` does not show: data, tags.

    Args:
        known: the reports that need not be made.

    Raises as `check_cards`.
    """
    with Bytes(project) as at_hand:
        chosen = read_declared(project, tree, names)
        refuse_shared(project, chosen)
        reader = TreeReader(project, tree, at_hand)
        reports = tuple(
            known.get(one.name) or _report(project, reader.source(one), stage, asked=bool(names)) for one in chosen
        )
        return reports, frozenset(report.name for report in reports) if at_hand.asked else frozenset(reader.beyond)


def _report(project: Project, source: CardSource, stage: str | None, *, asked: bool) -> CardReport:
    name = source.declared.name
    path = card_path(project, name)
    try:
        card = read_card(source.tree, path)
    except ModelverError as error:
        return CardReport(name=name, path=path, version=None, problems=(Finding(problem=error.message),))
    if card is None:
        missing = Finding(problem="there is no card", remedy=f"modelver card update {name}")
        problems = (missing,) if asked or stage is not None else ()
        return CardReport(name=name, path=path, version=None, problems=problems, notes=() if problems else (missing,))
    found, notes = _findings(project, source, card, stage)
    return CardReport(name=name, path=path, version=named_in(card).version, problems=tuple(found), notes=tuple(notes))


def _findings(
    project: Project, source: CardSource, card: Card, stage: str | None
) -> tuple[list[Finding], list[Finding]]:
    from dvc_modelver.core.secrets import scan

    problems = [Finding(problem=p.message, remedy="mend the marker", line=p.line) for p in card.problems]
    facts = source.facts(named_in(card))
    if not card.problems:
        problems += _out_of_date(card, facts, missing_pictures(card, card_path(project, facts.name), source.tree))
    problems += [
        Finding(
            problem=f"this looks like a secret: {finding.kind}", remedy="take it out and change it", line=finding.line
        )
        for finding in scan(card.text)
    ]
    missing, advised = _sections(project, card, stage)
    numbers, differing = _numbers(project, source, card, facts)
    absent = [
        Finding(
            problem=f"{path} is kept by DVC and not at hand: its numbers were not compared", remedy=f"dvc pull {path}"
        )
        for path in facts.absent
    ]
    return problems + missing + numbers, advised + differing + absent


def _out_of_date(card: Card, facts: CardFacts, lost: Sequence[str]) -> Iterator[Finding]:
    from dvc_modelver.cards.document import replace_front_matter
    from dvc_modelver.cards.huggingface import front_matter

    found = states(plan(card, facts, again=("plots",) if lost else ()))
    update = f"modelver card update {facts.name}"
    words = {
        State.STALE: ("is out of date", update),
        State.EMPTY: ("was never filled", update),
        State.EDITED: ("was edited by hand", f"move your text out of it; or {update} --discard-edits"),
    }
    for block in card.blocks:
        state = found.get(block.id, State.FRESH)
        if state in words:
            problem, remedy = words[state]
            yield Finding(problem=f"block {block.id} {problem}", remedy=remedy, line=block.line, block=block.id)
    if not facts.absent and replace_front_matter(card, front_matter(facts)).text != card.text:
        yield Finding(problem="the front matter is out of date", remedy=update, line=1)


def _sections(project: Project, card: Card, stage: str | None) -> tuple[list[Finding], list[Finding]]:
    """What nobody has written: for the stage, and what the template advises."""
    from dvc_modelver.cards.sections import missing_sections
    from dvc_modelver.commands.cards.sections import advised_sections, stage_sections

    wanted = stage_sections(project.config, card, stage) if stage is not None else ()
    advised = [title for title in advised_sections(card) if title not in wanted]
    if stage is not None and stage not in project.config.cards.required:
        wanted, advised = (*wanted, *advised), []
    found = [
        [
            Finding(problem=f"section '{m.title}' {_WHY[m.reason.value]}", remedy="write it", line=m.line)
            for m in missing_sections(card, titles)
        ]
        for titles in (wanted, advised)
    ]
    return found[0], found[1]


_WHY = {"absent": "is missing", "empty": "is empty", "placeholder": "is still to be written"}


def _numbers(project: Project, source: CardSource, card: Card, facts: CardFacts) -> tuple[list[Finding], list[Finding]]:
    """Numbers in people's text that are an earlier version's, and those that are nobody's."""
    from dvc_modelver.cards.numbers import stale_numbers
    from dvc_modelver.core.metrics import slice_names

    current = _flat(facts.metrics)
    if not current:
        return [], []
    found = stale_numbers(
        card, current, lambda: _earlier(project, source, facts.named.version), slice_names(facts.metrics)
    )
    stale = [
        Finding(
            problem=f"{s.metric} is given as {s.written}: {s.version} had {s.earlier:.6g}, now it is {s.current:.6g}",
            remedy="correct the number, or name the version that it is of",
            line=s.line,
        )
        for s in found.stale
    ]
    notes = [
        Finding(problem=f"{n.metric} is given as {n.written}; this version has {n.current:.6g}", line=n.line)
        for n in found.notes
    ]
    return stale, notes


def _earlier(project: Project, source: CardSource, version: str | None) -> list[tuple[str, Mapping[str, float]]]:
    """The metrics of the versions before the card's own, latest first; none in a clone without tags."""
    from dvc_modelver.commands.commitfacts import commit_facts, read_ahead
    from dvc_modelver.core.versions import Version

    source.reader.beyond.add(source.declared.name)
    model = project.model_of(source.declared.name)
    top = Version.parse(version) if version is not None else None
    versions = [v for v in model.versions[::-1] if top is None or v < top]
    commits = {v: model.release_ref(v).target or "" for v in versions}
    read_ahead(project, model.name, list(commits.values()))
    found: list[tuple[str, Mapping[str, float]]] = []
    for v, commit in commits.items():
        try:
            found.append((str(v), _flat(commit_facts(project, model.name, commit, source.at_hand).metrics)))
        except ModelverError:  # its commit cannot be read: nothing is known of its numbers
            continue
    return found


def _flat(values: Mapping[str, Mapping[str, object]]) -> dict[str, float]:
    return {
        key: float(value)
        for keys in values.values()
        for key, value in keys.items()
        if isinstance(value, (int, float)) and not isinstance(value, bool)
    }
