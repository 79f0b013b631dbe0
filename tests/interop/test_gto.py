"""GTO and DVC read what we write, we read what GTO writes; and where they go wrong, both answers side by side."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from tests.interop.pair import Pair
from tests.reliability.tools import check_card
from tests.support import Clones, DvcRepo, GtoOracle, Modelver, snapshot
from tests.support.gto import GtoFailed

NESTED = "nlp/team:ranker"


@pytest.fixture
def pair(dvc_repo: DvcRepo, modelver: Modelver, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """`dvc_repo`, with the models `churn` at its root and `nlp/team:ranker` below it."""
    dvc_repo.git.write("nlp/team/dvc.yaml", "artifacts:\n  ranker:\n    path: ranker.bin\n    type: model\n")
    dvc_repo.git.commit("A second model", {"nlp/team/ranker.bin": "ranks 1\n"})
    return Pair(dvc_repo, modelver, tmp_path_factory.mktemp("fetched"))


def two_versions(pair: Pair) -> tuple[bytes, bytes]:
    """`churn` v0.1.0 and v0.2.0, ours; their bytes."""
    first = pair.repo.model.read_bytes()
    pair.run("release", "churn")
    second = pair.train(9)
    pair.run("release", "churn")
    return first, second


# What we write -------------------------------------------------------------------------------------


def test_gto_reads_what_we_write(pair: Pair) -> None:
    """After each of our writing commands GTO names the same events, versions and holders."""
    start = pair.git.rev()
    for command in (
        ["release", "churn"],
        ["release", NESTED, "--version", "v1.0.0"],
        ["promote", "churn@v0.1.0", "prod"],
        ["promote", NESTED, "prod", "-m", "a message\n\nof two --- paragraphs"],
    ):
        pair.run(*command)
        pair.assert_agreed()
    pair.train(9)
    for command in (
        ["release", "churn", "--bump", "minor", "--stage", "staging"],
        ["promote", "churn@latest", "prod"],
        ["promote", "churn@v0.1.0", "shadow"],
        ["withdraw", "churn#shadow"],
        ["withdraw", "churn@v0.1.0", "-m", "leaks the label", "--yes"],
        ["retire", NESTED],
    ):
        pair.run(*command)
        pair.assert_agreed()
    assert pair.git.tags() == [
        "churn#prod#1",
        "churn#prod#3",
        "churn#shadow!#5",
        "churn#shadow#4",
        "churn#staging#2",
        "churn@v0.1.0",
        "churn@v0.1.0!",
        "churn@v0.2.0",
        "nlp/team=ranker#prod#1",
        "nlp/team=ranker@deprecated",
        "nlp/team=ranker@v1.0.0",
    ]
    # Each of the three versions is on a commit of its own that has its card.
    subjects = pair.git("log", "--reverse", "--format=%s", f"{start}..HEAD").splitlines()
    assert [line.startswith("Release ") for line in subjects] == [True, True, False, True]
    check_card(pair.git, "churn@v0.1.0")
    check_card(pair.git, "churn@v0.2.0")


def test_gto_reads_cards_beside_the_branch(pair: Pair) -> None:
    """A version that is the child of a commit, on no branch, is one version for GTO and DVC as well."""
    first, head = pair.repo.model.read_bytes(), pair.git.rev()
    pair.train(9)
    pair.run("release", "churn", "--rev", head, "--stage", "prod")
    assert pair.git.rev("churn@v0.1.0^{commit}^") == head
    pair.assert_agreed()
    pair.run("promote", "churn", "dev")
    pair.assert_agreed()
    assert pair.dvc_get(stage="prod") == pair.get("churn#prod") == first


def test_gto_reads_reopened_models(pair: Pair) -> None:
    """Retired, reopened and retired again: GTO agrees at each step."""
    pair.run("release", "churn")
    pair.run("retire", "churn")
    assert NESTED not in pair.gto.show()
    pair.assert_agreed()
    pair.train(9)
    pair.run("release", "churn", "--unretire")
    pair.assert_agreed()
    assert pair.latest() == "v0.2.0"
    pair.run("retire", "churn")
    pair.assert_agreed()
    assert pair.state() == {}


def test_gto_reads_timestamp_versions(pair: Pair) -> None:
    """Versions of the timestamp scheme are SemVer for GTO, which finds the same latest."""
    pair.git.commit("Configure", {".modelver.yaml": "scheme: timestamp\n"})
    pair.run("release", "churn")
    pair.train(9)
    pair.run("release", "churn")
    assert len(pair.gto.versions("churn")) == 2
    pair.assert_agreed()


def test_gto_reads_prereleases(pair: Pair) -> None:
    """A pre-release and the final version after it are the same for GTO."""
    pair.run("release", "churn", "--version", "v1.0.0-rc.1")
    pair.assert_agreed()
    pair.train(9)
    pair.run("release", "churn")
    pair.assert_agreed()
    assert pair.latest() == "v1.0.0"


def test_gto_counts_on_from_our_counters(pair: Pair) -> None:
    """Each tool takes the counter after the other's highest, over all stages."""
    pair.run("release", "churn", "--stage", "prod")
    pair.gto.assign("churn", version="v0.1.0", stage="dev")
    pair.run("promote", "churn", "staging")
    pair.gto("deprecate", "churn", "v0.1.0", "dev")
    pair.run("withdraw", "churn#prod")
    assert pair.git.tags() == [
        "churn#dev!#4",
        "churn#dev#2",
        "churn#prod!#5",
        "churn#prod#1",
        "churn#staging#3",
        "churn@v0.1.0",
    ]
    pair.assert_agreed()


