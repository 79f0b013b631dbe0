"""The rules: what people, their commands, kills, decay and the clock may do, in any order."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.reliability.stateful.checks import (
    check_answers,
    check_clones,
    check_doctor,
    check_get,
    check_gto,
    check_verify,
)
from tests.reliability.stateful.ledger import Fact, State, precedence
from tests.reliability.stateful.life import Intent, Life, Said
from tests.reliability.stateful.look import head_of, look
from tests.reliability.stateful.project import SETTINGS, object_in
from tests.reliability.stateful.world import WHO

who_ = st.sampled_from(WHO)
model_ = st.sampled_from(["churn", "reach"])
stage_ = st.sampled_from(["prod", "dev"])
setting_ = st.sampled_from(SETTINGS)
number_ = st.integers(0, 7)
rarely = st.sampled_from([False, False, False, True])
kill_ = st.integers(1, 90)
bump_ = st.sampled_from([None, None, "major", "minor", "patch", "prerelease"])


class Machine(RuleBasedStateMachine):
    """Two people's life with two models.  `begin` makes a fresh world; it is set by whoever runs the machine."""

    begin: Callable[[Path], Life]
    scratch: Path
    gto = False
    """Whether GTO is asked at the end of each life (its start takes half a second)."""

    def __init__(self) -> None:
        super().__init__()
        self.top = Path(tempfile.mkdtemp(dir=self.scratch))
        self.life = type(self).begin(self.top / "world")
        self.by_hand = False
        """Whether anybody has made tags without us, or turned a clock: then `doctor` has much to say."""
        self.undo: dict[str, tuple[str, str]] = {}
        """Who -> HEAD after the last rollback, and the tree before it."""
        self._asked: dict[str, tuple[Any, Any]] = {}

    # What is known ------------------------------------------------------------------------------------------------

    @property
    def world(self) -> Any:
        return self.life.world

    def state(self, who: str, model: str) -> State:
        return self.life.states(who).get(model, State())

    def version(self, who: str, model: str, number: int) -> Fact | None:
        """Some version that a clone has."""
        versions = self.state(who, model).versions
        return versions[sorted(versions, key=precedence)[number % len(versions)]] if versions else None

    def clean(self, who: str) -> bool:
        seen = look(self.world.git[who])
        here = seen.dirty(self.world.cache(who)), seen.staged()
        return not any(here) and self.world.git[who]("status", "--porcelain") == ""

    def well(self, who: str) -> bool:
        """Nothing decayed, moved, or half done: then what is sensible must work."""
        return not (
            who in self.life.killed or self.life.moved(who) or self.life.damaged(who) or self.life.damaged("store")
        )

    def overtaken(self, who: str, model: str) -> bool:
        """The remote has an event of the model, other than a release, that the clone lacks: it may be asked first."""
        mine = {fact.oid for fact in self.life.facts_of(who)}
        there = (fact for fact in self.life.facts_of("hub") if fact.oid not in mine)
        return any(fact.model == model and fact.kind != "release" for fact in there)

    def alive(self, who: str) -> bool:
        """People go on with their files only where no killed command is to be settled."""
        return who not in self.life.killed

    def git(self, who: str, *words: str) -> None:
        self.world.clock.tick()
        self.life.steps.append(f"{who}: git {' '.join(words)}")
        self.world.git[who](*words)

    # People -------------------------------------------------------------------------------------------------------

    @initialize(setting=setting_)
    def first(self, setting: str) -> None:
        """Both models are released and published, and Bao has the tags: a young project."""
        self.world.change("ada", setting)
        self.life.act("ada", "release", "churn", "reach", "--push", code=0)
        self.git("bao", "fetch", "-q", "--tags", "origin")
        self.world.pull("bao")

    @rule(who=who_, setting=setting_)
    def change(self, who: str, setting: str) -> None:
        """A commit of another value; whatever lay about goes in, as with `git add -A`."""
        if self.alive(who):
            self.life.steps.append(f"{who}: changes {setting}")
            self.world.change(who, setting)

    @rule(who=who_, what=st.sampled_from(["modified", "staged", "untracked", "ignored", "slice", "unsaved", "card"]))
    def dirt(self, who: str, what: str) -> None:
        """Work that is nowhere but in the work tree or the index."""
        if not self.alive(who):
            return
        git = self.world.git[who]
        self.world.next_number += 1
        number = self.world.next_number
        self.life.steps.append(f"{who}: dirt {what} {number}")
        places = {
            "modified": "README.md",
            "staged": "staged.txt",
            "untracked": "notes.txt",
            "ignored": "run.log",
            "slice": "src/train.py",
            "unsaved": "models/churn.bin",
            "card": "model_cards/churn.md",
        }
        path = git.path / places[what]
        old = path.read_bytes() if path.exists() and what in ("modified", "card") else b""
        path.unlink(missing_ok=True)
        git.write(places[what], old + b"# mine %d\n" % number)
        if what == "staged":
            git("add", places[what])

    @rule(who=who_)
    def tidy(self, who: str) -> None:
        """Somebody throws their own work away."""
        if self.alive(who):
            self._tidy(who)

    def _tidy(self, who: str) -> None:
        self.git(who, "reset", "-q", "--hard")
        self.git(who, "clean", "-qfd")
        (self.world.git[who].path / "run.log").unlink(missing_ok=True)
        self.world.checkout(who)

    @rule(who=who_)
    def pull(self, who: str) -> None:
        """`git pull` and `dvc pull`."""
        if self.alive(who):
            self._tidy(who)
            self.life.steps.append(f"{who}: pull")
            self.world.pull(who)

    @rule(who=who_)
    def fetch(self, who: str) -> None:
        """`git fetch --tags`; Git itself refuses to move a tag."""
        self.life.steps.append(f"{who}: git fetch --tags")
        self.world.git[who].run("fetch", "-q", "--tags", "origin", check=False)

    @rule(who=who_, words=st.sampled_from([("gc", "-q"), ("pack-refs", "--all"), ("gc", "-q", "--prune=now")]))
    def house(self, who: str, words: tuple[str, ...]) -> None:
        """Git's own housekeeping."""
        if self.alive(who):
            self.git(who, *words)

    @rule(seconds=st.sampled_from([-7200, -61, -60, -1, 0, 1, 86400]))
    def jump(self, seconds: int) -> None:
        """The clock goes wrong."""
        self.by_hand = self.by_hand or seconds < 0
        self.life.steps.append(f"clock {seconds:+}")
        self.world.clock.tick(seconds)

    # Commands -----------------------------------------------------------------------------------------------------

    @rule(who=who_, model=model_, setting=setting_, bump=bump_, push=rarely, stage=st.none() | stage_)
    def train_and_release(
        self, who: str, model: str, setting: str, bump: str | None, push: bool, stage: str | None
    ) -> None:
        """What everybody does; where all is well it must work."""
        if not self.alive(who):
            return
        self._tidy(who)
        self.change(who, "width" if model == "reach" and setting not in ("raw", "keep") else _mine(model, setting))
        sure = self.well(who) and bump in (None, "major", "minor") and not push and not self.overtaken(who, model)
        sure = sure and self.state(who, model).retired_by is None and bool(self.state(who, model).versions)
        words = ["release", model, *(["--bump", bump] if bump else []), *(["--push"] if push else [])]
        words += ["--stage", stage] if stage else []
        said = self._release(who, *words)
        assert said is not None
        assert not sure or said.changed, f"nothing was released: {self.life.steps[-1]} {said.json} {said.err}"

    def _release(self, who: str, *words: str, kill: int | None = None) -> Said | None:
        states = self.life.states(who)
        models = [word for word in words if word in states]
        ends = tuple(tag for m in models if (tag := states[m].retired_by) is not None and "--unretire" in words)
        head = head_of(self.world.git[who])
        return self.life.act(who, *words, intent=Intent(head, ends=ends), kill=kill)

    @rule(who=who_, model=model_, more=st.sampled_from([(), ("--push",), ("--unretire",), ("--allow-unchanged",)]))
    def release(self, who: str, model: str, more: tuple[str, ...]) -> None:
        """As it stands, dirty or not."""
        self._release(who, "release", model, *more)

    @rule(who=who_, push=rarely)
    def release_both(self, who: str, push: bool) -> None:
        """Together or not at all."""
        before = {m: set(self.state(who, m).versions) for m in ("churn", "reach")}
        said = self._release(who, "release", "churn", "reach", *(["--push"] if push else []))
        if said is not None and said.code != 0 and self.alive(who):
            assert before == {m: set(self.state(who, m).versions) for m in ("churn", "reach")}

    @rule(who=who_, model=model_, number=number_, stage=stage_, push=rarely)
    def promote(self, who: str, model: str, number: int, stage: str, push: bool) -> None:
        """A version into a stage, predicted but for the push."""
        version, state = self.version(who, model, number), self.state(who, model)
        if version is None or version.version is None:
            return
        refused = version.version in state.withdrawn or state.retired_by is not None
        held, counter = state.holds(stage), self.life.counter(who, model)
        head = head_of(self.world.git[who])
        intent = Intent(head, {model: version.version})
        code = 3 if refused else None if push or self.overtaken(who, model) else 0
        more = ("--push",) if push else ()
        said = self.life.act(
            who, "promote", f"{model}@{version.version}", stage, *more, intent=intent, code=self._sure(who, code)
        )
        if said is not None and said.code == 0 and held != version.version and not refused:
            assert said.json["models"][0]["tag"] == f"{model}#{stage}#{counter + 1}"

    def _sure(self, who: str, code: int | None) -> int | None:
        """A prediction counts where nothing is to be settled first and no tag was moved."""
        return code if self.alive(who) and not self.life.moved(who) else None

    @rule(who=who_, model=model_, stage=stage_, push=rarely)
    def withdraw_stage(self, who: str, model: str, stage: str, push: bool) -> None:
        """A stage is emptied."""
        held = self.state(who, model).holders.get(stage)
        head = head_of(self.world.git[who])
        intent = Intent(head, {model: held.version} if held else {}, ends=(held.tag,) if held else ())
        code = 7 if held is None else None if push else 0
        more = ("--push",) if push else ()
        self.life.act(who, "withdraw", f"{model}#{stage}", *more, intent=intent, code=self._sure(who, code))

    @rule(who=who_, model=model_, number=number_, push=rarely)
    def withdraw_version(self, who: str, model: str, number: int, push: bool) -> None:
        """A version is gone for ever."""
        version = self.version(who, model, number)
        if version is not None:
            words = ("withdraw", version.tag, "--yes", "-m", "bad", *(("--push",) if push else ()))
            self.life.act(who, *words, code=self._sure(who, None if push else 0))

    @rule(who=who_, model=model_, push=rarely)
    def retire(self, who: str, model: str, push: bool) -> None:
        """A model is closed; a later release may reopen it."""
        if self.state(who, model).versions:
            self.life.act(who, "retire", model, *(("--push",) if push else ()))

    @rule(who=who_, model=st.none() | model_)
    def push(self, who: str, model: str | None) -> None:
        """What was not published is; or a conflict says that another was first."""
        said = self.life.act(who, "push", *([model] if model else []))
        if said is not None and said.code == 0:
            hub = {fact.oid for fact in self.life.facts_of("hub")}
            mine = {fact.oid for fact in self.life.facts_of(who) if model in (None, fact.model)}
            assert mine <= hub, "pushed, and the remote lacks something"

    @rule(
        who=who_, model=model_, number=number_, form=st.sampled_from(["", "--include-shared", "--tree", "--model-only"])
    )
    def rollback(self, who: str, model: str, number: int, form: str) -> None:
        """A version's files and bytes come back as one commit."""
        version = self.version(who, model, number)
        if version is not None:
            self._rollback(who, version, form)

    def _rollback(self, who: str, version: Fact, form: str) -> None:
        git, model = self.world.git[who], version.model
        before, tree, clean = self.world.project(who), git.rev("HEAD^{tree}"), self.clean(who)
        alive = self.alive(who)
        words = ("rollback", model, version.version or "", *([form] if form else []))
        said = self.life.act(who, *words)
        assert said is not None
        good = version.version not in self.state(who, model).withdrawn
        sure = alive and clean and good and self.well(who) and form in ("--include-shared", "--tree")
        assert not sure or said.code == 0, f"{self.life.steps[-1]}: {said.err}"
        if said.code != 0:
            return
        assert good, "a withdrawn version came back"
        if said.changed:
            self.undo[who] = git.rev("HEAD"), tree
        self._restored(who, version, form, before if alive else None)

    def _restored(self, who: str, version: Fact, form: str, before: Any) -> None:
        git, model = self.world.git[who], version.model
        assert self.world.named(git)[f"models/{model}.bin"] == version.digest, "other bytes than that version's"
        if form == "--tree":
            assert git.rev("HEAD^{tree}") == git.rev(f"{version.commit}^{{tree}}")
        if form in ("", "--include-shared"):
            for path in ("src/train.py", "churn.json") if model == "churn" else ("src/reach.py",):
                assert git.rev(f"HEAD:{path}") == git.rev(f"{version.commit}:{path}"), f"{path} is not as then"
        if before is not None and form != "--tree":
            now, other = self.world.project(who), "reach" if model == "churn" else "churn"
            same = ("width",) if other == "reach" else ("depth", "code", "auc")
            same += () if form == "--include-shared" else ("raw", "keep")
            for name in same:
                assert getattr(now, name) == getattr(before, name), f"{name} of {other} is not as before"

    @rule(who=who_, model=model_, number=number_)
    def there_and_back(self, who: str, model: str, number: int) -> None:
        """Rollback to and fro gives the same bytes, and undo the very tree."""
        version = self.version(who, model, number)
        if version is None or not self.alive(who):
            return
        self._tidy(who)
        git = self.world.git[who]
        tree = git.rev("HEAD^{tree}")
        said = self.life.act(who, "rollback", model, version.version or "", "--include-shared")
        if said is not None and said.changed:
            there = git.rev("HEAD^{tree}")
            for expected in (tree, there, tree):
                self.life.act(who, "rollback", "--undo", code=0 if self.well(who) else None)
                if self.well(who):
                    assert git.rev("HEAD^{tree}") == expected
            self.undo.pop(who, None)

    @rule(who=who_)
    def undo_rollback(self, who: str) -> None:
        """Back to where the last one started, if nothing has moved since."""
        git = self.world.git[who]
        head, clean, alive = git.rev("HEAD"), self.clean(who), self.alive(who)
        at, tree = self.undo.get(who, ("", ""))
        said = self.life.act(who, "rollback", "--undo")
        assert said is not None
        if at == head and alive:
            assert said.code == 0 or not (clean and self.well(who)), said.err
            if said.code == 0:
                assert git.rev("HEAD^{tree}") == tree
        self.undo.pop(who, None)

    @rule(who=who_, model=model_, number=number_)
    def detach(self, who: str, model: str, number: int) -> None:
        """The tag itself is checked out; then back to the branch."""
        version, git = self.version(who, model, number), self.world.git[who]
        if version is None or not self.alive(who):
            return
        self._tidy(who)
        said = self.life.act(who, "rollback", model, version.version or "", "--detach")
        if said is not None and said.code == 0:
            assert git.rev("HEAD") == version.commit
            self.git(who, "checkout", "-q", "main")
            self.world.checkout(who)
        self.undo.pop(who, None)

    @rule(who=who_, model=model_, stage=stage_, number=st.none() | number_, push=rarely)
    def rollback_stage(self, who: str, model: str, stage: str, number: int | None, push: bool) -> None:
        """A stage goes back, predicted but for the push."""
        state = self.state(who, model)
        version = self.version(who, model, number) if number is not None else None
        to = version.version if version is not None else state.goes_back_to(stage)
        held = state.holds(stage)
        head = head_of(self.world.git[who])
        intent = Intent(head, {model: to}, left=held)
        unsure = push or self.overtaken(who, model)
        code = 7 if to is None else 3 if to in state.withdrawn or state.retired_by else None if unsure else 0
        words = ["rollback", model, *([to or ""] if version is not None else []), "--stage", stage]
        words += ["--push"] if push else []
        said = self.life.act(who, *words, intent=intent, code=self._sure(who, code))
        if said is not None and said.code == 0 and self._sure(who, 0) == 0:
            assert self.state(who, model).holds(stage) == to

    # Short stories, which chance alone would seldom tell ----------------------------------------------------------

    @rule(
        who=who_,
        model=model_,
        number=number_,
        what=st.sampled_from(["unsaved", "unsaved", "slice", "card"]),
        form=st.sampled_from(["--include-shared", "--tree", "--model-only"]),
    )
    def rollback_over_dirt(self, who: str, model: str, number: int, what: str, form: str) -> None:
        """Somebody works on, and then another version comes back over it, or is refused."""
        version = self.version(who, model, number)
        if version is not None and self.alive(who):
            self.change(who, "width" if model == "reach" else "code")
            self.dirt(who, what)
            self._rollback(who, version, form)

    @rule(who=who_, model=model_, stage=stage_, number=number_, other=number_)
    def promote_under_a_wrong_clock(self, who: str, model: str, stage: str, number: int, other: int) -> None:
        """The later promote has the earlier time."""
        self.promote(who, model, number, stage, False)
        self.jump(-7200)
        self.promote(who, model, other, stage, False)
        self.jump(7200)

    @rule(who=who_, model=model_)
    def forget_a_version(self, who: str, model: str) -> None:
        """A version that nobody else has is deleted; its number is not used again."""
        before = set(self.state(who, model).versions)
        self.train_and_release(who, model, "keep", None, False, None)
        for version in set(self.state(who, model).versions) - before if self.alive(who) else ():
            self.by_hand = True
            self.git(who, "tag", "-d", f"{model}@{version}")
            self.train_and_release(who, model, "keep", None, False, None)

    # Kills --------------------------------------------------------------------------------------------------------

    @rule(
        who=who_,
        model=model_,
        at=kill_,
        words=st.sampled_from(
            [("release",), ("release", "--push"), ("rollback", "--include-shared"), ("rollback", "--tree"), ("push",)]
        ),
        number=number_,
        then=st.sampled_from(["again", "recover", "leave"]),
    )
    def kill(self, who: str, model: str, at: int, words: tuple[str, ...], number: int, then: str) -> None:
        """A command dies somewhere; then it is run again, recovered, or left to the next that writes."""
        version = self.version(who, model, number)
        if self.life.server is None or version is None or not self.alive(who):
            return
        if words[0] == "release":
            self.change(who, "width" if model == "reach" else "depth")
        named = (version.version or "",) if words[0] == "rollback" else ()
        command = (words[0], model, *named, *words[1:])
        self.undo.pop(who, None)
        self._release(who, *command, kill=at) if words[0] == "release" else self.life.act(who, *command, kill=at)
        if then == "again" and not self.alive(who):
            self._release(who, *command) if words[0] == "release" else self.life.act(who, *command)
        if then != "leave" and not self.alive(who):
            self.life.act(who, "doctor", "--recover")
            assert self.alive(who), "recovered, and a journal is still there"

    @precondition(lambda self: self.life.killed)
    @rule(data=st.data())
    def recover(self, data: st.DataObject) -> None:
        """What was left is settled."""
        who = data.draw(st.sampled_from(sorted(self.life.killed)))
        self.life.act(who, "doctor", "--recover")
        assert self.alive(who)

    # Decay --------------------------------------------------------------------------------------------------------

    @rule(place=st.sampled_from([*WHO, "store"]), model=model_, number=number_, how=st.sampled_from("acr"))
    def corrupt(self, place: str, model: str, number: int, how: str) -> None:
        """An object of a version is altered, cut, or removed."""
        version = self.version("ada", model, number)
        cache = self.world.store if place == "store" else self.world.cache(place)
        if version is None or version.digest is None:
            return
        path = object_in(cache, self.world.contents[version.digest])
        if path.is_file():
            self.life.steps.append(f"{place}: object of {version.tag} {how}")
            data = path.read_bytes()
            path.unlink()
            if how != "r":
                path.write_bytes(data[:-2] if how == "c" else data.replace(b"rows", b"ROWS"))
                path.chmod(0o444)

    @rule()
    def mend(self) -> None:
        """Somebody brings the right bytes back."""
        for cache in (self.world.store, *(self.world.cache(who) for who in WHO)):
            for digest in {fact.digest for fact in self.life.facts.values() if fact.digest}:
                data = self.world.contents[digest]
                path = object_in(cache, data)
                if not path.is_file() or path.read_bytes() != data:
                    path.unlink(missing_ok=True)
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(data)
                    path.chmod(0o444)

    @rule(who=who_, model=model_, number=number_, how=st.sampled_from(["move", "delete"]))
    def tamper(self, who: str, model: str, number: int, how: str) -> None:
        """A version's tag is moved or deleted with Git's own means; later it is put back."""
        version = self.version(who, model, number)
        if version is None or not self.alive(who):
            return
        self.by_hand = True
        if how == "delete":
            self.git(who, "tag", "-d", version.tag)
        else:
            self.git(who, "tag", "-f", "-a", "-m", "By hand", version.tag, "HEAD")
            self.life.tagged_by_hand(who, version.tag)
        assert version.tag in self.life.moved(who)
        check_doctor(self.life, who, tidy=False)

    @precondition(lambda self: any(self.life.moved(who) for who in WHO))
    @rule()
    def put_back(self) -> None:
        """Every tag becomes what it was."""
        for who in WHO:
            if self.alive(who):
                for tag in sorted(self.life.moved(who)):
                    oid = self.life.seen[who][tag]
                    if self.world.git[who].run("cat-file", "-e", oid, check=False).returncode == 0:  # else pruned
                        self.git(who, "update-ref", f"refs/tags/{tag}", oid)

    @rule(who=who_, model=model_, stage=stage_, number=number_, what=st.sampled_from(["release", "promote", "empty"]))
    def by_gto(self, who: str, model: str, stage: str, number: int, what: str) -> None:
        """A tag in GTO's grammar without a record of ours."""
        version = self.version(who, model, number)
        if version is None or not self.alive(who):
            return
        counter = self.life.counter(who, model) + 1
        highest = max(self.life.taken(who, model), key=precedence).partition("-")[0]
        major = int(highest.removeprefix("v").split(".")[0])
        names = {"release": f"{model}@v{major + 1}.0.0", "promote": f"{model}#{stage}#{counter}"}
        names["empty"] = f"{model}#{stage}!#{counter}"
        held = self.state(who, model).holders.get(stage)
        commit = "HEAD" if what == "release" else held.commit if what == "empty" and held else version.commit
        self.by_hand = True
        self.git(who, "tag", "-a", "-m", "By GTO", names[what], commit)
        self.life.tagged_by_hand(who, names[what])

    # Questions ----------------------------------------------------------------------------------------------------

    @rule(who=who_, model=model_, number=number_)
    def question(self, who: str, model: str, number: int) -> None:
        """`verify`, `get` and `doctor` about some version."""
        version = self.version(who, model, number)
        if version is None:
            return
        check_verify(self.life, who, version)
        well = self.well(who) and version.recorded and version.version not in self.state(who, model).withdrawn
        check_get(self.life, who, version, self.top / "got", well=well)
        check_doctor(self.life, who, tidy=not self.by_hand and self.well(who))

    @invariant()
    def answers(self) -> None:
        """Reading commands say what must be true; asked again where something that they read has changed."""
        for who in WHO:
            refs = self.world.refs(who)
            if who not in self._asked or self._asked[who][0] != refs:
                self._asked[who] = refs, check_answers(self.life, who)
        check_clones(self.life, {who: answers for who, (_, answers) in self._asked.items()})

    def teardown(self) -> None:
        """The end of a life."""
        try:
            self.life.end()
            for who in WHO if self.gto and not self.by_hand else ():
                check_gto(self.life, who)
        finally:
            shutil.rmtree(self.top, ignore_errors=True)


def _mine(model: str, setting: str) -> str:
    return setting if model == "reach" or setting != "width" else "depth"
