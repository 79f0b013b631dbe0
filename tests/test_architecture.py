"""The rooms of the package and who may enter which: what no reviewer should have to check by eye."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from tests.support import DvcRepo, Git

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "dvc_modelver"

LEAVES = {"errors", "resources", "_version"}
"""Modules of the top that import nothing of ours and that every room may use (core: `errors` alone)."""

MAY_IMPORT: dict[str, set[str]] = {
    "core": {"errors"},
    "gitio": {"core", *LEAVES},
    "dvcio": {"core", *LEAVES},
    "cards": {"core", *LEAVES},
    "hooks": {"core", "gitio", "dvcio", "cards", *LEAVES},
    "integrations": {"core", "gitio", "dvcio", "cards", *LEAVES},
    "commands": {"core", "gitio", "dvcio", "cards", "hooks", "integrations", *LEAVES},
    "cli": {"commands", "core", "gitio", "dvcio", "cards", "hooks", "integrations", *LEAVES},
    # The Python API is a shell around the commands, as the command line is.
    "api": {"commands", "core", "gitio", "dvcio", "cards", *LEAVES},
    "__init__": {"api", "core", *LEAVES},
    "__main__": {"cli", "hooks"},
    **{leaf: set() for leaf in LEAVES},
}
"""Room or top module -> what of ours it may import, besides itself."""

HEAVY = {"dvc", "git", "pandas", "sklearn", "rich", "numpy", "yaml"}
"""Each costs 30 ms to 1.2 s at import."""

TOP_LEVEL = {
    ".ci",
    ".github",
    ".gitignore",
    ".pre-commit-config.yaml",
    ".pre-commit-hooks.yaml",
    "CHANGELOG.md",
    "LICENSE",
    "README.md",
    "docs",
    "dvc_modelver",
    "pyproject.toml",
    "templates",
    "tests",
}


@dataclass(frozen=True)
class Import:
    """One name that a module imports, anywhere in it."""

    path: Path
    line: int
    target: str
    at_module_level: bool

    @property
    def room(self) -> str:
        """The importing module's room, or its own name at the top of the package."""
        return self.path.relative_to(ROOT / PACKAGE).parts[0].removesuffix(".py")

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line} imports {self.target}"


def modules() -> list[Path]:
    return sorted((ROOT / PACKAGE).rglob("*.py"))


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


@cache
def imports() -> list[Import]:
    return [found for path in modules() for found in _imports_of(path)]


def _imports_of(path: Path) -> Iterator[Import]:
    tree = parse(path)
    type_only = {id(node) for branch in ast.walk(tree) if _is_type_checking(branch) for node in ast.walk(branch)}
    runs_later = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            package = path.relative_to(ROOT).parts[: -node.level] if node.level else ()
            module = ".".join([*package, *filter(None, [node.module])])
            targets = [f"{module}.{alias.name}" for alias in node.names]
        else:
            continue
        for target in targets:
            yield Import(path, node.lineno, target, id(node) not in type_only | runs_later)


def _is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def test_every_room_has_its_line_in_the_table() -> None:
    """A new room cannot come without saying what it may import."""
    rooms = {path.relative_to(ROOT / PACKAGE).parts[0].removesuffix(".py") for path in modules()}
    assert rooms <= set(MAY_IMPORT)


def test_rooms_import_only_what_they_may() -> None:
    """Core knows nobody, gitio and dvcio do not know each other, commands and cli are known to shells alone."""
    wrong = []
    for found in imports():
        parts = found.target.split(".")
        if parts[0] != PACKAGE or len(parts) == 1:
            continue
        target = parts[1]
        if target != found.room and target in MAY_IMPORT and target not in MAY_IMPORT[found.room]:
            wrong.append(str(found))
    assert wrong == []


def test_core_is_standard_library_only() -> None:
    """What decides needs nothing installed, and neither processes nor the network."""
    forbidden = {"subprocess", "socket", "urllib.request", "http", "tempfile", "shutil"}
    wrong = []
    for found in imports():
        foreign = _top(found) not in {PACKAGE, *sys.stdlib_module_names}
        if found.room == "core" and (foreign or any(f"{found.target}.".startswith(f"{name}.") for name in forbidden)):
            wrong.append(str(found))
    assert wrong == []


def test_only_one_module_imports_dvc() -> None:
    """Facts are parsed from text; DVC itself is needed to act, in one place."""
    users = {found.path.relative_to(ROOT / PACKAGE).as_posix() for found in imports() if _top(found) == "dvc"}
    assert users <= {"dvcio/act.py"}