def test_dvc_fetches_what_we_release(pair: Pair) -> None:
    """By version, by stage and by name alone DVC fetches the bytes that `get` fetches, out of cache and Git."""
    first, second = two_versions(pair)
    pair.run("release", NESTED)
    pair.run("promote", "churn@v0.1.0", "prod")
    pair.run("promote", NESTED, "prod")
    expected = {"v0.1.0": first, "v0.2.0": second}
    for version, data in expected.items():
        assert pair.dvc_get(version=version) == pair.get(f"churn@{version}") == data
    assert pair.dvc_get(stage="prod") == pair.get("churn#prod") == first
    assert pair.dvc_get() == pair.get("churn") == second
    assert pair.dvc_get(NESTED, version="v0.1.0") == pair.get(f"{NESTED}@v0.1.0") == b"ranks 1\n"
    assert pair.dvc_get(NESTED, stage="prod") == pair.get(f"{NESTED}#prod") == b"ranks 1\n"


# What GTO writes -----------------------------------------------------------------------------------


@pytest.mark.parametrize("simple", ["auto", "true", "false"])
def test_we_read_what_gto_writes(pair: Pair, simple: str) -> None:
    """Every command of GTO, with and without counters, is shown by us as GTO shows it."""
    flag = ("--simple", simple)
    pair.gto("register", "churn", *flag)
    pair.assert_agreed()
    pair.gto("assign", "churn", "--version", "v0.0.1", "--stage", "prod", *flag)
    pair.assert_agreed()
    pair.train(9)
    pair.gto("register", "churn", "--bump-minor", *flag)
    pair.gto("register", NESTED, "--version", "v1.0.0-rc.1+build.5", *flag)
    pair.assert_agreed()
    pair.gto("assign", "churn", "--version", "v0.1.0", "--stage", "eu/prod", *flag)
    pair.gto("deprecate", "churn", "v0.1.0", "eu/prod", *flag)
    pair.assert_agreed()
    pair.gto("deprecate", "churn", "v0.1.0", *flag)
    pair.assert_agreed()
    pair.gto("deprecate", NESTED, *flag)
    pair.assert_agreed()
    assert pair.state() == {"churn": ("v0.0.1", {"prod": "v0.0.1"})}
    assert ("churn@v0.1.0!" in pair.git.tags()) == (simple != "false")
    assert len(pair.git.tags()) == 8


