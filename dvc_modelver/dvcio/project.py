"""Which artifacts a commit declares, in every `dvc.yaml` and GTO's `artifacts.yaml`.  Pure over a tree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from dvc_modelver.core.declarations import Declared, DeclaredAll, FileProblem
from dvc_modelver.core.names import name_problem
from dvc_modelver.core.trees import Tree
from dvc_modelver.dvcio import paths
from dvc_modelver.dvcio.dvcyaml import has_template, parse_dvc_yaml
from dvc_modelver.dvcio.yaml12 import load_yaml
from dvc_modelver.errors import BadInput

DVC_YAML = "dvc.yaml"
GTO_YAML = "artifacts.yaml"
_KEYS = frozenset(("path", "type", "desc", "labels", "meta"))
_GTO_KEYS = frozenset(("path", "type", "description", "labels", "custom", "virtual"))


def declared(tree: Tree) -> DeclaredAll:
    """Every artifact that the tree declares.  Walks the whole tree; one name alone: `declared_one`.

    A file that cannot be read becomes a problem and hides nothing else.
    """
    found: dict[str, Declared] = {}
    problems: list[FileProblem] = []
    for file in tree.files(DVC_YAML):
        for item in _file(tree, file):
            if isinstance(item, FileProblem):
                problems.append(item)
            else:
                found[item.name] = item
    for item in _gto(tree):
        if isinstance(item, FileProblem):
            problems.append(item)
        else:
            found.setdefault(item.name, item)
    return DeclaredAll(artifacts=tuple(found[name] for name in sorted(found)), problems=tuple(problems))


def declared_one(tree: Tree, name: str) -> Declared | None:
    """The artifact of canonical name `name`, read from its own file only.

    Raises:
        BadInput: the file that should declare it cannot be read.
    """
    where = name.rpartition(":")[0]
    found = _pick(_file(tree, f"{where}/{DVC_YAML}" if where else DVC_YAML), name)
    if found is None and not where:
        found = _pick(_gto(tree), name)
    return found


def _pick(items: Iterator[Declared | FileProblem], name: str) -> Declared | None:
    problem = None
    for item in items:
        if isinstance(item, FileProblem):
            problem = item
        elif item.name == name:
            return item
    if problem is not None:
        raise BadInput(problem.problem)
    return None


def _file(tree: Tree, file: str) -> Iterator[Declared | FileProblem]:
    data = tree.read(file)
    if data is None:
        return
    try:
        raw = parse_dvc_yaml(data, file).artifacts
    except BadInput as error:
        yield FileProblem(file=file, problem=error.message)
        return
    yield from _entries(tree, file, raw, "artifacts")


def _gto(tree: Tree) -> Iterator[Declared | FileProblem]:
    data = tree.read(GTO_YAML)
    if data is None:
        return
    try:
        raw = load_yaml(data, name=GTO_YAML)
    except BadInput as error:
        yield FileProblem(file=GTO_YAML, problem=error.message)
        return
    yield from _entries(tree, GTO_YAML, raw, "the file")


def _entries(tree: Tree, file: str, raw: object, what: str) -> Iterator[Declared | FileProblem]:
    if raw is None:
        return
    if not isinstance(raw, dict):
        yield FileProblem(file=file, problem=f"{file}: {what} is not a mapping of names")
        return
    for name, entry in raw.items():
        yield _artifact(tree, file, name, entry)


def _artifact(tree: Tree, file: str, name: object, entry: object) -> Declared:
    """One entry; whatever is wrong with it goes into `problem`, the first fault first."""
    where = paths.directory(file)
    text = name if isinstance(name, str) else str(name)
    canonical = f"{where}:{text}" if where else text
    if not isinstance(entry, dict):
        return Declared(name=canonical, file=file, path=None, problem="its entry is not a mapping")
    path = entry.get("path")
    problem = (
        _name_fault(name, canonical)
        or _type_fault(file, entry)
        or (_path_fault(tree, where, path) if isinstance(path, str) else None)
    )
    meta = entry.get("custom" if file == GTO_YAML else "meta")
    return Declared(
        name=canonical,
        file=file,
        path=path if isinstance(path, str) else None,
        type=_text(entry.get("type")),
        desc=_text(entry.get("description" if file == GTO_YAML else "desc")),
        labels=_labels(entry.get("labels")),
        meta=meta if isinstance(meta, dict) else {} if meta is None else {"value": meta},
        problem=problem,
    )


def _name_fault(name: object, canonical: str) -> str | None:
    if not isinstance(name, str):
        return "its name is not text; quote it"
    fault = name_problem(canonical) if ":" not in name else "a name cannot hold ':'"
    return f"its name cannot be tagged: {fault}" if fault else None


def _type_fault(file: str, entry: Mapping[object, object]) -> str | None:
    old = file == GTO_YAML
    unknown = sorted(str(key) for key in entry.keys() - (_GTO_KEYS if old else _KEYS))
    if unknown:
        return f"unknown key {unknown[0][:60]!a}"
    for key in ("path", "type", "description" if old else "desc"):
        if entry.get(key) is not None and not isinstance(entry[key], str):
            return f"{key!r} is not text"
    if entry.get("path") is None and not old:
        return "it has no 'path'"
    labels = entry.get("labels")
    if labels is not None and _labels(labels) != tuple(labels if isinstance(labels, list) else "?"):
        return "'labels' is not a list of texts"
    return None


def _path_fault(tree: Tree, where: str, path: str) -> str | None:
    if has_template(path):
        return "its path is a template; write the path itself"
    resolved, problem = paths.resolve(where, path)
    if resolved is None:
        return problem
    link = None if paths.is_url(resolved) else paths.through_symlink(tree, resolved)
    return f"the path leads through the symbolic link {paths.shown(link)}" if link else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _labels(value: object) -> tuple[str, ...]:
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()
