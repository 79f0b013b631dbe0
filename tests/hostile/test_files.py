"""What the files of a commit say: paths that lead out, YAML that explodes, values that inject, secrets."""

from __future__ import annotations

import json
import shutil

import pytest

from tests.bad_input.support import edit, uncached
from tests.hostile.support import SECONDS, SECRET, Box, attack, few
from tests.support.repos import md5, put_object

PATHS = [
    "../../etc/passwd", "../outside/precious", "/etc/passwd", "C:\\x", "C:x", "~", "~/.ssh/id_rsa", "~root/x",
    "file:///etc/passwd", "FILE:///etc/passwd", ".git/config", ".GIT/hooks/post-checkout", ".git", "x/../.git/config",
    "x/.gIt/config", ".git./config", ".g\u200cit/config", "GIT~1/config", ".dvc/config", ".dvc/tmp/x", "models/../../x",
    "..", ".", "", " ", "models\\..\\..\\x", "\\\\server\\share", "x\0y", "x\ny", "-rf", "--output=CANARY",
    "models/\x1b[2J", "models/\u202ex", "x" * 5000, "a/" * 3000 + "x", "ext::sh -c touch% CANARY",
    "javascript:alert(1)", "${oc.env:HOME}", "{{7*7}}", "|touch CANARY", "$(touch CANARY)", "`touch CANARY`",
    ":(glob)**",
]  # fmt: skip


def yaml_text(text: str) -> str:
    """A YAML scalar that means exactly `text`."""
    return json.dumps(text)


def files_that_name(path: str) -> dict[str, str]:
    """One path in every place where a file names one."""
    text = yaml_text(path)
    digest = "0" * 32
    return {
        "dvc.yaml": f"""\
artifacts:
  churn:
    path: {text}
    type: model
stages:
  train:
    cmd: touch CANARY
    wdir: {text}
    deps: [{text}]
    outs: [{text}]
    metrics: [{text}]
    params: [{text}: ]
metrics: [{text}]
params: [{text}]
""",
        "dvc.lock": f"""\
schema: '2.0'
stages:
  train:
    cmd: x
    deps:
    - path: {text}
      md5: '{digest}'
    outs:
    - path: {text}
      md5: '{digest}'
      size: 3
""",
        "evil.dvc": f"wdir: {text}\nouts:\n- path: {text}\n  md5: '{digest}'\n  size: 3\n",
    }


def test_paths_that_lead_out_are_never_followed(box: Box) -> None:
    """Each hostile path in every file that can name one: refused or missing, nothing read or written outside."""
    wanted: dict[str, list[str]] = {}
    for number, path in enumerate(PATHS):
        for name, text in files_that_name(path).items():
            box.git.write(name, text)
        box.release_by_hand(f"v1.{number}.0")
        got = str(box.top / "got" / f"p{number}")
        wanted[f"get {number}"] = ["get", f"churn@v1.{number}.0", "-o", got]
        wanted[f"get elsewhere {number}"] = ["get", f"churn@v1.{number}.0", "--repo", ".", "-o", got]
        wanted[f"show {number}"] = ["show", f"churn@v1.{number}.0"]
    report = attack(box, wanted)
    for number, path in enumerate(PATHS):
        for name in (f"get {number}", f"get elsewhere {number}"):
            assert report.results[name].code in (2, 5), (path, report.results[name])
    assert sorted(p.name for p in (box.top / "got").iterdir()) == ["old"]
    assert report.results["release"].code in (2, 3, 5, 7)


def test_default_names_of_fetched_files_stay_where_asked(box: Box) -> None:
    """Without -o the file lands in the working directory under its own last name, whatever the path is."""
    edit(box.repo.path / "dvc.yaml", "path: models/churn.bin", "path: 'models/../models/./churn.bin'")
    box.release_by_hand()
    box.repo.model.unlink()
    report = attack(box, {"get here": ["get", "churn@v0.3.0", "-C", str(box.top / "got")]})
    assert report.results["get here"].code in (5, 6)