def test_we_fetch_what_gto_registers(pair: Pair) -> None:
    """A version of GTO's has no record, and is fetched from what its commit says."""
    data = pair.repo.model.read_bytes()
    pair.gto.register("churn")
    pair.gto.assign("churn", version="v0.0.1", stage="prod")
    assert pair.get("churn#prod") == pair.get("churn@v0.0.1") == pair.dvc_get(stage="prod") == data
    shown = pair.run("show", "churn@v0.0.1", "--json").json
    assert (shown["record"], shown["artifact"]["source"], shown["author"]["name"]) == (None, "stage", "Ada Byron")


def test_we_go_on_from_gtos_numbers(pair: Pair) -> None:
    """Our next version is above GTO's, and GTO's next above ours."""
    pair.gto.register("churn", "--version", "v1.4.0")
    pair.train(9)
    pair.run("release", "churn", "--bump", "minor")
    pair.train(10)
    pair.gto.register("churn", "--bump-patch")
    assert [v["version"] for v in pair.run("show", "churn", "--json").json["versions"]] == [
        "v1.5.1",
        "v1.5.0",
        "v1.4.0",
    ]
    pair.assert_agreed()


def test_an_assignment_to_an_unregistered_commit(pair: Pair) -> None:
    """GTO can put a bare commit into a stage: its version is the commit for GTO, and null for us."""
    pair.gto("assign", "churn", "--stage", "dev", "--skip-registration")
    assert pair.gto_stages() == {"dev": pair.git.rev()}
    held = pair.models()["churn"]["stages"]["dev"]
    assert (held["version"], held["commit"]) == (None, pair.git.rev())
    assert "no version" in pair.run("doctor", code=1).out
    assert "no version" in pair.run("get", "churn#dev", code=7).err


# Mixed ---------------------------------------------------------------------------------------------


