"""What reading commands must answer: what the ledger says, the same in two clones of the same tags, and no trace."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from tests.reliability.stateful.ledger import Fact, State, precedence
from tests.reliability.stateful.life import Life
from tests.reliability.stateful.look import traces
from tests.reliability.stateful.project import MODELS
from tests.reliability.stateful.world import WHO
from tests.support import GtoOracle


def check_answers(life: Life, who: str) -> dict[str, Any]:
    """`list`, `history` and `show` say what the ledger says, and asking changes nothing; their answers."""
    git = life.world.git[who]
    before = traces(git)
    answers = {"list": life.ask(who, "list")[1], "history": life.ask(who, "history")[1]}
    states = life.states(who)
    for model, state in states.items():
        if state.versions:
            answers[model] = life.ask(who, "show", model)[1]
    assert traces(git) == before, "a question changed something"
    _check_list(answers["list"], states)
    _check_history(answers["history"], life.facts_of(who), states)
    for model, state in states.items():
        if state.versions:
            _check_show(answers[model], state)
    for model in MODELS:
        if model in answers:
            for version in answers[model]["versions"]:
                del version["published"]
    return answers


def _check_list(answer: Any, states: dict[str, State]) -> None:
    assert {m["name"] for m in answer["models"]} >= set(states)
    for model in answer["models"]:
        state = states.get(model["name"], State())
        assert model["latest"] == state.latest, f"latest: {model} instead of {state.latest}"
        assert model["versions"] == len(state.versions)
        assert model["retired"] == (state.retired_by is not None)
        held = {stage: (h["version"], h["tag"], h["commit"]) for stage, h in model["stages"].items()}
        expected = {stage: (fact.version, fact.tag, fact.commit) for stage, fact in state.holders.items()}
        assert held == expected, f"holders: {held} instead of {expected}"


def _check_history(answer: Any, facts: list[Fact], states: dict[str, State]) -> None:
    def row(fact: Fact) -> tuple[Any, ...]:
        events = states[fact.model].events.get(fact.stage or "", [])
        version = next((e.version for e in events if e.oid == fact.oid), fact.version)
        told = None if fact.kind == "retire" else version  # the record tells more than the event is about
        return fact.tag, fact.model, fact.kind, told, fact.stage, fact.counter, fact.commit

    def told(event: Any) -> tuple[Any, ...]:
        version = None if event["event"] == "retire" else event["version"]
        return (
            *(event["tag"], event["model"], event["event"], version),
            *(event["stage"], event["counter"], event["commit"]),
        )

    found = sorted((told(event) for event in answer["events"]), key=str)
    expected = sorted((row(fact) for fact in facts), key=str)
    assert found == expected


def _check_show(answer: Any, state: State) -> None:
    shown = {row["version"]: row for row in answer["versions"]}
    assert list(shown) == sorted(state.versions, key=precedence, reverse=True)
    for version, row in shown.items():
        fact = state.versions[version]
        assert (row["tag"], row["commit"]) == (fact.tag, fact.commit)
        assert row["withdrawn"] == (version in state.withdrawn)
        assert sorted(row["stages"]) == sorted(s for s in state.holders if state.holds(s) == version)
        assert row["artifact"]["digest"] == f"md5:{fact.digest}"
        if row["record"] is not None:
            assert row["record"]["digest"] == f"md5:{fact.digest}"


def check_clones(life: Life, answers: dict[str, dict[str, Any]]) -> None:
    """Clones with the same tags answer the same."""
    tags = [{n: r.oid for n, r in life.world.refs(who).items() if n.startswith("refs/tags/")} for who in WHO]
    if tags[0] == tags[1] and len(answers) == len(WHO):
        assert answers[WHO[0]] == answers[WHO[1]]


def check_doctor(life: Life, who: str, *, tidy: bool) -> None:
    """`doctor` names each tag that is not what the clone saw at first; where all is `tidy` it finds nothing."""
    before = traces(life.world.git[who])
    code, answer = life.ask(who, "doctor")
    assert traces(life.world.git[who]) == before, "a question changed something"
    told = {row["ref"].removeprefix("refs/tags/") for row in answer["problems"]}
    missed = life.moved(who) - told
    assert not missed, f"moved or gone, and doctor does not say so: {missed}"
    if life.moved(who):
        assert code == 1
    if tidy:
        assert code == 0, answer


def check_verify(life: Life, who: str, version: Fact) -> None:
    """`verify` says no of a version that moved or whose bytes are wrong here, and yes where nothing is amiss."""
    refs = life.world.refs(who)
    tag = f"refs/tags/{version.tag}"
    if tag not in refs or refs[tag].oid != version.oid:
        return
    code, answer = life.ask(who, "verify", f"{version.model}@{version.version}")
    amiss = version.tag in life.moved(who)
    wrong = version.digest in life.damaged(who)
    if amiss or wrong:
        assert code == 1, f"verify of {version.tag} sees nothing: {answer}"
    elif version.recorded and not life.damaged("store") and _there(life.world.cache(who), version.digest):
        assert code == 0, f"verify of {version.tag}: {answer}"


def _there(cache: Path, digest: str | None) -> bool:
    return digest is not None and (cache / digest[:2] / digest[2:]).is_file()


def check_get(life: Life, who: str, version: Fact, out: Path, *, well: bool) -> None:
    """`get` gives the bytes that were released, or nothing at all; where all is `well` it gives them."""
    out.unlink(missing_ok=True)
    answer = life.modelver("get", f"{version.model}@{version.version}", "-o", out, cwd=life.world.git[who], code=None)
    assert answer.code in (0, 3, 5, 6, 7), answer
    life.steps.append(f"{who}: get {version.tag} -> {answer.code}")
    if answer.code == 0:
        assert hashlib.md5(out.read_bytes()).hexdigest() == version.digest, "other bytes than were released"
    else:
        assert not out.exists(), "it failed and left something"
        assert not well, answer
    life.ask(who, "list")


def check_gto(life: Life, who: str) -> bool:
    """GTO names the same latest versions and holders, where the rules are the same; whether they were.

    Only releases and promotes: GTO puts previous holders back, and takes a pre-release for the latest version.
    """
    facts = life.facts_of(who)
    alike = all(f.kind in ("release", "promote") and f.recorded and "-" not in (f.version or "") for f in facts)
    commits = [(f.model, f.commit) for f in facts if f.kind == "release"]
    if not alike or len(set(commits)) < len(commits):
        return False
    shown = GtoOracle(life.world.git[who]).show()
    for model, state in life.states(who).items():
        assert shown[model]["version"] == state.latest
        held = {stage: version for stage, version in shown[model]["stage"].items() if version}
        assert held == {stage: state.holds(stage) for stage in state.holders}
    return True