@pytest.mark.parametrize("target", few(["../outside", "/etc", ".git/hooks", ".dvc/cache"], "../outside"))
@pytest.mark.parametrize("what", ["folder", "file"])
def test_symbolic_links_are_not_followed(box: Box, target: str, what: str) -> None:
    """A path through a link of the commit names nothing, in Git's tree as in the work tree."""
    if what == "folder":
        shutil.rmtree(box.repo.path / "models")
        (box.repo.path / "models").symlink_to(target)
    else:
        box.repo.model.unlink()
        box.repo.model.symlink_to(f"../{target}/precious")
    uncached(box.repo)
    box.git("add", "-f", "models")
    box.release_by_hand()
    report = attack(box)
    for name in ("get", "get elsewhere", "get by URL"):
        assert report.results[name].code in (2, 3, 5), report.results[name]
    assert report.results["release"].code in (2, 3, 5), report.results["release"]


BAD_LISTINGS = {
    "out": "../../outside/planted",
    "absolute": "/tmp/planted",
    "a hook": ".git/hooks/post-checkout",
    "a hook in capitals": ".GIT/hooks/post-checkout",
    "backslashes": "..\\..\\planted",
    "a drive": "C:/planted",
    "a dot": ".",
    "nothing": "",
    "inside .git with a dot": "x/.git./config",
    "an endless name": "x" * 400,
}


@pytest.mark.parametrize("what", few(BAD_LISTINGS, "out", "a hook in capitals", "backslashes"))
def test_a_hostile_directory_listing_writes_nothing(box: Box, what: str) -> None:
    """A `.dir` object with sound digests and evil names is refused before any byte is written."""
    data = f"#!/bin/sh\n{box.touch}\n".encode()
    rows = [{"md5": md5(data).strip("'"), "relpath": BAD_LISTINGS[what]}]
    listing = json.dumps(rows).encode()
    digest = md5(listing).strip("'")
    for folder in (box.repo.cache, box.repo.store / "files" / "md5"):
        put_object(folder, data)
        put_object(folder, listing).rename(folder / digest[:2] / f"{digest[2:]}.dir")
    box.git.write("models/dir.dvc", f"outs:\n- md5: {digest}.dir\n  size: 9\n  nfiles: 1\n  hash: md5\n  path: dir\n")
    edit(box.repo.path / "dvc.yaml", "path: models/churn.bin", "path: models/dir")
    box.release_by_hand()
    report = attack(box)
    for name in ("get", "get elsewhere", "release"):
        assert report.results[name].code in (2, 5), report.results[name]


def bomb(levels: int = 30) -> str:
    """Nine aliases a level: 9 ** 30 values."""
    rows = ["a0: &a0 [x,x,x,x,x,x,x,x,x]"]
    rows += [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]" for n in range(1, levels)]
    return "\n".join(rows) + "\n"


DOCUMENTS = {
    "an alias bomb": bomb(),
    "a merge bomb": "a: &a {x: 1}\n" + "".join(f"b{n}: &b{n} {{<<: [{', '.join(['*a'] * 50)}]}}\n" for n in range(300)),
    "a loop": "a: &a [*a]\n",
    "20,000 levels in brackets": "a: " + "[" * 20_000 + "]" * 20_000 + "\n",
    "20,000 levels in braces": "a: " + "{a: " * 20_000 + "1" + "}" * 20_000 + "\n",
    "20,000 levels never closed": "a: " + "[" * 20_000 + "\n",
    "many levels by indentation": "".join(" " * n + f"k{n}:\n" for n in range(1500)),
    "20,000 dashes": "- " * 20_000 + "x\n",
    "a Python object": "a: !!python/object/apply:os.system ['touch CANARY']\n",
    "a Python name": "a: !!python/name:os.system\n",
    "a Python module": "a: !!python/object/new:subprocess.Popen [['touch', 'CANARY']]\n",
    "an own tag": "%TAG ! tag:yaml.org,2002:python/object/apply:\n---\na: !os.system ['touch CANARY']\n",
    "an endless number": "a: " + "9" * 100_000 + "\n",
    "an endless exponent": "a: 1e999999999\nb: 0x" + "f" * 50_000 + "\n",
    "an endless key": "? " + "k" * 500_000 + "\n: 1\n",
    "a complex key": "? [a, b]\n: 1\n",
    "not UTF-8": "a: \udcff\udcfe\n",
    "UTF-16": "\udcff\udcfea\0:\0 \0b\0\n\0",
    "NUL": "a: \0\n",
    "a million short lines": "a:\n" + "- 1\n" * 1_000_000,
}


