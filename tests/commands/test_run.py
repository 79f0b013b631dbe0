"""`run`: real child processes, alone and inside a pipeline stage."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from dvc_modelver.commands.interpreter import find_interpreter
from tests.support import DvcRepo, isolated_env

# As `python -m dvc_modelver run` does, whatever commands the command line lists.
_START = """\
import sys
from dvc_modelver.cli import main
main.COMMANDS.setdefault("run", "Run a training.")
sys.exit(main.main(["run", *sys.argv[1:]]))
"""


@pytest.fixture
def starter(tmp_path: Path) -> Path:
    path = tmp_path / "start.py"
    path.write_text(_START)
    return path


@pytest.fixture
def work(tmp_path: Path) -> Path:
    (tmp_path / "work").mkdir()
    return tmp_path / "work"


def run(
    starter: Path, work: Path, *words: str, env: Mapping[str, str] | None = None, stdin: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    variables = isolated_env(starter.parent / "home") | dict(env or {})
    argv = [sys.executable, str(starter), *words]
    return subprocess.run(argv, cwd=work, env=variables, input=stdin, capture_output=True, timeout=60, check=False)


def python(code: str) -> list[str]:
    return ["--", "python", "-c", code]


def read(path: Path) -> Any:
    return json.loads(path.read_text())


def test_streams_and_exit_code_are_those_of_the_command(starter: Path, work: Path) -> None:
    """stdin, stdout, stderr and the exit code pass through, and stdout holds nothing of ours."""
    code = "import sys; sys.stdout.write(sys.stdin.read().upper()); sys.stderr.write('err'); sys.exit(42)"
    done = run(starter, work, *python(code), stdin=b"abc")
    assert (done.returncode, done.stdout, done.stderr) == (42, b"ABC", b"err")


def test_words_after_the_dashes_reach_the_command_as_they_are(starter: Path, work: Path) -> None:
    """Options that look like ours, and further dashes, are the command's."""
    words = ["--json", "-C", "x", "--", "-v", "--python", ""]
    done = run(starter, work, *python("import json, sys; print(json.dumps(sys.argv[1:]))"), *words)
    assert (done.returncode, json.loads(done.stdout)) == (0, words)


def test_the_environment_is_that_of_the_interpreter(starter: Path, work: Path) -> None:
    """Python, packages, system and processor, in canonical form."""
    assert run(starter, work, *python("pass")).returncode == 0
    text = (work / "environment.json").read_text()
    found = json.loads(text)
    assert text == json.dumps(found, indent=2, sort_keys=True) + "\n"
    assert found["python"]["version"] == ".".join(map(str, sys.version_info[:3]))
    names = [package["name"] for package in found["packages"]]
    assert names == sorted(names)
    assert {"dvc", "scikit-learn"} <= set(names)
    assert found["os"]["system"]
    assert found["cpu"]["count"] == os.cpu_count()
    runtime = read(work / "runtime.json")
    assert runtime["exit_code"] == 0
    assert runtime["duration_seconds"] >= 0
    assert runtime["peak_memory_bytes"] > 1_000_000


