"""A bare remote, two clones and DVC's remote, and what people do there without us."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.reliability.stateful.look import Ref, head_of, read_refs
from tests.reliability.stateful.project import MODELS, Project, object_in
from tests.support import Git
from tests.support.git import Clock
from tests.support.repos import put_object

WHO = ("ada", "bao")
_PERSON = {
    f"GIT_{role}_{what}": value
    for role in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "Bao Nguyen"), ("EMAIL", "bao@example.com"))
}
_ITEM = re.compile(r"- path: (\S+)\n\s+hash: md5\n\s+md5: '?([0-9a-f]{32})'?")
_TRACKED = re.compile(r"md5: '?([0-9a-f]{32})'?")


def build_template(top: Path, home: Path) -> Path:
    """hub.git, ada, bao and store, with one commit and its bytes everywhere; nobody has released."""
    ada = Git(top / "ada", home).init()
    Project().save(ada.path, (top / "store/files/md5", ada.path / ".dvc/cache/files/md5"))
    ada.commit("Begin", {"README.md": "# Two models\n"})
    ada("clone", "-q", "--bare", ada.path, top / "hub.git")
    Git(top / "hub.git", home)("remote", "remove", "origin")
    ada("remote", "add", "origin", "../hub.git")
    ada("fetch", "-q")
    ada("branch", "-q", "-u", "origin/main")
    shutil.copytree(ada.path, top / "bao", symlinks=True)
    return top


@dataclass(slots=True)
class World:
    """The repositories of one run, and every content that anybody ever wrote into an output."""

    top: Path
    home: Path
    clock: Clock = field(default_factory=Clock)
    contents: dict[str, bytes] = field(default_factory=dict)
    """MD5 -> bytes."""
    next_number: int = 1
    git: dict[str, Git] = field(default_factory=dict)
    _named: dict[str, dict[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.clock.tick(3600)
        self.git = {who: Git(self.top / who, self.home, self.clock) for who in WHO}
        self.git["bao"].extra_env = dict(_PERSON)
        for git in self.git.values():
            git("update-index", "-q", "--refresh")  # the copies have other inodes
        self.remember(Project())

    @property
    def hub(self) -> Git:
        """The bare remote."""
        return Git(self.top / "hub.git", self.home, self.clock)

    def cache(self, who: str) -> Path:
        """A clone's DVC cache."""
        return self.top / who / ".dvc/cache/files/md5"

    @property
    def store(self) -> Path:
        """DVC's remote."""
        return self.top / "store/files/md5"

    def remember(self, project: Project) -> None:
        """Its outputs' bytes are known by their digests from now on."""
        for data in project.outputs().values():
            self.contents[object_in(self.top, data).parent.name + object_in(self.top, data).name] = data

    def named(self, git: Git, rev: str = "HEAD") -> dict[str, str]:
        """Output -> the MD5 that a commit's DVC files give it."""
        commit = head_of(git) if rev == "HEAD" else rev
        if commit not in self._named:
            self._named[commit] = self._read_named(git, commit)
        return self._named[commit]

    def _read_named(self, git: Git, commit: str) -> dict[str, str]:
        lock, tracked = (git("show", f"{commit}:{path}") for path in ("dvc.lock", "data/raw.csv.dvc"))
        # The output of `prepare` comes before what the others last read: after a rollback these may differ.
        found = dict(reversed(_ITEM.findall(lock)))
        raw = _TRACKED.search(tracked)
        assert raw is not None
        outputs = {path: found[path] for path in ("data/prepared.csv", *MODELS.values())}
        return outputs | {"data/raw.csv": raw[1]}

    def project(self, who: str) -> Project:
        """What HEAD was made of, as far as its files in Git tell."""
        git = self.git[who]
        params = dict(line.split(": ") for line in git("show", "HEAD:params.yaml").splitlines())
        auc = float(git("show", "HEAD:churn.json").split(":")[1].rstrip("}\n "))
        raw = self.contents[self.named(git)["data/raw.csv"]]
        return Project(
            raw=int(raw.split()[-1]),
            keep=int(params["keep"]),
            depth=int(params["depth"]),
            width=int(params["width"]),
            code=int(git("show", "HEAD:src/train.py").split()[-1]),
            auc=round(auc * 1000),
        )

    def change(self, who: str, setting: str) -> None:
        """A commit with a value that nobody had before, trained and saved as DVC does; the remote gets the bytes."""
        self.next_number += 1
        project = replace(self.project(who), **{setting: self.next_number})
        self.remember(project)
        project.save(self.top / who, (self.cache(who), self.store))
        git = self.git[who]
        git("add", "-A")
        self.clock.tick()
        git("commit", "-q", "--allow-empty", "-m", f"Change {setting}")

    def pull(self, who: str) -> None:
        """`git pull`; where both went on, ours stays; then what `dvc pull` would do.  Only in a clean clone."""
        git = self.git[who]
        git.run("fetch", "-q", "origin", check=False)
        self.clock.tick()
        if git.run("merge", "-q", "--ff-only", "origin/main", check=False).returncode:
            git("merge", "-q", "-s", "ours", "-m", "Join", "origin/main")
        self.checkout(who)

    def checkout(self, who: str) -> None:
        """The bytes that HEAD names, into cache and work tree."""
        for path, digest in self.named(self.git[who]).items():
            data = self.contents[digest]
            put_object(self.cache(who), data)
            place = self.top / who / path
            if not place.is_file() or place.read_bytes() != data:
                place.unlink(missing_ok=True)
                place.write_bytes(data)

    def refs(self, who: str) -> dict[str, Ref]:
        """Of a clone, or of `hub`."""
        return read_refs(self.hub if who == "hub" else self.git[who])