@pytest.mark.parametrize(
    "what",
    few(
        DOCUMENTS,
        "an alias bomb",
        "20,000 levels in brackets",
        "many levels by indentation",
        "a Python object",
        "an endless exponent",
        "not UTF-8",
    ),
)
def test_documents_that_explode_do_not(box: Box, what: str) -> None:
    """The same evil YAML as every file that we read: an error or a problem, never a hang, never executed."""
    text = DOCUMENTS[what].encode("utf-8", "surrogateescape")
    dvc_yaml = (box.repo.path / "dvc.yaml").read_bytes()
    for version, files in {
        "v1.0.0": ("params.yaml",),
        "v1.1.0": ("dvc.lock",),
        "v1.2.0": ("models/churn.bin.dvc", "data/raw.csv.dvc"),
        "v1.3.0": ("dvc.yaml", "artifacts.yaml", "metrics.json"),
    }.items():
        for name in files:
            box.git.write(name, text)
        box.release_by_hand(version)
    (box.repo.path / "dvc.yaml").write_bytes(dvc_yaml + b"\nmetrics: [metrics.json, params.yaml]\n")
    box.release_by_hand("v1.4.0")
    box.git.write(".modelver.yaml", text)
    got = str(box.top / "got" / "x")
    each = [f"churn@v1.{n}.0" for n in range(5)]
    report = attack(
        box,
        {f"show {name}": ["show", name, "--json"] for name in each}
        | {f"get {name}": ["get", name, "-o", got] for name in each[1:]}
        | {"promote": ["promote", "churn@v0.2.0", "dev"]},
        seconds=20 if what == "a million short lines" else SECONDS,  # 4 MB of YAML, several times in a command
    )
    for name in ("list", "show", "history", "get old"):
        assert report.results[name].code == 0, report.results[name]
    assert report.results["promote"].code == 2 or what in ("a million short lines",), report.results["promote"]