class Mixed:
    """Random operations by us and by GTO in turn; what they must agree in is kept here, apart from both."""

    def __init__(self, pair: Pair, seed: int) -> None:
        self.pair = pair
        self.random = random.Random(seed)
        self.depth = 10
        self.alive: dict[str, list[str]] = {"churn": [], NESTED: []}
        self.highest: dict[str, tuple[int, int, int]] = {"churn": (0, 0, 0), NESTED: (0, 0, 0)}
        self.stages: dict[str, dict[str, str]] = {"churn": {}, NESTED: {}}
        self.emptied: set[tuple[str, str]] = set()
        """Stages whose holder was withdrawn: GTO puts the one before back, until the next promote."""
        self.retired: set[str] = set()

    def step(self) -> str:
        """Do one thing that is possible now; a line that says what."""
        name = self.random.choice(list(self.alive))
        ours = self.random.random() < 0.5
        if name in self.retired or len(self.alive[name]) < 2:
            return self.release(name, ours)
        kinds = [self.release, self.promote, self.promote, self.promote, self.empty, self.withdraw, self.retire]
        return self.random.choices(kinds, [5, 5, 5, 5, 4, 2, 1])[0](name, ours)

    def release(self, name: str, ours: bool) -> str:
        self.depth += 1
        if name == "churn":
            self.pair.train(self.depth)
        else:
            self.pair.git.commit("Train", {"nlp/team/ranker.bin": f"ranks {self.depth}\n"})
        major, minor, patch = self.highest[name]
        levels = {"patch": (major, minor, patch + 1), "minor": (major, minor + 1, 0), "major": (major + 1, 0, 0)}
        bump = self.random.choice(["patch", "patch", "minor", "major"])
        self.highest[name] = levels[bump]
        version = "v{}.{}.{}".format(*levels[bump])
        reopen = ["--unretire"] if name in self.retired else []
        if not ours:
            simple = self.random.choice(["true", "false"])
            self.pair.gto("register", name, "--version", version, "--simple", simple)
        elif self.highest[name] == levels["patch"] and not self.alive[name] and major == minor == patch == 0:
            self.pair.run("release", name, "--version", version)
        else:
            self.pair.run("release", name, "--bump", bump, "--force-bump", *reopen)
        self.retired.discard(name)
        self.alive[name].append(version)
        return f"release {name}@{version}"

    def promote(self, name: str, ours: bool) -> str:
        stage = self.random.choice(["dev", "staging", "prod"])
        version = self.random.choice([v for v in self.alive[name] if v != self.stages[name].get(stage)])
        if ours:
            self.pair.run("promote", f"{name}@{version}", stage)
        else:
            self.pair.gto("assign", name, "--version", version, "--stage", stage, "--force")
        self.stages[name][stage] = version
        self.emptied.discard((name, stage))
        return f"promote {name}@{version} {stage}"

    def empty(self, name: str, ours: bool) -> str:
        if not self.stages[name]:
            return self.promote(name, ours)
        stage = self.random.choice(sorted(self.stages[name]))
        version = self.stages[name].pop(stage)
        if ours:
            self.pair.run("withdraw", f"{name}#{stage}")
        else:
            self.pair.gto("deprecate", name, version, stage, "--force")
        self.emptied.add((name, stage))
        return f"withdraw {name}#{stage}"

    def withdraw(self, name: str, ours: bool) -> str:
        version = self.random.choice(self.alive[name])
        self.alive[name].remove(version)
        if ours:
            self.pair.run("withdraw", f"{name}@{version}", "-m", "bad", "--yes")
        else:
            self.pair.gto("deprecate", name, version)
        for stage in [stage for stage, held in self.stages[name].items() if held == version]:
            del self.stages[name][stage]
            self.emptied.add((name, stage))
        return f"withdraw {name}@{version}"

    def retire(self, name: str, ours: bool) -> str:
        if ours:
            self.pair.run("retire", name)
        else:
            self.pair.gto("deprecate", name, "--force")
        self.retired.add(name)
        return f"retire {name}"

    def expected(self) -> dict[str, Any]:
        """The state as it must be."""
        return {
            name: (max(alive, key=_by_number, default=None), self.stages[name])
            for name, alive in self.alive.items()
            if name not in self.retired and self.highest[name] != (0, 0, 0)
        }

    def without_emptied(self, state: dict[str, Any]) -> dict[str, Any]:
        """A state without the stages of which GTO is known to say something else."""
        return {
            name: (latest, {stage: held for stage, held in stages.items() if (name, stage) not in self.emptied})
            for name, (latest, stages) in state.items()
        }


def _by_number(version: str) -> tuple[int, ...]:
    return tuple(map(int, version[1:].split(".")))


def run_mixed(pair: Pair, seed: int, steps: int) -> None:
    """After each step our state is the expected one, and GTO's too, but for stages that were emptied."""
    mixed, done = Mixed(pair, seed), []
    for _ in range(steps):
        done.append(mixed.step())
        assert pair.state() == mixed.expected(), done
        assert mixed.without_emptied(pair.gto_state()) == mixed.without_emptied(mixed.expected()), done
    assert pair.events() == pair.gto_events()
    assert {event[0] for event in pair.events()} >= {"release", "promote", "withdraw-stage"}


def test_thirty_mixed_operations(pair: Pair) -> None:
    """Thirty operations by us and by GTO in turn leave both with the same versions, holders and events."""
    run_mixed(pair, seed=1, steps=30)


@pytest.mark.long
@pytest.mark.parametrize("seed", [2, 3])
def test_two_hundred_mixed_operations(pair: Pair, seed: int) -> None:
    """Two hundred operations by us and by GTO in turn leave both with the same versions, holders and events."""
    run_mixed(pair, seed=seed, steps=200)


# Where they go wrong -------------------------------------------------------------------------------


def test_a_slow_clock_does_not_decide(pair: Pair) -> None:
    """A promote on a machine an hour behind: GTO and DVC name the version before, we the one promoted last."""
    first, second = two_versions(pair)
    pair.run("promote", "churn@v0.1.0", "prod")
    pair.git.clock.tick(-3600)
    pair.run("promote", "churn@v0.2.0", "prod")
    pair.git.clock.tick(3600)
    assert (pair.gto_stages(), pair.dvc_get(stage="prod")) == ({"prod": "v0.1.0"}, first)
    assert (pair.stages(), pair.get("churn#prod")) == ({"prod": "v0.2.0"}, second)


