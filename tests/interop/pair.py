"""One repository seen by GTO, by DVC and by us: what each of them says, in the same words."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support import DvcRepo, Git, GtoOracle, Modelver, Result
from tests.support.runner import inside

Event = tuple[str, str, str | None, str | None, str, str]
"""Event, model, version, stage, tag, commit."""

_EVENTS = {
    "registration": "release",
    "deregistration": "withdraw-version",
    "assignment": "promote",
    "unassignment": "withdraw-stage",
    "deprecation": "retire",
}


@dataclass
class Pair:
    """`repo` under one clock, which ticks before every command of either tool."""

    repo: DvcRepo
    modelver: Modelver
    scratch: Path
    """A folder outside the repository for what is fetched."""
    git: Git = field(init=False)
    gto: GtoOracle = field(init=False)
    _fetched: int = 0

    def __post_init__(self) -> None:
        self.git = self.repo.git
        self.gto = GtoOracle(self.git)

    def run(self, *args: str | Path, code: int = 0) -> Result:
        """One command of ours, a minute after the last."""
        self.git.clock.tick()
        return self.modelver(*args, cwd=self.git, code=code)

    # Ours ------------------------------------------------------------------------------------------

    def models(self) -> dict[str, Any]:
        """`list --json` by name."""
        return {model["name"]: model for model in self.run("list", "--json").json["models"]}

    def latest(self, name: str = "churn") -> str | None:
        """The latest version for us."""
        latest = self.models()[name]["latest"]
        assert latest is None or isinstance(latest, str)
        return latest

    def stages(self, name: str = "churn") -> dict[str, str | None]:
        """What each stage holds for us; empty stages are left out."""
        return {stage: held["version"] for stage, held in self.models()[name]["stages"].items()}

    def state(self) -> dict[str, Any]:
        """For every model with tags that is not retired: its latest version, and what each stage holds."""
        return {
            name: (m["latest"], {stage: held["version"] for stage, held in m["stages"].items()})
            for name, m in self.models().items()
            if m["versions"] and not m["retired"]
        }

    def events(self) -> set[Event]:
        """`history --json`."""
        events = self.run("history", "--json").json["events"]
        return {(e["event"], e["model"], e["version"], e["stage"], e["tag"], e["commit"]) for e in events}

    def get(self, reference: str) -> bytes:
        """What `modelver get` puts there."""
        out = self._place()
        self.run("get", reference, "-o", out)
        return out.read_bytes()

    # Theirs ----------------------------------------------------------------------------------------

    def gto_stages(self, name: str = "churn") -> dict[str, str]:
        """What each stage holds for GTO; empty stages are left out."""
        return {stage: version for stage, version in self.gto.show()[name]["stage"].items() if version}

    def gto_state(self) -> dict[str, Any]:
        """As `state`, by GTO; without what an `artifacts.yaml` alone annotates."""
        shown: Mapping[str, Any] = self.gto.show()
        return {
            name: (model["version"], {stage: held for stage, held in model["stage"].items() if held})
            for name, model in shown.items()
            if model["registered"] and model["active"]
        }

    def gto_events(self) -> set[Event]:
        """As `events`, by GTO."""
        return {
            (_EVENTS[e["event"]], e["artifact"], e["version"], e["stage"], e["ref"], e["commit"])
            for e in self.gto.history()
            if e["event"] in _EVENTS
        }

    def dvc_get(self, name: str = "churn", *, version: str | None = None, stage: str | None = None) -> bytes:
        """What `dvc artifacts get` puts there (its own function, in this process)."""
        from dvc.repo.artifacts import Artifacts

        out = self._place()
        before = logging.root.manager.disable
        logging.disable(logging.CRITICAL)
        try:
            with inside(self.git.path, self.git.env):
                Artifacts.get(str(self.git.path), name, version=version, stage=stage, out=str(out))
        finally:
            logging.disable(before)
        return out.read_bytes()

    def _place(self) -> Path:
        self._fetched += 1
        return self.scratch / f"fetched-{self._fetched}"

    # Both ------------------------------------------------------------------------------------------

    def raw_tag(self, name: str, rev: str = "HEAD", message: str = "By hand") -> None:
        """An annotated tag without a tick of the clock."""
        self.git("tag", "-a", "-m", message, "--", name, rev)

    def train(self, depth: int) -> bytes:
        """Another model `churn`, committed; its bytes."""
        self.repo.fake_train(depth)
        return self.repo.model.read_bytes()

    def assert_agreed(self) -> None:
        """GTO and we name the same events, latest versions and holders."""
        assert self.events() == self.gto_events()
        assert self.state() == self.gto_state()
