"""Everything in a repository that could make git, Python, DVC or us run a program."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.bad_input.support import edit, uncached
from tests.hostile.support import Box, attack, few

EVIL_SETTINGS = {
    "core.fsmonitor": "{touch}",
    "core.pager": "{touch}",
    "pager.log": "{touch}",
    "pager.show-ref": "{touch}",
    "pager.for-each-ref": "{touch}",
    "diff.external": "{touch}",
    "diff.evil.command": "{touch}",
    "diff.evil.textconv": "{touch}",
    "merge.evil.driver": "{touch}",
    "core.editor": "{touch}",
    "core.askPass": "{touch}",
    "sequence.editor": "{touch}",
    "core.sshCommand": "{touch}",
    "core.gitProxy": "{touch}",
    "credential.helper": "!{touch}",
    "core.alternateRefsCommand": "{touch}",
    "uploadpack.packObjectsHook": "{touch}",
    "alias.show-ref": "!{touch}",
    "alias.cat-file": "!{touch}",
    "alias.rev-parse": "!{touch}",
    "gc.auto": "1",
    "gpg.program": "{program}",
    "gpg.ssh.program": "{program}",
    "trace2.normalTarget": "{outside}/trace",
    "interactive.diffFilter": "{touch}",
    "help.browser": "{touch}",
    "web.browser": "{touch}",
    "remote.origin.uploadpack": "{touch};",
    "remote.origin.receivepack": "{touch};",
}


def configure(box: Box) -> None:
    """Put every setting that names a program into `.git/config`, and attributes that ask for them."""
    program = box.program(box.repo.path / "evil.sh")
    for key, value in EVIL_SETTINGS.items():
        if not key.startswith("remote."):
            box.git("config", key, value.format(touch=box.touch, program=program, outside=box.outside))
    box.git.write(".gitattributes", "* diff=evil merge=evil\n")


def test_settings_of_the_repository_start_nothing(box: Box) -> None:
    """fsmonitor, pagers, external diff, textconv, aliases: none runs at a read, a fetch of bytes or a release."""
    configure(box)
    box.git.write("README.md", "# dirty, so that git looks for differences\n")
    report = attack(box)
    for name in ("list", "show", "get old", "get elsewhere", "release"):
        assert report.results[name].code == 0, report.results[name]


@pytest.mark.parametrize("key", ["extensions.partialClone", "remote.origin.promisor"])
@pytest.mark.parametrize("url", few(["file", "path", "ssh", "ext"], "path"))
def test_a_foreign_promisor_remote_is_never_asked(box: Box, key: str, url: str) -> None:
    """With --repo a missing object is missing: git must not run what the foreign configuration calls upload-pack."""
    edit(box.repo.path / "dvc.yaml", "path: models/churn.bin", "path: README.md")
    box.release_by_hand()
    oid = box.git.rev("HEAD:README.md")
    (box.repo.path / ".git" / "objects" / oid[:2] / oid[2:]).unlink()
    other = box.outside / "other.git"
    box.git("init", "-q", "--bare", other)
    program = box.program(box.repo.path / "evil.sh")
    urls = {"file": other.as_uri(), "path": other, "ssh": "ssh://h/x", "ext": f"ext::{program}"}
    box.git("config", "core.repositoryFormatVersion", "1")
    box.git("config", key, "origin" if key.startswith("ext") else "true")
    box.git("config", "remote.origin.url", urls[url])
    box.git("config", "remote.origin.uploadpack", str(program))
    box.git("config", "core.sshCommand", str(program))
    box.git("config", "protocol.allow", "always")
    done = subprocess.run(
        [str(_script()), "get", "churn@v0.3.0", "--repo", str(box.repo.path), "-o", str(box.top / "got")],
        cwd=box.outside,
        env={name: value for name, value in box.git.env.items() if name != "GIT_ALLOW_PROTOCOL"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 5, done.stderr
    assert not box.canary.exists()


def _script() -> Path:
    """The `modelver` script of the environment that runs the tests."""
    script = Path(sys.executable).with_name("modelver")
    if not script.exists():
        pytest.skip("modelver is not installed as a script here")
    return script


def test_pipeline_commands_and_code_are_only_text(box: Box) -> None:
    """`cmd`, hooks of DVC, `.dvc/plugins`, Python params and templates are read, never run."""
    edit(box.repo.path / "dvc.yaml", "cmd: python src/train.py", f"cmd: {box.touch}")
    box.git.write("params.py", f"import os\nos.system({box.touch!r})\nlr = 3\n")
    edit(box.repo.path / "dvc.yaml", "    - train\n", "    - train\n    - params.py:\n      - lr\n")
    box.module("conftest.py")
    box.module("setup.py")
    box.release_by_hand()
    report = attack(box)
    assert report.results["show latest"].code == 0


MODULES = [
    f"{name}.py"
    for name in (
        *("dvc", "yaml", "git", "typer", "configobj", "platformdirs", "pathspec", "usercustomize", "sitecustomize"),
        *("json", "typing", "subprocess", "dvc_modelver", "tomllib", "_strptime"),
    )
]


def planted(box: Box) -> None:
    """Modules named like those that we import, a package of our name, and programs, in the repository's root."""
    for name in MODULES:
        box.module(name)
    for package in ("dvc", "dvc_modelver", "yaml", "dvc_data"):
        box.module(f"{package}/__init__.py")
        box.module(f"{package}/cli/main.py")
    for program in ("git", "ssh-keygen", "python", "sh", "git.exe", "git.bat"):
        box.program(box.repo.path / program)
    for hook in ("dvc.pth", "evil.pth"):
        box.git.write(hook, f"import os; os.system({box.touch!r})\n")