def test_counters_decide_within_one_second(pair: Pair) -> None:
    """Events 9 and 10 in the same second: GTO and DVC sort `#10` before `#9`, we count."""
    first, second = two_versions(pair)
    pair.git.clock.tick()
    for counter in range(1, 11):
        pair.raw_tag(f"churn#prod#{counter}", "churn@v0.2.0^{}" if counter % 2 == 0 else "churn@v0.1.0^{}")
    assert (pair.gto_stages(), pair.dvc_get(stage="prod")) == ({"prod": "v0.1.0"}, first)
    assert (pair.stages(), pair.get("churn#prod")) == ({"prod": "v0.2.0"}, second)


def test_a_simple_tag_counts_as_zero(pair: Pair) -> None:
    """A tag without a counter that is made after counted ones: GTO goes by the clock, we by the counter."""
    two_versions(pair)
    pair.run("promote", "churn@v0.1.0", "prod")
    pair.gto("assign", "churn", "--version", "v0.2.0", "--stage", "prod", "--simple", "true")
    assert pair.gto_stages() == {"prod": "v0.2.0"}
    assert pair.stages() == {"prod": "v0.1.0"}


def test_at_an_equal_counter_the_withdrawal_is_last(pair: Pair) -> None:
    """Two people promote and withdraw with one counter: for GTO the clocks decide, for us the stage is empty."""
    two_versions(pair)
    for stage, names in {"prod": ("churn#prod#5", "churn#prod!#5"), "dev": ("churn#dev!#5", "churn#dev#5")}.items():
        for name in names:
            pair.git.clock.tick()
            pair.raw_tag(name)
        assert stage not in pair.stages()
    assert pair.gto_stages() == {"dev": "v0.2.0"}


def test_withdrawing_from_a_stage_puts_nobody_back(pair: Pair) -> None:
    """The holder is withdrawn: GTO puts the one before back, DVC serves the withdrawn one, for us it is empty."""
    _, second = two_versions(pair)
    pair.run("promote", "churn@v0.1.0", "prod")
    pair.run("promote", "churn@v0.2.0", "prod")
    pair.run("withdraw", "churn#prod")
    assert (pair.gto_stages(), pair.dvc_get(stage="prod")) == ({"prod": "v0.1.0"}, second)
    assert pair.stages() == {}
    assert "empty" in pair.run("get", "churn#prod", code=7).err


def test_a_withdrawn_version_is_served_to_nobody(pair: Pair) -> None:
    """A bad version is withdrawn: GTO puts the one before into its stage, DVC serves it on, we refuse."""
    first, second = two_versions(pair)
    pair.run("promote", "churn@v0.1.0", "prod")
    pair.run("promote", "churn@v0.2.0", "prod")
    pair.run("withdraw", "churn@v0.2.0", "-m", "leaks the label", "--yes")
    assert pair.gto_stages() == {"prod": "v0.1.0"}
    assert pair.dvc_get(stage="prod") == pair.dvc_get(version="v0.2.0") == second
    assert (pair.latest(), pair.stages()) == ("v0.1.0", {})
    assert pair.get("churn") == first
    pair.run("get", "churn#prod", code=7)
    assert "withdrawn" in pair.run("get", "churn@v0.2.0", code=3).err


def test_a_withdrawn_latest_is_not_the_latest(pair: Pair) -> None:
    """Asked for the model by name, DVC serves the withdrawn version, we the highest that is in use."""
    first, second = two_versions(pair)
    pair.run("withdraw", "churn@v0.2.0", "-m", "leaks the label", "--yes")
    assert pair.dvc_get() == second
    assert pair.get("churn") == first