def test_another_interpreter_is_asked_not_ours(starter: Path, work: Path) -> None:
    """A virtual environment's Python tells its own packages, by path, by script and by option."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", work / "venv"], check=True)
    inner = work / "venv" / "bin" / "python"
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    info = work / "venv" / "lib" / f"python{version}" / "site-packages" / "only_here-1.5.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: only-here\nVersion: 1.5\n")
    script = work / "train"
    script.write_text(f"#!{inner}\n")
    script.chmod(0o755)
    env = {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    for words in (["--", str(inner), "-c", ""], ["--", "./train"], ["--python", str(inner), "--", "true"]):
        (work / "environment.json").unlink(missing_ok=True)
        assert run(starter, work, *words, env=env).returncode == 0
        assert read(work / "environment.json")["packages"] == [{"name": "only-here", "version": "1.5"}]


def test_a_command_whose_python_is_not_known_says_so(starter: Path, work: Path) -> None:
    """Not ours is written down instead: `python` is null."""
    done = run(starter, work, "--", "sh", "-c", "exit 0")
    assert (done.returncode, b"--python" in done.stderr) == (0, True)
    found = read(work / "environment.json")
    assert (found["python"], found["packages"]) == (None, [])


def test_equal_environments_give_equal_bytes(starter: Path, work: Path, tmp_path: Path) -> None:
    """Another home, user, host name, time zone, locale, secret, and a second run change no byte."""
    others: list[dict[str, str]] = [
        {},
        {},
        {"HOME": str(tmp_path), "USER": "mallory", "LOGNAME": "mallory", "HOSTNAME": "elsewhere"},
        {"TZ": "Asia/Tokyo", "LC_ALL": "C", "LANG": "de_DE.UTF-8", "AWS_SECRET_ACCESS_KEY": "hunter2"},
    ]
    seen = set()
    for env in others:
        (work / "environment.json").unlink(missing_ok=True)
        assert run(starter, work, *python("pass"), env=env).returncode == 0
        seen.add((work / "environment.json").read_bytes())
    assert len(seen) == 1
    text = seen.pop().decode()
    assert not [
        word for word in ("mallory", "elsewhere", "hunter2", str(tmp_path), os.uname().nodename) if word in text
    ]


def test_threads_seeds_and_the_lock_file_are_noted(starter: Path, work: Path) -> None:
    """What changes a training's numbers changes the document."""
    (work / "requirements.txt").write_text("dvc\n")
    assert run(starter, work, *python("pass"), env={"OMP_NUM_THREADS": "3", "PYTHONHASHSEED": "7"}).returncode == 0
    found = read(work / "environment.json")
    assert found["variables"] == {"OMP_NUM_THREADS": "3", "PYTHONHASHSEED": "7"}
    assert found["lock"] == {"path": "requirements.txt", "sha256": hashlib.sha256(b"dvc\n").hexdigest()}


def test_a_gpu_is_noted_by_name_and_driver(starter: Path, work: Path, tmp_path: Path) -> None:
    """nvidia-smi is asked when it is there."""
    tool = tmp_path / "bin" / "nvidia-smi"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\necho 'NVIDIA A100, 40960 MiB, 535.104'\n")
    tool.chmod(0o755)
    path = isolated_env(tmp_path)["PATH"]
    assert run(starter, work, *python("pass"), env={"PATH": f"{tool.parent}{os.pathsep}{path}"}).returncode == 0
    assert read(work / "environment.json")["gpus"] == [
        {"driver": "535.104", "memory": "40960 MiB", "name": "NVIDIA A100"}
    ]


def test_a_failure_leaves_the_earlier_environment(starter: Path, work: Path) -> None:
    """Only a success writes it; the runtime is of the last run."""
    (work / "environment.json").write_text("earlier\n")
    assert run(starter, work, *python("raise SystemExit(3)")).returncode == 3
    assert (work / "environment.json").read_text() == "earlier\n"
    assert read(work / "runtime.json")["exit_code"] == 3


def test_a_repository_cannot_slip_modules_into_the_probe(starter: Path, work: Path) -> None:
    """Files of the working directory named as standard modules are not imported by us."""
    for name in ("json", "platform", "site", "sitecustomize"):
        (work / f"{name}.py").write_text("open('canary', 'w')\n")
    assert run(starter, work, "--python", sys.executable, "--", "true").returncode == 0
    assert not (work / "canary").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--", "no-such-program"], b"there is no program no-such-program"),
        (["--environment", "no/where.json", "--", "true"], b"its directory is not there"),
        (["--environment", "runtime.json", "--", "true"], b"name the same file"),
        (["--python", "/bin/true", "--", "true"], b"does not answer as a Python does"),
        ([], b"issing argument"),
    ],
)
def test_what_cannot_work_is_said_before_the_start(starter: Path, work: Path, words: list[str], message: bytes) -> None:
    """Exit code 2, and nothing was started or written."""
    done = run(starter, work, *words)
    assert (done.returncode, message in done.stderr) == (2, True)
    assert list(work.iterdir()) == []


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 7), (signal.SIGINT, 8), (signal.SIGHUP, 9)])
def test_signals_reach_the_command(starter: Path, work: Path, number: signal.Signals, code: int) -> None:
    """The command may clean up, and its exit code is still ours."""
    program = (
        "import pathlib, signal, sys, time\n"
        "for n, code in ((signal.SIGTERM, 7), (signal.SIGINT, 8), (signal.SIGHUP, 9)):\n"
        "    signal.signal(n, lambda *_, code=code: sys.exit(code))\n"
        "pathlib.Path('ready').touch()\n"
        "time.sleep(50)\n"
    )
    argv = [sys.executable, str(starter), "--", "python", "-c", program]
    process = subprocess.Popen(argv, cwd=work, env=isolated_env(starter.parent / "home"), start_new_session=True)
    deadline = time.monotonic() + 30
    while not (work / "ready").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(number)
    assert process.wait(30) == code
    assert read(work / "runtime.json")["exit_code"] == code