def test_heavy_libraries_are_not_imported_at_module_level() -> None:
    """Importing any module of ours stays cheap, so a command pays only for what it uses."""
    assert [str(found) for found in imports() if found.at_module_level and _top(found) in HEAVY] == []


def test_git_is_started_by_gitio_alone() -> None:
    """An argument list that begins with `git` stands nowhere else: there the environment is scrubbed."""
    wrong = []
    for path in modules():
        if path.is_relative_to(ROOT / PACKAGE / "gitio"):
            continue
        for node in ast.walk(parse(path)):
            if isinstance(node, ast.List | ast.Tuple) and node.elts:
                first = node.elts[0]
                if isinstance(first, ast.Constant) and first.value == "git" and len(node.elts) > 1:
                    wrong.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert wrong == []


def test_every_module_says_its_role() -> None:
    """A reader learns in the first line of a file what it is for."""
    assert [str(path.relative_to(ROOT)) for path in modules() if not ast.get_docstring(parse(path))] == []


def test_every_test_says_what_it_shows() -> None:
    """Each test has a docstring: the promise in a sentence, which its name is too short for."""
    silent = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        for node in ast.walk(parse(path))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_") and not ast.get_docstring(node)
    ]
    assert silent == []


@pytest.mark.parametrize(
    "words",
    [("--version",), ("list", "--json"), ("show", "churn", "--json"), ("show", "churn@v0.1.0", "--json")],
    ids=" ".join,
)
def test_reading_loads_no_heavy_library(dvc_repo: DvcRepo, words: tuple[str, ...]) -> None:
    """`list` and `show` answer without DVC, GitPython, pandas, scikit-learn or rich in memory."""
    dvc_repo.git.tag("churn@v0.1.0")
    script = (
        "import json, sys\n"
        "from dvc_modelver.cli.main import main\n"
        "code = main(json.loads(sys.argv[1]))\n"
        "print(json.dumps([code, sorted(sys.modules)]), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, json.dumps(words)],
        cwd=dvc_repo.path,
        env=dvc_repo.git.env,
        capture_output=True,
        text=True,
    )
    code, loaded = json.loads(done.stderr.splitlines()[-1])
    assert (code, (HEAVY - {"yaml"}) & set(loaded)) == (0, set())


def test_documentation_names_every_command_and_option() -> None:
    """What the command line offers and neither the README nor a page that it links to says is as good as absent."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    pages = [ROOT / page for page in re.findall(r"\]\((docs/[\w-]+\.md)", readme)]
    readme += "".join(page.read_text(encoding="utf-8") for page in pages)
    words = set(re.findall(r"(?<![\w-])--?[a-zA-Z][\w-]*", readme))
    commands = set(re.findall(r"(?:(?<=modelver )|(?<=`))[a-z][a-z-]*", readme))
    commands |= set(re.findall(r"(?:(?<=modelver )|(?<=`))[a-z]+ [a-z-]+", readme))
    missing = [word for word in _cli_words() if word not in (words if word.startswith("-") else commands)]
    assert missing == []


def _cli_words() -> list[str]:
    """Every visible command's name and the long (or else only) spelling of every visible option."""
    import typer.main

    from dvc_modelver.cli.main import COMMANDS, build_app

    found: set[str] = set()

    def visit(command: object, above: str = "") -> None:
        for param in getattr(command, "params", ()):
            spellings = [*param.opts, *param.secondary_opts]
            options = [word for word in spellings if word.startswith("-")]
            if options and not getattr(param, "hidden", False) and param.name != "help":
                found.update([word for word in options if word.startswith("--")] or options)
        for name, child in getattr(command, "commands", {}).items():
            if not child.hidden:
                found.add(f"{above}{name}")
                visit(child, f"{above}{name} ")

    visit(typer.main.get_command(build_app(list(COMMANDS))))
    # typer's own, the same in every program that it makes.
    return sorted(found - {"--install-completion", "--show-completion"})


def test_top_level_holds_only_what_a_reader_expects(home: Path) -> None:
    """Little stands at the top of the repository, and each of it is meant."""
    files = Git(ROOT, home)("ls-files", "--cached", "--others", "--exclude-standard").splitlines()
    assert {name.split("/")[0] for name in files} == TOP_LEVEL


def _top(found: Import) -> str:
    return found.target.split(".")[0]
