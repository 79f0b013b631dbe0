"""Commands in a world, each with what must hold around it whatever it answers."""

from __future__ import annotations

import contextlib
import json
import re
from dataclasses import dataclass, field, replace
from typing import Any

from tests.reliability.stateful.ledger import Fact, State, kind_of, parse, precedence, state_of
from tests.reliability.stateful.look import OUTPUTS, Look, Ref, look
from tests.reliability.stateful.project import object_in
from tests.reliability.stateful.world import WHO, World
from tests.reliability.tools import KILLED, Server, fsck, journal, litter
from tests.support import Modelver

CODES = {0, 1, 2, 3, 4, 5, 6, 7}
"""What a command may end with here; 70 and 130 it may not."""
_LINE = re.compile(r"(error|hint|warning|note): \S")


@dataclass(frozen=True, slots=True)
class Intent:
    """What a command was to make, where a tag's name does not tell it."""

    head: str
    """HEAD's commit when it began."""
    versions: dict[str, str | None] = field(default_factory=dict)
    """Model -> the version that a stage's event is about."""
    ends: tuple[str, ...] = ()
    left: str | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """What a command answered."""

    code: int
    json: Any
    err: str
    before: Look
    after: Look

    @property
    def changed(self) -> bool:
        """Whether it says that it made something."""
        return self.code == 0 and bool(self.json["changed"])


@dataclass(slots=True)
class Killed:
    """A clone in which a command was killed, until another one has settled it."""

    before: Look
    intents: list[Intent]


