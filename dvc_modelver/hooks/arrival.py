"""What a checkout or a merge has brought: which versions these are, and whether the data is still the old one's.

No data is hashed: commits are compared by what their DVC files say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dvc_modelver.core.tags import Event, parse_tag_name
from dvc_modelver.core.text import one_line
from dvc_modelver.errors import ModelverError
from dvc_modelver.gitio.objects import CommitTree, Objects
from dvc_modelver.gitio.refs import TagListing, read_tags
from dvc_modelver.gitio.repository import Repository, operation_under_way
from dvc_modelver.hooks.call import Call
from dvc_modelver.hooks.whereabouts import repository_of

_NAMED = 3
_MAX_MODELS = 20
"""So many declared models are compared with their versions at most: a checkout does not wait for more."""
_MAX_VERSIONS = 200
_MAX_SCRIPT = 1 << 16
_LINE = 300


@dataclass(frozen=True, slots=True)
class Arrival:
    """Two commits: what the work tree was of, and what it is of now."""

    old: str
    new: str


FindArrival = Callable[[Objects], Arrival | None]


def tell(call: Call, find: FindArrival, *, dvc_hook: str = "") -> int:
    """Say at most two lines on stderr; whatever goes wrong, git's own work is done and stays so.

    Args:
        dvc_hook: the hook by which DVC itself, where it is installed, brings the data now.
    """
    with suppress(ModelverError, OSError, ValueError, RecursionError):
        repository = repository_of(call)
        busy = operation_under_way(repository) is not None or call.env.get("GIT_REFLOG_ACTION", "").startswith("rebase")
        if repository.root is None or busy:
            return 0
        with Objects(repository.git) as objects:
            arrival = find(objects)
            if arrival is not None and arrival.old != arrival.new:
                for line in _lines(repository, objects, arrival, dvc_hook):
                    call.say(f"modelver: {one_line(line, _LINE)}")
    return 0


def _lines(repository: Repository, objects: Objects, arrival: Arrival, dvc_hook: str) -> Iterator[str]:
    files = _dvc_files(repository, arrival)
    versions = _versions(repository, objects, arrival.new, bool(files))
    if versions:
        yield f"this is {_some(versions)}"
    if files and not (dvc_hook and _dvc_does_it(repository, dvc_hook)):
        verb = "names" if len(files) == 1 else "name"
        yield f"{_some(files)} {verb} other data than before: dvc checkout brings it"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _dvc_files(repository: Repository, arrival: Arrival) -> list[str]:
    """The `dvc.lock` and `.dvc` files that differ between the two commits, and are there now."""
    flags = ("-r", "-z", "--name-only", "--no-renames", "--diff-filter=d", "--end-of-options")
    raw = repository.git.run("diff-tree", *flags, arrival.old, arrival.new)
    names = raw.decode("utf-8", "surrogateescape").split("\0")
    return [name for name in names if name == "dvc.lock" or name.endswith(("/dvc.lock", ".dvc"))]


def _dvc_does_it(repository: Repository, hook: str) -> bool:
    """Whether git starts DVC's own hook, which checks data out by itself."""
    folder = _hooks_folder(repository)
    scripts = [_text(folder / f"{hook}{end}") for end in ("", ".legacy", ".before-modelver")]
    if folder.name == "_":  # husky's own files start those beside
        scripts.append(_text(folder.parent / hook))
    if any(f"dvc git-hook {hook}".encode() in script for script in scripts):
        return True
    config = _text((repository.root or folder) / ".pre-commit-config.yaml")
    return f"dvc-{hook}".encode() in config and any(b"pre-commit" in script for script in scripts)


def _hooks_folder(repository: Repository) -> Path:
    """Where git looks for hooks; in a linked worktree git finds no name for a folder that is not there."""
    done = repository.git.complete("rev-parse", "--path-format=absolute", "--git-path", "hooks")
    found = done.stdout.decode("utf-8", "surrogateescape").removesuffix("\n")
    return Path(found) if done.status == 0 and found else repository.common_dir / "hooks"


def _text(path: Path) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(_MAX_SCRIPT)
    except OSError:
        return b""


# Versions -----------------------------------------------------------------------------------------------------------


def _versions(repository: Repository, objects: Objects, commit: str, changed: bool) -> list[str]:
    """The versions whose commit this is; of the other models, when data came with it, those made of the same."""
    listing = read_tags(repository.git)
    found: dict[str, str] = {}
    gone: set[str] = set()
    for ref in listing.all():
        if ref.target == commit:
            name = parse_tag_name(ref.name)
            if name is not None and name.event is Event.RELEASE:
                found[name.name] = f"{name.name}@{name.version}"
            elif name is not None and name.event is Event.WITHDRAW_VERSION:
                gone.add(f"{name.name}@{name.version}")
    if changed:
        for model, version in _by_slice(repository, objects, listing, commit, found):
            found.setdefault(model, version)
    return sorted(f"{one} (withdrawn)" if one in gone else one for one in found.values())


def _by_slice(
    repository: Repository, objects: Objects, listing: TagListing, commit: str, known: dict[str, str]
) -> Iterator[tuple[str, str]]:
    from dvc_modelver.core.names import to_tag
    from dvc_modelver.core.releases import slice_digest
    from dvc_modelver.dvcio.facts import slice_of
    from dvc_modelver.dvcio.project import declared

    tree = CommitTree(objects, commit, repository.git)
    for artifact in declared(tree).artifacts[:_MAX_MODELS]:
        refs = [] if artifact.name in known else listing.starting(f"{to_tag(artifact.name)}@")
        names = {ref.oid: name for ref in refs[-_MAX_VERSIONS:] if (name := parse_tag_name(ref.name)) is not None}
        if not names:
            continue
        try:
            digest = slice_digest(slice_of(tree, artifact))
        except ModelverError:
            continue
        for oid, tag in objects.tags(list(names)).items():
            name = names[oid]
            same = tag.record is not None and tag.record.slice_digest == digest
            if same and name.event is Event.RELEASE:
                yield artifact.name, f"{artifact.name}@{name.version}"
                break