@pytest.mark.long
@pytest.mark.parametrize("shape", ["machine", "hand"])
def test_a_huge_lock_file_is_refused_in_time(box: Box, shape: str) -> None:
    """A dvc.lock of 50 MB, as DVC writes it and otherwise."""
    lock = (box.repo.path / "dvc.lock").read_text()
    command = "x" if shape == "machine" else "'x'  # y"
    stage = (
        f"  s{{n}}:\n    cmd: {command}\n    outs:\n    - path: out/{{n}}\n      hash: md5\n      md5: {'ab' * 16}\n"
    )
    stage += "      size: 3\n"
    rows = "".join(stage.format(n=n) for n in range(50_000_000 // len(stage)))
    box.git.write("dvc.lock", lock + rows)
    box.release_by_hand()
    report = attack(box)
    assert report.results["get old"].code == 0
    assert report.results["get"].code == 2, report.results["get"]


JUNK = {
    "template": "{{7*7}}", "interpolation": "${x}", "script": "<script>alert(1)</script>", "pipe": "a|b|c",
    "newline": "a\nb\r\nc", "backticks": "```\n`x`\n```", "link": "[a](javascript:x)", "rule": "---",
    "escape": "\x1b[2J",
    "bidi": "\u202eevil", "formula": "=cmd|' /C calc'!A0", "comment": "<!-- modelver:begin x -->", "nul": "\\0",
    "url": f"https://user:{SECRET}@example.com/a?sig={SECRET}&x=1", "token": f"https://h/x?X-Amz-Signature={SECRET}",
}  # fmt: skip


def test_params_and_metrics_full_of_junk_are_only_text(box: Box) -> None:
    """Keys and values of params and metrics are shown as what they are, on their own lines, without secrets."""
    values = {**JUNK, **{value.replace(SECRET, "x"): key for key, value in JUNK.items()}}
    box.git.write("params.yaml", json.dumps({"train": values, **values}))
    box.git.write("metrics.json", json.dumps({**values, "auc": float("nan")}).replace("NaN", "1e999"))
    edit(box.repo.path / "dvc.yaml", "desc: Who is about to leave", f"desc: {yaml_text(' '.join(JUNK.values()))}")
    box.release_by_hand()
    report = attack(box)
    for name in ("show latest", "show latest json", "list", "show"):
        assert report.results[name].code == 0, report.results[name]
    shown = report.results["show latest json"].json
    assert shown["params"]["params.yaml"]["script"] == JUNK["script"]
    assert shown["params"]["params.yaml"]["newline"] == JUNK["newline"]
    lines = report.results["show latest"].out.splitlines()
    values_shown = lines[lines.index("metrics  metrics.json") :]
    headings = {"metrics  metrics.json", "params  params.yaml", "metrics  params.yaml", "data", ""}
    assert [line for line in values_shown if line not in headings and not line.startswith("  ")] == []


DVC_REMOTE = "[core]\n remote = s\n['remote \"s\"']\n url = "
URLS = {
    "the artifact's path": (
        "dvc.yaml",
        f"artifacts: {{churn: {{path: 'https://user:{SECRET}@h/m.bin?sig={SECRET}'}}}}\n",
    ),
    "an unsupported scheme": (
        "dvc.yaml",
        f"artifacts: {{churn: {{path: 'evil://user:{SECRET}@h/m?sig={SECRET}'}}}}\n",
    ),
    "the DVC remote": (".dvc/config", f"{DVC_REMOTE}https://user:{SECRET}@127.0.0.1:9/x?sig={SECRET}\n"),
    "the DVC remote's password": (".dvc/config", f"{DVC_REMOTE}webdavs://127.0.0.1:9/x\n password = {SECRET}\n"),
    "a broken DVC configuration": (".dvc/config", f"[core\n password = {SECRET} https://user:{SECRET}@h\n"),
    "an unknown DVC remote scheme": (".dvc/config", f"{DVC_REMOTE}evil://user:{SECRET}@h/x?sig={SECRET}\n"),
    "an import": (
        "data/raw.csv.dvc",
        f"frozen: true\ndeps:\n- path: x\n  repo:\n    url: https://user:{SECRET}@h/r?sig={SECRET}\n    rev_lock: abc\n"
        "outs:\n- md5: abababababababababababababababab\n  path: raw.csv\n",
    ),
    "a URL import": (
        "data/raw.csv.dvc",
        f"frozen: true\ndeps:\n- path: https://user:{SECRET}@h/r?sig={SECRET}\n  etag: x\n"
        "outs:\n- md5: abababababababababababababababab\n  path: raw.csv\n",
    ),
    "an external output": ("models/x.dvc", f"outs:\n- path: https://user:{SECRET}@h/m?sig={SECRET}\n  md5: zz\n"),
    "an external dependency": (
        "dvc.lock",
        "schema: '2.0'\nstages:\n  train:\n    cmd: x\n    deps:\n"
        f"    - path: https://user:{SECRET}@h/r?sig={SECRET}\n      etag: x\n      size: 1\n    outs:\n"
        "    - path: models/churn.bin\n      md5: abababababababababababababababac\n      size: 1\n",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", few(URLS, "the artifact's path", "the DVC remote's password", "an import"))
def test_secrets_in_urls_are_never_shown(box: Box, what: str) -> None:
    """User-info and signatures of URLs appear in no answer and no error."""
    name, text = URLS[what]
    box.git.write(name, text)
    if what == "an external output":
        edit(box.repo.path / "dvc.yaml", "path: models/churn.bin", f"path: https://user:{SECRET}@h/m?sig={SECRET}")
    box.release_by_hand()
    for place in box.repo.cache.rglob("*"):
        if place.is_file():
            place.unlink()
    remote = f"https://user:{SECRET}@127.0.0.1:9/r.git?token={SECRET}"
    box.git("remote", "add", "origin", remote)
    report = attack(
        box,
        {
            "push": ["push"],
            "promote": ["promote", "churn@v0.2.0", "dev", "--push"],
            "list by URL": ["list", "--repo", remote],
            "get by secret URL": ["get", "churn", "--repo", remote],
            "list by a bad URL": ["list", "--repo", f"evil://user:{SECRET}@h/x?sig={SECRET}"],
        },
        env={"GIT_ALLOW_PROTOCOL": "file:https"},
    )
    assert report.results["list by URL"].code == 6
    assert report.results["push"].code == 6