def test_a_withdrawn_number_is_not_used_again(pair: Pair) -> None:
    """After the only version is withdrawn GTO starts again below it; we go on above it, and refuse the number."""
    pair.run("release", "churn", "--version", "v2.0.0")
    pair.run("withdraw", "churn@v2.0.0", "-m", "bad", "--yes")
    pair.train(9)
    pair.run("release", "churn", "--version", "v2.0.0", code=4)
    assert pair.run("release", "churn", "--dry-run", "--json").json["models"][0]["version"] == "v2.0.1"
    pair.gto.register("churn")
    assert "churn@v0.0.1" in pair.git.tags()


def test_a_prerelease_is_not_the_latest(pair: Pair) -> None:
    """With a final version at hand GTO and DVC take a pre-release for the latest, we do not."""
    first = pair.repo.model.read_bytes()
    pair.run("release", "churn", "--version", "v1.0.0")
    second = pair.train(9)
    pair.run("release", "churn", "--version", "v2.0.0-rc.1")
    assert (pair.gto.show()["churn"]["version"], pair.dvc_get()) == ("v2.0.0-rc.1", second)
    assert (pair.latest(), pair.get("churn")) == ("v1.0.0", first)


def test_a_stage_does_not_reopen_a_retired_model(pair: Pair) -> None:
    """An assignment after the retirement makes the model active again for GTO; for us only a release does."""
    pair.run("release", "churn")
    pair.run("retire", "churn")
    pair.gto("assign", "churn", "--version", "v0.1.0", "--stage", "prod")
    assert pair.gto.show()["churn"]["active"]
    assert pair.models()["churn"]["retired"]
    pair.run("promote", "churn", "dev", code=3)


@pytest.mark.parametrize(
    ("name", "rev", "problem"),
    [
        ("churn@created", "HEAD", None),
        ("churn@v9.0.0", "HEAD^{tree}", "tree"),
        ("churn@v9.0.0", "HEAD:dvc.yaml", "blob"),
        ("ranker#prod#1", "HEAD^{tree}", "tree"),
    ],
)
def test_a_bad_tag_costs_only_itself(pair: Pair, name: str, rev: str, problem: str | None) -> None:
    """One bad tag, and GTO answers for no model at all; we show all others, and `doctor` names it."""
    two_versions(pair)
    pair.run("promote", "churn@v0.1.0", "prod")
    before = pair.models()["churn"]
    pair.git.clock.tick()
    pair.raw_tag(name, rev)
    with pytest.raises(Exception):  # noqa: B017, PT011 (whatever GTO raises: the point is that it does)
        pair.gto.show()
    after = pair.models()["churn"]
    assert (after["stages"], pair.get("churn@v0.2.0")) == (before["stages"], pair.repo.model.read_bytes())
    assert pair.latest() == "v0.2.0"
    diagnosis = pair.run("doctor", "--json", code=0 if problem is None else 1).json
    assert [p["ref"] for p in diagnosis["problems"]] == ([] if problem is None else [f"refs/tags/{name}"])
    assert all(problem in p["problem"] for p in diagnosis["problems"] if problem)


@pytest.mark.parametrize("card", [False, True], ids=["tag", "card"])
def test_two_versions_on_one_commit(pair: Pair, card: bool) -> None:
    """A second version on a commit that is in a stage: GTO fails for every model, we say which version is meant.

    With its card it has a commit of its own, and GTO reads it.
    """
    two_versions(pair)
    pair.run("promote", "churn@v0.2.0", "prod")
    pair.run("release", "churn", "--version", "v0.3.0", code=3)
    pair.run("release", "churn", "--version", "v0.3.0", "--same-commit", *([] if card else ["--no-card"]))
    if card:
        assert pair.git.rev("churn@v0.3.0^{commit}^") == pair.git.rev("churn@v0.2.0^{commit}")
        pair.assert_agreed()
    else:
        assert pair.git.rev("churn@v0.3.0^{commit}") == pair.git.rev("churn@v0.2.0^{commit}")
        with pytest.raises(GtoFailed, match=r"0\.2\.0.*0\.3\.0"):
            pair.gto.show()
    assert (pair.latest(), pair.stages()) == ("v0.3.0", {"prod": "v0.2.0"})