@pytest.mark.parametrize("path", few(["as it is", ".:PATH", ":PATH", "PATH:", "bin:PATH"], ".:PATH"))
def test_the_installed_script_runs_nothing_from_the_directory_it_is_called_in(box: Box, path: str) -> None:
    """`modelver` inside a repository full of modules and programs of familiar names: none is used."""
    planted(box)
    shutil.copytree(box.repo.path, box.repo.path / "bin", ignore=shutil.ignore_patterns(".git", ".dvc"))
    env = {k: v for k, v in box.git.env.items() if k != "PYTHONPATH"}
    env["PATH"] = env["PATH"] if path == "as it is" else path.replace("PATH", env["PATH"])
    for words in (["list"], ["show", "churn@v0.2.0"], ["doctor"], ["get", "churn", "-o", str(box.top / "m")]):
        done = subprocess.run([str(_script()), *words], cwd=box.repo.path, env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert not box.canary.exists(), (path, words)


def test_python_m_looks_for_no_module_of_ours_in_the_working_directory(box: Box) -> None:
    """`python -m dvc_modelver` begins with the working directory on its path; it leaves it at once."""
    for name in ("yaml.py", "configobj.py", "typer.py", "dvc.py", "platformdirs.py"):
        box.module(name)
    for words in (["list"], ["show", "churn@v0.2.0"], ["get", "churn", "-o", str(box.top / "m")]):
        done = subprocess.run(
            [sys.executable, "-m", "dvc_modelver", *words],
            cwd=box.repo.path,
            env=box.git.env,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        assert not box.canary.exists(), words


def test_planted_modules_do_not_reach_a_running_process(box: Box) -> None:
    """All commands in one process, in a repository full of familiar names."""
    planted(box)
    report = attack(box)
    assert report.results["get old"].code == 0


PICKLES: dict[str, Callable[[str], bytes]] = {
    "protocol 0": lambda touch: f"cos\nsystem\n(S'{touch}'\ntR.".encode(),
    "protocol 2": lambda touch: (
        b"\x80\x02cos\nsystem\nX" + len(touch).to_bytes(4, "little") + touch.encode() + b"\x85R."
    ),
    "a zip": lambda touch: b"PK\x03\x04" + b"\0" * 60,
    "safetensors": lambda touch: (2**63 - 1).to_bytes(8, "little") + b'{"a":',
}


@pytest.mark.parametrize("what", PICKLES)
def test_model_files_are_only_bytes(box: Box, what: str) -> None:
    """A model that runs code when loaded is hashed, released and fetched, never loaded."""
    data = PICKLES[what](box.touch)
    box.repo.model.unlink()
    box.repo.model.write_bytes(data)
    uncached(box.repo)
    (box.repo.path / "dvc.lock").write_text((box.repo.path / "dvc.lock").read_text().split("  train:")[0])
    edit(box.repo.path / "dvc.yaml", "  train:\n", "  training:\n")
    edit(box.repo.path / "dvc.yaml", "path: models/churn.bin", "path: model.pkl")
    box.git.write("model.pkl", data)
    box.release_by_hand()
    report = attack(box)
    assert report.results["get"].code == 0, report.results["get"]
    assert (box.top / "got" / "latest").read_bytes() == data


BAD_REPOS = [
    "ext::sh -c touch% {canary}",
    "ext::{program}",
    "--upload-pack={program}",
    "--upload-pack={program} {repo}",
    "-u{program}",
    "--output={canary}",
    "-x",
    "ssh://-oProxyCommand={program}/x",
    "ssh://user@-oProxyCommand={program}/x",
    "-oProxyCommand={program}@h:x",
    "git@-oProxyCommand={program}:x",
    "fd::17",
    "transport::{repo}",
    "file://{repo}/../../nowhere",
    "FILE://{repo}",
    "http://127.0.0.1:9/x.git",
    "https://127.0.0.1:9/x.git\n--upload-pack=x",
    "git://127.0.0.1:9/x",
    "h:x",
    "",
    " ",
    "\0",
    "\x1b[2J",
    "nowhere/at/all",
    "/dev/null",
    "~nobody-at-all",
]


def test_repository_arguments_start_nothing(box: Box) -> None:
    """`ext::`, options in disguise and odd URLs as --repo: 2 or 6, and nothing runs."""
    program = box.program(box.repo.path / "evil.sh")
    ssh = box.program(box.repo.path / "bin" / "ssh")
    places = {"canary": box.canary, "program": program, "repo": box.repo.path}
    wanted = {}
    for number, text in enumerate(BAD_REPOS):
        repo = text.format(**places)
        wanted[f"list {number}"] = ["list", f"--repo={repo}"]
        wanted[f"get {number}"] = ["get", "churn", f"--repo={repo}", "-o", str(box.top / "got" / "x")]
    report = attack(box, wanted, env={"GIT_ALLOW_PROTOCOL": "file:git:http:https", "GIT_SSH": str(ssh)})
    for number, text in enumerate(BAD_REPOS):
        for name in (f"list {number}", f"get {number}"):
            code = report.results[name].code
            assert code in (2, 6) or (text == "FILE://{repo}" and code in (0, 5, 6)), report.results[name]


def test_a_foreign_cache_directory_is_ignored(box: Box) -> None:
    """`cache.dir` of somebody else's repository would let it read, and fill, any directory of this machine."""
    shutil.copytree(box.repo.cache.parent.parent, box.outside / "cache")
    shutil.rmtree(box.repo.cache)
    shutil.rmtree(box.repo.store / "files")
    box.git.write(".dvc/config", f"[cache]\n    dir = {box.outside / 'cache'}\n")
    box.git.commit("Point the cache elsewhere")
    report = attack(box)
    assert report.results["get elsewhere"].code == 5, report.results["get elsewhere"]
    assert report.results["get by URL"].code == 5, report.results["get by URL"]


def test_a_foreign_repositorys_own_state_is_not_believed(box: Box) -> None:
    """Our cache files in somebody else's Git directory say nothing, and are not asked."""
    shown = ["show", "churn", "--json"]
    attack(box, {"fill": shown})
    files = [p for p in (box.repo.path / ".git/modelver/cache").rglob("*") if p.is_file()]
    filled = [p for p in files if b"models/churn.bin" in p.read_bytes()]
    assert filled
    for place in filled:
        place.write_bytes(place.read_bytes().replace(b"models/churn.bin", b"/etc/passwd"))
    report = attack(box, {"elsewhere": [*shown, "--repo", str(box.repo.path), "-C", str(box.outside)]})
    rows = report.results["elsewhere"].json["versions"]
    assert [row["artifact"]["path"] for row in rows] == ["models/churn.bin"] * len(rows)