@dataclass(slots=True)
class Life:
    """A world, all that was ever tagged in it, and what each clone has seen."""

    world: World
    modelver: Modelver
    server: Server | None = None
    facts: dict[str, Fact] = field(default_factory=dict)
    """Tag object -> what it says."""
    seen: dict[str, dict[str, str]] = field(default_factory=lambda: {who: {} for who in WHO})
    """Of each clone: tag -> the object under which a command first saw it."""
    killed: dict[str, Killed] = field(default_factory=dict)
    steps: list[str] = field(default_factory=list)

    # What is known ------------------------------------------------------------------------------------------------

    def states(self, who: str) -> dict[str, State]:
        """What a clone's tags say."""
        return state_of(self.facts_of(who))

    def facts_of(self, who: str) -> list[Fact]:
        """The events of a clone, or of `hub`."""
        refs = self.world.refs(who)
        tags = {name: ref for name, ref in refs.items() if name.startswith("refs/tags/")}
        return [self.facts[ref.oid] for ref in tags.values()]

    def moved(self, who: str) -> set[str]:
        """Tags that are not what the clone saw at first."""
        refs = self.world.refs(who)
        return {tag for tag, oid in self.seen[who].items() if _oid(refs.get(f"refs/tags/{tag}")) != oid}

    def damaged(self, cache: str) -> set[str]:
        """Digests whose object in a clone's cache, or in `store`, is gone or wrong though a version needs it."""
        folder = self.world.store if cache == "store" else self.world.cache(cache)
        wanted = {f.digest for f in self.facts.values() if f.digest}
        bad = {path.parent.name + path.name for path in folder.glob("??/*") if not _sound(path, self.world)}
        there = {digest for digest in wanted if object_in(folder, self.world.contents[digest]).is_file()}
        return bad | (wanted - there if cache == "store" else set())

    def taken(self, who: str, model: str) -> set[str]:
        """Every version number of a model that a clone can know of: its tags, the remote's, what it saw."""
        names = {*self.seen[who], *(fact.tag for place in (who, "hub") for fact in self.facts_of(place))}
        parsed = (parse(name) for name in names)
        return {p["version"] for p in parsed if p is not None and p["model"] == model and p["version"]}

    def counter(self, who: str, model: str) -> int:
        """The highest counter of a model that a clone can know of."""
        names = {*self.seen[who], *(fact.tag for place in (who, "hub") for fact in self.facts_of(place))}
        parsed = (parse(name) for name in names)
        return max((int(p["counter"] or 0) for p in parsed if p is not None and p["model"] == model), default=0)

    # Commands -----------------------------------------------------------------------------------------------------

    def act(
        self,
        who: str,
        *words: str,
        intent: Intent | None = None,
        code: int | None = None,
        kill: int | None = None,
        half: bool = False,
    ) -> Said | None:
        """Run a command that writes, and check all that must hold of any; None when it was killed.

        Args:
            code: what it must answer; None: any of the table.
            kill: let it die at this change.
            half: it may fail after it changed something here (a push that comes last).
        """
        world, git = self.world, self.world.git[who]
        world.clock.tick()
        before, hub = look(git), world.refs("hub")
        others = {other: world.refs(other) for other in WHO if other != who}
        intent = intent or Intent(before.refs["refs/heads/main"].commit)
        if kill is not None and self.server is not None:
            answer: Any = self.server(git, *words, "--json", code=None, kill=kill)
        else:
            answer = self.modelver(*words, "--json", cwd=git, code=None)
        self.steps.append(f"{who}: modelver {' '.join(words)} -> {answer.code}")
        after = look(git)
        left = self.killed.get(who)
        origin = left.before if left is not None else before
        intents = [intent, *(left.intents if left is not None else [])]
        self._keep(who, before if left is None or answer.code == KILLED else origin, after)
        self._adopt(who, intents, hub)
        self._refs_stay(who, origin, after, hub)
        for other, refs in others.items():
            assert world.refs(other) == refs, f"{other}'s refs changed"
        if answer.code == KILLED:
            self.killed[who] = Killed(origin, intents)
            return None
        said = Said(answer.code, self._answered(answer), answer.err, before, after)
        if left is not None and not journal(git) and answer.code in (0, 1):
            del self.killed[who]
        if who not in self.killed:
            self._settled(who, origin, after)
        if answer.code != 0 and left is None and not half:
            assert after == before, f"it failed and changed something: {_difference(before, after)}"
            assert world.refs("hub") == hub, "it failed and changed the remote"
        assert code is None or said.code == code, f"{self.steps[-1]}, expected {code}: {answer}"
        return said

    def ask(self, who: str, *words: str) -> tuple[int, Any]:
        """Run a command that reads; its exit code and answer."""
        answer = self.modelver(*words, "--json", cwd=self.world.git[who], code=None)
        answered = self._answered(answer)
        self._see(who)
        return answer.code, answered

    @staticmethod
    def _answered(answer: Any) -> Any:
        assert answer.code in CODES, answer
        for line in answer.err.splitlines():
            assert _LINE.match(line), f"a line of stderr is none of ours: {line!r}"
        found = json.loads(answer.out)
        assert found["schema"] == 1
        if "error" in found:
            assert found["error"]["code"] == answer.code
            assert "error: " in answer.err
            assert "hint: " in answer.err
        return found

    # Laws ---------------------------------------------------------------------------------------------------------

    def _keep(self, who: str, before: Look, after: Look) -> None:
        """Nothing that only the work tree or the index had is lost or changed."""
        cache = self.world.cache(who)
        for path, data in before.dirty(cache).items():
            assert after.files.get(path) == data, f"bytes of {path} are lost"
        for path, entry in before.staged().items():
            if path in before.index:
                assert after.index.get(path) == entry, f"{path} is not staged any more"
        for path in OUTPUTS:
            data = before.files.get(path)
            if data is not None and after.files.get(path) != data:
                assert object_in(cache, data).is_file(), f"bytes of {path} are in the cache no more"
                assert object_in(cache, data).read_bytes() == data, f"bytes of {path} are in the cache no more"

    def _refs_stay(self, who: str, origin: Look, after: Look, hub: dict[str, Ref]) -> None:
        """No tag moves or goes, no branch loses a commit: here and on the remote."""
        for old, new, git in (
            (origin.refs, after.refs, self.world.git[who]),
            (hub, self.world.refs("hub"), self.world.hub),
        ):
            for name, ref in old.items():
                assert name in new, f"{name} is gone"
                if name.startswith("refs/tags/"):
                    assert new[name].oid == ref.oid, f"{name} moved"
                elif new[name].oid != ref.oid:
                    git("merge-base", "--is-ancestor", ref.oid, new[name].oid)

    def _settled(self, who: str, before: Look, after: Look) -> None:
        """No journal, lock or temporary file; Git's files and DVC's as HEAD says, where they were so before."""
        git = self.world.git[who]
        assert not journal(git), "a journal is left"
        assert litter(git) == [], "files are left"
        assert _unlike(after) <= _unlike(before), f"not as committed: {_unlike(after) - _unlike(before)}"
        known = {*before.files, *after.committed, *OUTPUTS}
        assert set(after.files) <= known, f"files came into being: {set(after.files) - known}"
        then = self.world.named(git, before.refs["refs/heads/main"].commit)
        now = self.world.named(git)
        for path, digest in now.items():
            if before.files.get(path) == self.world.contents[then[path]]:
                assert after.files.get(path) == self.world.contents[digest], f"{path} is not what HEAD names"

    # Facts --------------------------------------------------------------------------------------------------------

    def _adopt(self, who: str, intents: list[Intent], hub: dict[str, Ref]) -> None:
        """Take down what each new tag says, from what was asked and not from its record."""
        taken = {model: self.taken_before(who, model) for model in ("churn", "reach")}
        for place in (who, "hub"):
            new = {n.removeprefix("refs/tags/"): r for n, r in self.world.refs(place).items() if "refs/tags/" in n}
            for tag, ref in sorted(new.items(), key=lambda pair: "#" in pair[0]):
                if ref.oid not in self.facts:
                    self.facts[ref.oid] = self._fact(who, tag, ref, intents, taken)
        self._see(who)

    def taken_before(self, who: str, model: str) -> set[str]:
        """The numbers of versions that were known before the tags that nobody has taken down yet."""
        refs = [*self.world.refs(who).values(), *self.world.refs("hub").values()]
        names = {*self.seen[who], *(self.facts[ref.oid].tag for ref in refs if ref.oid in self.facts)}
        parsed = (parse(name) for name in names)
        return {p["version"] for p in parsed if p is not None and p["model"] == model and p["version"]}

    def _fact(self, who: str, tag: str, ref: Ref, intents: list[Intent], taken: dict[str, set[str]]) -> Fact:
        parts = parse(tag)
        assert parts is not None, f"nobody asked for the tag {tag}"
        kind, model = kind_of(parts), parts["model"]
        fact = Fact(
            tag=tag,
            oid=ref.oid,
            commit=ref.commit,
            at=ref.at,
            model=model,
            kind=kind,
            version=parts["version"],
            stage=parts["stage"],
            counter=int(parts["counter"]) if parts["counter"] else None,
        )
        git = self.world.git[who]
        if kind == "release":
            for number in taken[model]:
                assert precedence(fact.version or "") > precedence(number), f"{tag} is not above {number}"
            self._released_here(who, fact, intents)
            ends = next((i.ends for i in intents if i.ends), ())
            named = self.world.named(git, ref.commit)
            return replace(fact, digest=named[f"models/{model}.bin"], ends=ends)
        if kind in ("promote", "withdraw-stage"):
            made = [f.version for f in self.facts.values() if f.kind == "release" and f.commit == ref.commit]
            known = [i.versions[model] for i in intents if model in i.versions]
            left = next((i.left for i in intents if model in i.versions), None)
            newest = max((v for v in made if v), key=precedence, default=None)
            ends = next((i.ends for i in intents if i.ends), ())
            fact = replace(fact, version=known[0] if known else newest, left=left)
            return replace(fact, ends=ends) if kind == "withdraw-stage" else fact
        return fact

    def _released_here(self, who: str, fact: Fact, intents: list[Intent]) -> None:
        """A version's commit is where the command began, or one more that has cards alone."""
        git = self.world.git[who]
        for intent in intents:
            if fact.commit == intent.head:
                return
            if git("rev-parse", f"{fact.commit}^") == intent.head:
                changed = git("diff", "--name-only", f"{fact.commit}^", fact.commit).splitlines()
                assert all(path.startswith("model_cards/") for path in changed), changed
                return
        raise AssertionError(f"{fact.tag} is on a commit that nobody asked for")

    def _see(self, who: str) -> None:
        for name, ref in self.world.refs(who).items():
            if name.startswith("refs/tags/"):
                self.seen[who].setdefault(name.removeprefix("refs/tags/"), ref.oid)

    def tagged_by_hand(self, who: str, tag: str) -> None:
        """Take down a tag that was made without us."""
        parts, ref = parse(tag), self.world.refs(who)[f"refs/tags/{tag}"]
        assert parts is not None
        digest = None
        if kind_of(parts) == "release":
            digest = self.world.named(self.world.git[who], ref.commit)[f"models/{parts['model']}.bin"]
        self.facts[ref.oid] = Fact(
            tag=tag,
            oid=ref.oid,
            commit=ref.commit,
            at=ref.at,
            model=parts["model"],
            kind=kind_of(parts),
            version=parts["version"],
            stage=parts["stage"],
            counter=int(parts["counter"]) if parts["counter"] else None,
            recorded=False,
            digest=digest,
        )

    def end(self) -> None:
        """At the end of a life: what was killed is settled, and Git finds no fault anywhere."""
        for who in WHO:
            if who in self.killed:
                self.act(who, "doctor", "--recover")
            assert who not in self.killed
            fsck(self.world.git[who])
        fsck(self.world.hub)


def _oid(ref: Ref | None) -> str | None:
    return ref.oid if ref is not None else None


def _sound(path: Any, world: World) -> bool:
    with contextlib.suppress(KeyError):
        return bool(path.read_bytes() == world.contents[path.parent.name + path.name])
    return True


def _unlike(seen: Look) -> set[str]:
    """Git's files that are not as committed."""
    from tests.reliability.stateful.look import blob

    files = {path: blob(data) for path, data in seen.files.items() if path in {*seen.index, *seen.committed}}
    paths = {*seen.index, *seen.committed}
    return {p for p in paths if not files.get(p) == seen.index.get(p) == seen.committed.get(p)}


def _difference(before: Look, after: Look) -> str:
    parts = []
    for name in ("refs", "head", "index", "files"):
        old, new = getattr(before, name), getattr(after, name)
        if old != new:
            keys = {*old, *new} if isinstance(old, dict) else ()
            parts.append(f"{name}: {sorted(k for k in keys if old.get(k) != new.get(k)) or (old, new)}")
    return "; ".join(parts)