def test_death_by_a_signal_is_told_as_shells_do(starter: Path, work: Path) -> None:
    """128 and the signal's number."""
    assert run(starter, work, *python("import os; os.kill(os.getpid(), 9)")).returncode == 137


def test_it_works_in_a_pipeline_stage(starter: Path, dvc_repo: DvcRepo) -> None:
    """`dvc repro` runs the wrapped command, tracks the environment, and finds nothing to do the second time."""
    path = dvc_repo.path / "dvc.yaml"
    command = f"cmd: {sys.executable} {starter} -- python src/train.py"
    outs = "    outs:\n    - models/churn.bin\n    - environment.json:\n        cache: false\n"
    text = path.read_text().replace("cmd: python src/train.py", command)
    path.write_text(text.replace("    outs:\n    - models/churn.bin\n", outs, 1))
    (dvc_repo.path / ".gitignore").write_text("runtime.json\n")
    dvc_repo.dvc(["repro", "-q"])
    first = (dvc_repo.path / "environment.json").read_bytes()
    assert json.loads(first)["python"]["implementation"] == "CPython"
    assert "environment.json" in (dvc_repo.path / "dvc.lock").read_text()
    dvc_repo.dvc(["repro", "-q", "-f", "train"])
    assert (dvc_repo.path / "environment.json").read_bytes() == first
    assert "runtime.json" not in dvc_repo.dvc(["status"])


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["uv", "run", "python", "train.py"], ("uv", "run", "python")),
        (["uv", "run", "train.py"], ("uv", "run", "python")),
        (["poetry", "run", "python3", "-m", "train"], ("poetry", "run", "python3")),
        (["uv", "run", "--frozen", "python"], None),
        (["env", "-i", "python"], None),
        (["sh", "-c", "python train.py"], None),
        ([], None),
    ],
)
def test_which_python_a_command_starts(tmp_path: Path, words: list[str], expected: tuple[str, ...] | None) -> None:
    """Launchers are asked for theirs; what cannot be told is not guessed."""
    assert find_interpreter(words, tmp_path, {"PATH": "/usr/bin:/bin"}) == expected


@pytest.mark.parametrize("before", [[], ["env"], ["env", "A=1", "B=2"], ["nice"], ["nohup", "env", "A=1"]])
def test_the_python_behind_wrappers_is_found(before: list[str], tmp_path: Path) -> None:
    """`env NAME=VALUE` and words like `nice` are passed."""
    words = [*before, sys.executable, "train.py"]
    assert find_interpreter(words, tmp_path, dict(os.environ)) == (sys.executable,)


@pytest.mark.parametrize(
    "text",
    [
        "#!{python}\n",
        "#! {python} -u\n",
        "#!/usr/bin/env -S {python} -u\n",
        "#!/bin/sh\n'''exec' \"{python}\" \"$0\" \"$@\"\n' '''\n",
    ],
)
def test_the_python_of_a_script_is_found(tmp_path: Path, text: str) -> None:
    """Its first line says it, also as pip writes it for long paths."""
    script = tmp_path / "train"
    script.write_text(text.format(python=sys.executable))
    script.chmod(0o755)
    assert find_interpreter(["./train"], tmp_path, {"PATH": "/usr/bin"}) == (sys.executable,)