def test_two_versions_on_one_commit_without_records(pair: Pair) -> None:
    """Made by others, the stage is held by the highest version that was there when it was set."""
    pair.git.tag("churn@v1.0.0")
    pair.git.tag("churn@v1.1.0")
    pair.git.tag("churn#prod#1")
    pair.git.tag("churn@v1.2.0")
    with pytest.raises(GtoFailed, match=r"1\.0\.0.*1\.1\.0"):
        pair.gto.show()
    assert (pair.latest(), pair.stages()) == ("v1.2.0", {"prod": "v1.1.0"})


def test_a_shallow_clone_is_not_a_young_project(pair: Pair, tmp_path: Path) -> None:
    """In a clone without history GTO finds nothing and issues v0.0.1 again; we say so, and refuse to release."""
    two_versions(pair)
    pair.train(10)
    pair.git("clone", "-q", "--depth", "1", f"file://{pair.git.path}", tmp_path / "shallow")
    clone = pair.git.at(tmp_path / "shallow")
    listed = pair.modelver("list", "--json", cwd=clone)
    assert listed.json["incomplete"]
    assert "shallow" in listed.err
    before = snapshot(clone)
    assert "shallow" in pair.modelver("release", "churn", cwd=clone, code=6).err
    assert snapshot(clone) == before
    gto = GtoOracle(clone)
    assert gto.show() == {}
    gto.register("churn")
    assert clone.tags() == ["churn@v0.0.1"]


@pytest.fixture
def racers(two_clones: Clones, modelver: Modelver) -> Clones:
    """Two people with the same v0.1.0, and each with another model to be released next."""
    modelver("release", "churn", "--push", cwd=two_clones.ada.git)
    two_clones.bao.git("fetch", "-q", "--tags")
    two_clones.ada.fake_train(9)
    two_clones.bao.fake_train(10)
    return two_clones


def test_gto_leaves_the_loser_a_version_of_its_own(racers: Clones) -> None:
    """Two people register one number: the loser keeps a tag that the remote has otherwise, and cannot try again."""
    GtoOracle(racers.ada.git)("register", "churn", "--version", "v0.1.1", "--push")
    for words in ("push", "already"):
        with pytest.raises(GtoFailed, match=words):
            GtoOracle(racers.bao.git)("register", "churn", "--version", "v0.1.1", "--push")
    tag = "refs/tags/churn@v0.1.1^{}"
    assert racers.bao.git.rev(tag) == racers.bao.git.rev() != racers.hub.rev(tag) == racers.ada.git.rev()


@pytest.mark.parametrize("card", [False, True], ids=["tag", "card"])
def test_we_leave_the_loser_as_before(racers: Clones, modelver: Modelver, card: bool) -> None:
    """Two people release one number: the loser's clone is untouched, and its next try takes the next number.

    A card's commit needs the branch: that the loser first has to bring up to date.
    """
    more = [] if card else ["--no-card"]
    modelver("release", "churn", "--version", "v0.1.1", "--push", *more, cwd=racers.ada.git)
    before = snapshot(racers.bao.git)
    modelver("release", "churn", "--version", "v0.1.1", "--push", *more, cwd=racers.bao.git, code=4)
    assert snapshot(racers.bao.git) == before
    if card:
        modelver("release", "churn", "--push", cwd=racers.bao.git, code=4)
        assert snapshot(racers.bao.git) == before
        racers.bao.git("fetch", "-q")
        racers.bao.git("merge", "-q", "-s", "ours", "-m", "Ours", "origin/main")
    modelver("release", "churn", "--push", *more, cwd=racers.bao.git)
    assert racers.hub.tags() == ["churn@v0.1.0", "churn@v0.1.1", "churn@v0.2.0"]
    assert racers.hub.rev("refs/tags/churn@v0.2.0^{}") == racers.bao.git.rev()
    assert not card or racers.hub.rev("main") == racers.bao.git.rev()
