"""What every command starts from: the repository, its configuration, its tags, its declarations.

What only some commands need is imported where they need it: a `list` must not pay for it at every start.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import cached_property
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import TYPE_CHECKING

from dvc_modelver.commands.declaredcache import read_declared, write_declared
from dvc_modelver.core.declarations import DeclaredAll
from dvc_modelver.core.names import check_name, to_tag
from dvc_modelver.core.progress import Progress, no_progress
from dvc_modelver.core.registry import Model, Registry
from dvc_modelver.core.tagobjects import TagObject, TagRef
from dvc_modelver.errors import EnvironmentProblem, NotFound
from dvc_modelver.gitio.objects import CommitTree, Objects
from dvc_modelver.gitio.refs import TagListing, current_branch, read_tags
from dvc_modelver.gitio.repository import Repository, open_repository
from dvc_modelver.gitio.seenlog import Published, SeenLog, is_remembered, remember

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from dvc_modelver.commands.factscache import FactsCache
    from dvc_modelver.core.config import Config
    from dvc_modelver.core.references import Reference

Say = Callable[[str], None]
SHALLOW = "this clone is shallow, versions may be missing: git fetch --unshallow --tags"
_AT_WORK = "note: another modelver is at work in this repository: what is shown may change"
_INTERRUPTED = (
    "warning: an earlier command was interrupted: the next one that writes, or modelver doctor --recover, "
    "finishes or undoes it"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a command may know of the world: nothing else reaches for it."""

    directory: Path
    env: Mapping[str, str]
    now: Callable[[], datetime] = lambda: datetime.now(timezone.utc)
    say: Say = lambda text: None
    """Takes a line for people: a warning or a note."""
    progress: Progress = no_progress


class Project:
    """One repository as one command sees it; everything is read once, when first asked for.

    A context manager: it holds a git process that answers for objects.
    """

    def __init__(self, around: Surroundings, *, foreign: bool = False, repository: Repository | None = None) -> None:
        """Raises `BadInput` for a directory that is not there, `EnvironmentProblem` outside any repository.

        Args:
            repository: where it is known already, and need not be the one that `around.directory` lies in.
        """
        self.around = around
        self.repository: Repository = repository or open_repository(around.directory, around.env)
        self._scratch: AbstractContextManager[Path] | None = None
        self._models: dict[str, Model] = {}
        self.data_commit: str | None = None
        """Whose `.dvc/config` says where the bytes are when there is neither a work tree nor a HEAD."""
        self.objects = Objects(self.repository.git)
        self.foreign = foreign
        """Whether it is somebody else's, opened by `--repo`: nothing is written, its cache directory is ignored."""

    def __enter__(self) -> Project:
        if not self.foreign and (self.repository.state_dir / "journal").exists():
            from dvc_modelver.commands.recovery import is_held

            self.around.say(_AT_WORK if is_held(self.repository.state_dir) else _INTERRUPTED)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.objects.close()
        if self._scratch is not None:
            self._scratch.__exit__(None, None, None)
        if not self.foreign and kind is None:
            if "facts_cache" in self.__dict__:
                self.facts_cache.save()
            if "tags" in self.__dict__:
                self.remember_tags()
        if isinstance(error, NotFound) and self.repository.shallow and not error.hint.startswith("did you mean"):
            # What is not found in a shallow clone is most likely what it lacks.
            error.hint = SHALLOW

    @cached_property
    def facts_cache(self) -> FactsCache:
        from dvc_modelver.commands.factscache import FactsCache

        # What lies in somebody else's Git directory is not ours to believe.
        if self.foreign:
            return FactsCache(self.scratch)
        return FactsCache(self.state_dir)

    def forget(self) -> None:
        """Read anew what refs and HEAD said; and a Ctrl-C may have ended the git that answers for objects."""
        self.forget_objects()
        for name in ("head", "branch", "remote", "tags", "registry", "declared"):
            self.__dict__.pop(name, None)
        self._models.clear()

    def forget_objects(self) -> None:
        """Let go of the objects that were read, and of the git that answered."""
        with suppress(OSError):
            self.objects.close()
        self.objects = Objects(self.repository.git)

    @property
    def root(self) -> Path:
        """Of the work tree.  Raises `EnvironmentProblem` in a bare repository."""
        if self.repository.root is None:
            raise EnvironmentProblem("a bare repository has no work tree", hint="run this in a clone")
        return self.repository.root

    @cached_property
    def state_dir(self) -> Path:
        """Where what we remember of this repository lies; what somebody else's says of itself is not believed."""
        return self.scratch / "state" if self.foreign else self.repository.state_dir

    @cached_property
    def scratch(self) -> Path:
        """A private directory that goes when the command ends."""
        from dvc_modelver.gitio.leftovers import scratch

        self._scratch = scratch("project")
        return self._scratch.__enter__()

    @cached_property
    def data_root(self) -> Path:
        """Where DVC's configuration lies: the work tree; without one, HEAD's `.dvc/config` files in scratch."""
        if self.repository.root is not None:
            return self.repository.root
        if (commit := self.head or self.data_commit) is not None:
            tree = self.tree(commit)
            for path in tree.files("config"):
                parts = PurePosixPath(path).parts
                # Whoever writes tree objects by hand can write `..` into them.
                if parts[-2:-1] == (".dvc",) and not {"..", "/"} & set(parts):
                    target = self.scratch / path
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(tree.read(path) or b"")
        return self.scratch

    @cached_property
    def config(self) -> Config:
        """From `.modelver.yaml` or `[tool.modelver]`, then `MODELVER_*`.  Raises `BadInput`."""
        from dvc_modelver.dvcio.settings import read_config_files

        return read_config_files(self.repository.root, self.around.env)

    @cached_property
    def tags(self) -> TagListing:
        return read_tags(self.repository.git)

    @cached_property
    def registry(self) -> Registry:
        return Registry(self.tags.all(), self.objects.tags)

    def model_of(self, name: str) -> Model:
        """The artifact of that canonical name, without looking at the tags of others."""
        if "registry" in self.__dict__:
            return self.registry.model(name)
        if name not in self._models:
            self._models[name] = Registry(self._tags_of(name), self.objects.tags).model(name)
        return self._models[name]

    def _tags_of(self, name: str) -> list[TagRef]:
        tag = to_tag(name)
        return [*self.tags.starting(f"{tag}#"), *self.tags.starting(f"{tag}@")]

    @cached_property
    def seen(self) -> SeenLog:
        """The seen-log."""
        return SeenLog(self.state_dir)

    def moved(self, ref: TagRef) -> str | None:
        """What to say of a tag that names another object than the one first seen here; None while it is the same."""
        first = self.seen.oids.get(ref.name)
        if first is None or first == ref.oid:
            return None
        from dvc_modelver.core.verification import moved

        return moved(first).problem

    def sound_tag(self, model: Model, ref: TagRef) -> TagObject:
        """The object of `ref`, which a command is about to use, with a warning when it was moved.

        Raises `DataError` when it is not what its name says.
        """
        if (problem := self.moved(ref)) is not None:
            self.around.say(f"warning: {ref.name}: {problem}")
        return model.refuse_unsound(ref)

    @cached_property
    def published(self) -> Published:
        """What is known of our own tags' publication."""
        return Published(self.state_dir)

    def remember_tags(self) -> None:
        """Note every tag of ours in the seen-log, when any has come, gone or moved since the last command.

        Names are not parsed for it (94 ms for 12,000 tags): who reads the log does.
        """
        fingerprint = self.tags.fingerprint
        if not is_remembered(self.repository.state_dir, fingerprint):
            ours = (ref for ref in self.tags.all() if ref.target is not None and ("@" in ref.name or "#" in ref.name))
            remember(self.repository.state_dir, ours, fingerprint)

    @cached_property
    def head(self) -> str | None:
        """The commit that HEAD names; None while the branch is unborn."""
        return self.objects.commit("HEAD")

    @cached_property
    def branch(self) -> str | None:
        """The full name of the checked-out branch; None when HEAD is detached."""
        return current_branch(self.repository.git)

    @cached_property
    def remote(self) -> str | None:
        """The Git remote that a push would go to."""
        from dvc_modelver.gitio.remotes import push_remote

        return push_remote(self.repository.git, self.branch)

    def tree(self, commit: str) -> CommitTree:
        return CommitTree(self.objects, commit, self.repository.git)

    @cached_property
    def declared(self) -> DeclaredAll:
        """What HEAD declares under `artifacts:`."""
        if self.head is None:
            return DeclaredAll(artifacts=())
        tree = self.tree(self.head)
        known = read_declared(self.state_dir, tree.oid)
        if known is not None:
            return known
        from dvc_modelver.dvcio.project import declared

        found = declared(tree)
        if not self.foreign:
            write_declared(self.state_dir, tree.oid, found)
        return found

    def resolve(self, text: str) -> Reference:
        """`text` as a reference with its canonical name.

        Raises `BadInput` when it is none, `NotFound` when neither tags nor declarations know the model.
        """
        from dvc_modelver.core.references import Reference, canonical_name, parse_reference

        reference = parse_reference(text)
        # Tags are at hand; the declarations of a whole tree are read only when tags do not know the name.
        name = self._from_tags(reference.name)
        if name is None:
            known = {*self.registry.models, *(artifact.name for artifact in self.declared.artifacts)}
            name = canonical_name(reference.name, self.repository.prefix, known)
        return Reference(name=name, version=reference.version, stage=reference.stage, latest=reference.latest)

    def _from_tags(self, name: str) -> str | None:
        prefix = self.repository.prefix
        nearest = f"{prefix}:{name}" if prefix and ":" not in name else name
        return nearest if any(self.model_of(nearest).tag_refs()) else None

    def model(self, text: str) -> Model:
        """The model that a bare name means.  Raises like `resolve`; `BadInput` for a name with version or stage."""
        reference = self.resolve(check_name(text))
        return self.model_of(reference.name)
