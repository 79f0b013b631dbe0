#!/usr/bin/env python3
"""Generate a Git repository that looks like a real DVC + GTO project.

Needs only the standard library and `git` (one `git fast-import` process), so a
repository with 10,000 versions or 100,000 commits takes seconds to a minute.
The same arguments give the same commit and tag ids.

    make_repo.py DEST --models 10 --versions 100 --commits 2000 --seed 1
    make_repo.py DEST --models 1 --versions 2 --with-cache 1000            # 1 file of 1 GB
    make_repo.py DEST --models 1 --versions 2 --with-cache 100 --cache-files 10000

The last line on stdout is a JSON object that describes what was made.
"""

from __future__ import annotations

import argparse
import bisect
import hashlib
import json
import os
import random
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence

AUTHORS = [
    ("Ada Byron", "ada@example.com"),
    ("Bao Nguyen", "bao@example.com"),
    ("Chloé Dubois", "chloe@example.com"),
    ("Dmitri Orlov", "dmitri@example.com"),
    ("Esi Mensah", "esi@example.com"),
    ("Farid Khan", "farid@example.com"),
    ("Grete Holm", "grete@example.com"),
    ("ci-bot", "ci-bot@users.noreply.example.com"),
]
NAMES = ["churn", "fraud", "ranker", "spam", "ltv", "demand", "pricing", "intent", "ocr", "asr"]
STAGES = ["prepare", "featurize", "train", "evaluate"]
ENVS = ["dev", "staging", "prod"]
T0 = 1_609_459_200  # 2021-01-01T00:00:00Z
SPAN = 4 * 365 * 86_400
MB = 1_000_000
Entry = tuple[str, str, int, int]
"""A path with its digest, size and number of files (0: it is a file)."""
_NUMERIC = re.compile(r"[0-9]+(e[0-9]+)?")


def md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


def q(text: str) -> str:
    """A scalar as ruamel writes it: a digest that reads as a number is quoted."""
    return f"'{text}'" if _NUMERIC.fullmatch(text) else text


class Cache:
    """Writes objects into .dvc/cache/files/md5 (read-only, as DVC leaves them)."""

    def __init__(self, root: str, size_mb: float, files: int, churn: float, seed: int):
        self.root = os.path.join(root, ".dvc", "cache", "files", "md5")
        self.size, self.files, self.churn = int(size_mb * MB), files, churn
        self.rng = random.Random(seed ^ 0xCAC4E)
        self.block = self.rng.randbytes(4 * 1024 * 1024)
        self.trees: dict[str, list[tuple[str, str]]] = {}
        self.bytes = 0

    def put(self, oid: str, data: bytes) -> None:
        folder = os.path.join(self.root, oid[:2])
        path = os.path.join(folder, oid[2:])
        if os.path.exists(path):
            return
        os.makedirs(folder, exist_ok=True)
        with open(path, "wb") as f:
            f.write(data)
        os.chmod(path, 0o444)
        self.bytes += len(data)

    def big_file(self, key: str) -> tuple[str, int]:
        tmp = os.path.join(self.root, "tmp-make-repo")
        os.makedirs(self.root, exist_ok=True)
        digest, left, i = hashlib.md5(), self.size, 0
        with open(tmp, "wb") as f:
            while left > 0:
                head = f"{key}:{i}\n".encode()
                chunk = (head + self.block[len(head) :])[:left]
                digest.update(chunk)
                f.write(chunk)
                left -= len(chunk)
                i += 1
        oid = digest.hexdigest()
        os.makedirs(os.path.join(self.root, oid[:2]), exist_ok=True)
        os.chmod(tmp, 0o444)
        os.replace(tmp, os.path.join(self.root, oid[:2], oid[2:]))
        self.bytes += self.size
        return oid, self.size

    def big_tree(self, name: str, key: str) -> tuple[str, int, int]:
        each = max(64, self.size // self.files)
        old = self.trees.get(name)
        if old is None:
            change: Sequence[int] = range(self.files)
            old = [("", "")] * self.files
        else:
            change = sorted(self.rng.sample(range(self.files), max(1, int(self.files * self.churn))))
        for i in change:
            head = f"{key}:{i}\n".encode()
            at = (i * 4099) % (len(self.block) - each) if each < len(self.block) else 0
            data = head + self.block[at : at + each - len(head)]
            oid = md5(data)
            self.put(oid, data)
            old[i] = (f"part-{i // 1000:03d}/{i:06d}.bin", oid)
        self.trees[name] = old
        return self.tree_object(old), each * self.files, self.files

    def tree_object(self, entries: list[tuple[str, str]]) -> str:
        raw = tree_json(entries)
        oid = md5(raw) + ".dir"
        self.put(oid, raw)
        return oid


def tree_json(entries: list[tuple[str, str]]) -> bytes:
    ordered = sorted(entries, key=lambda e: tuple(e[0].split("/")))
    return json.dumps([{"md5": oid, "relpath": rel} for rel, oid in ordered]).encode()


class Model:
    """One model's files and lock entries as they stand at the commit being written."""

    def __init__(self, name: str, opts: argparse.Namespace, cache: Cache | None):
        self.name, self.cache, self.opts = name, cache, opts
        self.rng = random.Random(f"{opts.seed}:{name}")
        sub = opts.layout == "subdirs"
        self.dir = f"projects/{name}/" if sub else ""  # where dvc.yaml lies
        self.tagname = f"projects/{name}={name}" if sub else name
        self.sfx = "" if sub else f"-{name}"
        self.sect = "" if sub else f"{name}."
        part = "" if sub else f"{name}/"
        self.src_path = {s: f"src/{part}{s}.py" for s in STAGES}
        self.raw_path = f"data/{part}raw.csv"
        self.prep_path = f"data/{part}prepared.csv"
        self.feat_path = f"data/{part}features"
        self.model_path = f"models/{name}" if opts.cache_files > 1 else f"models/{name}.pkl"
        self.metrics_path = "metrics.json" if sub else f"metrics/{name}.json"
        self.params = {
            "prepare.seed": 20170428,
            "prepare.split": 0.2,
            "featurize.max_features": 200,
            "featurize.ngrams": 2,
            "train.lr": 0.01,
            "train.max_depth": 6,
            "train.n_est": 50,
        }
        self.desc_rev, self.n = 0, 0
        self.src = {s: self.make_src(s) for s in STAGES}
        self.blocks: list[str] = []
        self.render_params()
        self.new_raw()
        self.repro(0, big=True)

    def make_src(self, stage: str) -> bytes:
        r = self.rng
        body = [f'"""{stage} step of {self.name}."""', "import json", "import sys", "", ""]
        for i in range(4):
            body += [
                f"def step_{i}(rows):",
                f"    k = {r.randrange(10**9)}",
                "    return [row for row in rows if hash((row, k)) % 7]",
                "",
                "",
            ]
        body += ['if __name__ == "__main__":', "    print(json.dumps(sys.argv))", ""]
        return "\n".join(body).encode()

    def edit_src(self, stage: str) -> None:
        lines = self.src[stage].split(b"\n")
        i = self.rng.choice([i for i, line in enumerate(lines) if line.startswith(b"    k = ")])
        lines[i] = b"    k = %d" % self.rng.randrange(10**9)
        self.src[stage] = b"\n".join(lines)

    def small(self, what: str) -> tuple[str, int]:
        data = f"{self.opts.seed}:{self.name}:{what}:{self.n}\n".encode() * 4
        oid = md5(data)
        if self.cache:
            self.cache.put(oid, data)
            return oid, len(data)
        return oid, self.rng.randrange(10**5, 10**8)

    def new_raw(self) -> None:
        self.n += 1
        self.raw = self.small("raw")

    def repro(self, first: int, big: bool) -> None:
        self.n += 1
        if first <= 0:
            self.prep = self.small("prepared")
        if first <= 1:
            parts = [(f, self.small(f)) for f in ("test.pkl", "train.pkl")]
            raw = tree_json([(f, p[0]) for f, p in parts])
            oid = md5(raw) + ".dir"
            if self.cache:
                self.cache.put(oid, raw)
            self.feat = (oid, sum(p[1] for _, p in parts), 2)
        if first <= 2:
            key = f"{self.opts.seed}:{self.name}:{self.n}"
            if big and self.cache and self.opts.cache_files > 1:
                self.model = self.cache.big_tree(self.name, key)
            elif big and self.cache:
                self.model = (*self.cache.big_file(key), 0)
            else:
                dot = ".dir" if self.opts.cache_files > 1 else ""
                self.model = (
                    md5(key.encode()) + dot,
                    self.rng.randrange(10**7, 10**9),
                    self.opts.cache_files if dot else 0,
                )
        r = self.rng
        acc = round(r.uniform(0.7, 0.99), 6)
        self.metrics = (
            f'{{\n  "accuracy": {acc},\n  "auc": {r.uniform(0.7, 0.99):.6f},\n'
            f'  "f1": {r.uniform(0.6, 0.97):.6f},\n  "loss": {{\n    "train": {1 - acc:.6f},\n'
            f'    "val": {1.1 - acc:.6f}\n  }},\n  "n": {r.randrange(10**5)}\n}}\n'
        ).encode()
        io = self.io()
        self.blocks[first:] = [self.render_lock(stage, *io[stage]) for stage in STAGES[first:]]
        self.lock = "".join(self.blocks)

    def tweak(self) -> int:
        key = self.rng.choice(sorted(self.params))
        old = self.params[key]
        self.params[key] = (
            self.rng.randrange(1, 500) if isinstance(old, int) else round(self.rng.uniform(0.0001, 0.5), 5)
        )
        self.render_params()
        return STAGES.index(key.split(".")[0])

    # -- rendering -------------------------------------------------------
    def cmd(self, stage: str) -> str:
        args = {
            "prepare": (self.raw_path, self.prep_path),
            "featurize": (self.prep_path, self.feat_path),
            "train": (self.feat_path, self.model_path),
            "evaluate": (self.model_path, self.feat_path, self.metrics_path),
        }[stage]
        return " ".join(["python", self.src_path[stage], *args])

    def io(self) -> dict[str, tuple[list[Entry], list[Entry]]]:
        """Each pipeline stage's dependencies and outputs, as they are now."""

        def e(path: str, out: tuple[str, int] | tuple[str, int, int]) -> Entry:
            return path, out[0], out[1], out[2] if len(out) > 2 else 0

        raw, prep = e(self.raw_path, self.raw), e(self.prep_path, self.prep)
        feat, model = e(self.feat_path, self.feat), e(self.model_path, self.model)
        src = {s: (self.src_path[s], md5(self.src[s]), len(self.src[s]), 0) for s in STAGES}
        metrics = (self.metrics_path, md5(self.metrics), len(self.metrics), 0)
        return {
            "prepare": ([raw, src["prepare"]], [prep]),
            "featurize": ([prep, src["featurize"]], [feat]),
            "train": ([feat, src["train"]], [model]),
            "evaluate": ([feat, model, src["evaluate"]], [metrics]),
        }

    def render_lock(self, stage: str, deps: list[Entry], outs: list[Entry]) -> str:
        out = [f"  {stage}{self.sfx}:\n    cmd: {self.cmd(stage)}\n    deps:\n"]
        out += [entry(*d) for d in sorted(deps)]
        mine = [(k, v) for k, v in sorted(self.params.items()) if k.startswith(stage + ".")]
        if mine:
            out.append("    params:\n      params.yaml:\n")
            out += [f"        {self.sect}{k}: {v}\n" for k, v in mine]
        out.append("    outs:\n")
        out += [entry(*o) for o in outs]
        return "".join(out)

    def render_stages(self) -> str:
        out = []
        for stage, (deps, outs) in self.io().items():
            out.append(f"  {stage}{self.sfx}:\n    cmd: {self.cmd(stage)}\n    deps:\n")
            out += [f"    - {d[0]}\n" for d in sorted(deps)]
            mine = [k for k in sorted(self.params) if k.startswith(stage + ".")]
            if mine:
                out.append("    params:\n" + "".join(f"    - {self.sect}{k}\n" for k in mine))
            if stage == "evaluate":
                out.append(f"    metrics:\n    - {self.metrics_path}:\n        cache: false\n")
            else:
                out.append("    outs:\n" + "".join(f"    - {o[0]}\n" for o in outs))
        return "".join(out)

    def render_artifact(self) -> str:
        return (
            f"  {self.name}:\n    path: {self.model_path}\n    type: model\n"
            f"    desc: The {self.name} model, revision {self.desc_rev} of this text\n"
            f"    labels:\n    - {self.name}\n    - tabular\n"
            f"    meta:\n      framework: sklearn\n      owner: team-{self.name}\n"
        )

    def render_params(self) -> None:
        indent = "  " if self.sect else ""
        out, last = [f"{self.name}:\n"] if self.sect else [], ""
        for k, v in sorted(self.params.items()):
            sect, key = k.split(".")
            if sect != last:
                out.append(f"{indent}{sect}:\n")
                last = sect
            out.append(f"{indent}  {key}: {v}\n")
        self.params_text = "".join(out)


def entry(path: str, oid: str, size: int, nfiles: int) -> str:
    text = f"    - path: {path}\n      hash: md5\n      md5: {q(oid)}\n      size: {size}\n"
    return text + (f"      nfiles: {nfiles}\n" if nfiles else "")


def files_of(models: list[Model], which: list[Model], kinds: set[str], layout: str) -> dict[str, bytes]:
    """Contents of the files of these kinds (lock, yaml, params, metrics, raw, src-STAGE)."""
    out: dict[str, bytes] = {}
    groups = [[m] for m in which] if layout == "subdirs" else [models]
    for group in groups:
        base = group[0].dir
        if "params" in kinds:
            out[base + "params.yaml"] = "".join(m.params_text for m in group).encode()
        if "yaml" in kinds:
            out[base + "dvc.yaml"] = (
                "stages:\n"
                + "".join(m.render_stages() for m in group)
                + "artifacts:\n"
                + "".join(m.render_artifact() for m in group)
            ).encode()
        if "lock" in kinds:
            out[base + "dvc.lock"] = ("schema: '2.0'\nstages:\n" + "".join(m.lock for m in group)).encode()
    for m in which:
        if "metrics" in kinds:
            out[m.dir + m.metrics_path] = m.metrics
        if "raw" in kinds:
            out[m.dir + m.raw_path + ".dvc"] = (
                f"outs:\n- md5: {q(m.raw[0])}\n  size: {m.raw[1]}\n  hash: md5\n"
                f"  path: {os.path.basename(m.raw_path)}\n"
            ).encode()
        for s in STAGES:
            if f"src-{s}" in kinds:
                out[m.dir + m.src_path[s]] = m.src[s]
    return out


class Import:
    """A buffered writer of `git fast-import` commands."""

    def __init__(self, repo: str):
        self.p = subprocess.Popen(
            ["git", "-C", repo, "-c", "pack.compression=1", "fast-import", "--quiet", "--force", "--depth=10"],
            stdin=subprocess.PIPE,
        )
        assert self.p.stdin
        self.pipe = self.p.stdin
        self.buf: list[bytes] = []
        self.n, self.mark, self.commits = 0, 0, 0

    def w(self, data: bytes) -> None:
        self.buf.append(data)
        self.n += len(data)
        if self.n > 1 << 22:
            self.flush()

    def flush(self) -> None:
        self.pipe.write(b"".join(self.buf))
        self.buf, self.n = [], 0

    def commit(
        self,
        ref: str,
        who: tuple[str, str],
        when: int,
        message: str,
        files: dict[str, bytes],
        parent: int | None,
        merge: int | None = None,
    ) -> int:
        self.mark += 1
        self.commits += 1
        ident = f"{who[0]} <{who[1]}> {when} +0000".encode()
        msg = message.encode()
        self.w(
            b"commit %s\nmark :%d\nauthor %s\ncommitter %s\ndata %d\n%s\n"
            % (ref.encode(), self.mark, ident, ident, len(msg), msg)
        )
        if parent:
            self.w(b"from :%d\n" % parent)
        if merge:
            self.w(b"merge :%d\n" % merge)
        for path, data in files.items():
            self.w(b"M 100644 inline %s\ndata %d\n%s\n" % (path.encode(), len(data), data))
        self.w(b"\n")
        return self.mark

    def tag(self, name: str, target: int, who: tuple[str, str], when: int, message: str) -> None:
        msg = message.encode()
        self.w(
            b"tag %s\nfrom :%d\ntagger %s <%s> %d +0000\ndata %d\n%s\n"
            % (name.encode(), target, who[0].encode(), who[1].encode(), when, len(msg), msg)
        )

    def light(self, name: str, target: int) -> None:
        self.w(b"reset refs/tags/%s\nfrom :%d\n\n" % (name.encode(), target))

    def close(self) -> None:
        self.flush()
        self.pipe.close()
        if self.p.wait():
            sys.exit(f"git fast-import failed: {self.p.returncode}")


def plan(rng: random.Random, commits: int, share: float) -> list[tuple[str, int]]:
    """('main', 0) is one commit; ('branch', k) is k commits on a branch and its merge."""
    out, left = [], commits - 1  # the first commit is the scaffold
    while left > 0:
        k = rng.choice((1, 1, 2, 3))
        n = k + 1 + (k > 1)  # while a longer branch is open, main moves on by one commit
        if share and left > n and rng.random() < share / n:
            out.append(("branch", k))
            left -= n
        else:
            out.append(("main", 0))
            left -= 1
    return out


def bump(version: tuple[int, int, int] | None, rng: random.Random) -> tuple[int, int, int]:
    if version is None:
        return (0, 1, 0)
    r, (a, b, c) = rng.random(), version
    return (a + 1, 0, 0) if r < 0.05 else (a, b + 1, 0) if r < 0.4 else (a, b, c + 1)


def main(argv: list[str] | None = None) -> None:
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("dest")
    ap.add_argument("--models", type=int, default=3)
    ap.add_argument("--versions", type=int, default=10, help="per model, each on its own commit")
    ap.add_argument("--commits", type=int, default=0, help="in all (default: 2 x versions + 20)")
    ap.add_argument("--seed", type=int, default=0)
    ap.add_argument("--lock-share", type=float, default=0.4, help="share of the untagged commits that change dvc.lock")
    ap.add_argument(
        "--merge-share", type=float, default=0.2, help="about this share of commits is on or merges a branch"
    )
    ap.add_argument("--assign-every", type=int, default=5, help="every n-th version is assigned a stage (0: none)")
    ap.add_argument("--noise-tags", type=int, default=0, help="lightweight tags that are not GTO's")
    ap.add_argument(
        "--layout",
        choices=("root", "subdirs"),
        default="root",
        help="one dvc.yaml for all models, or projects/NAME/dvc.yaml each",
    )
    ap.add_argument(
        "--with-cache",
        type=float,
        metavar="SIZE_MB",
        default=0,
        help="real bytes in .dvc/cache for every commit: small outputs, and models of this size (versions + 1 a model)",
    )
    ap.add_argument("--cache-files", type=int, default=1, help="> 1: the model is a folder of so many files")
    ap.add_argument(
        "--cache-churn", type=float, default=1.0, help="share of a model folder's files that each version changes"
    )
    ap.add_argument("--loose-tags", action="store_true", help="leave tags as loose refs")
    ap.add_argument("--no-repack", action="store_true", help="leave fast-import's pack as it is")
    ap.add_argument("--force", action="store_true", help="remove DEST first, if it is a Git repository")
    opts = ap.parse_args(argv)
    began = time.time()
    dest = os.path.abspath(opts.dest)
    if os.path.exists(dest):
        if not (opts.force and os.path.isdir(os.path.join(dest, ".git"))):
            sys.exit(f"{dest} exists" + ("" if opts.force else " (--force removes it)"))
        shutil.rmtree(dest)
    os.makedirs(dest)
    env_git = ["git", "-C", dest]
    subprocess.run(["git", "init", "-q", "-b", "main", dest], check=True)
    for key, value in (
        ("gc.auto", "0"),
        ("user.name", AUTHORS[0][0]),
        ("user.email", AUTHORS[0][1]),
        ("maintenance.auto", "false"),
        ("commit.gpgsign", "false"),
        ("tag.gpgsign", "false"),
    ):
        subprocess.run([*env_git, "config", key, value], check=True)

    rng = random.Random(opts.seed)
    if opts.with_cache:
        opts.lock_share = 0  # only versions change outputs, so `dvc checkout` works at every commit
    cache = Cache(dest, opts.with_cache, opts.cache_files, opts.cache_churn, opts.seed) if opts.with_cache else None
    names = [NAMES[i % len(NAMES)] + (f"-{i // len(NAMES) + 1}" if i >= len(NAMES) else "") for i in range(opts.models)]
    models = [Model(n, opts, cache) for n in names]
    want = max(opts.commits or 2 * opts.versions + 20, opts.versions + 2)
    steps = plan(rng, want, opts.merge_share)
    if sum(1 for s in steps if s[0] == "main") < opts.versions:
        steps = plan(rng, want, 0)
    mains = [i for i, s in enumerate(steps) if s[0] == "main"]
    tagged: dict[int, list[Model]] = {}
    for m in models:
        for i in rng.sample(mains, opts.versions):
            tagged.setdefault(i, []).append(m)
    noise_at = sorted(rng.choices(range(len(steps)), k=opts.noise_tags))
    gap = max(60, SPAN // max(1, want))

    imp, ref = Import(dest), "refs/heads/main"
    every = {"lock", "yaml", "params", "metrics", "raw", *(f"src-{s}" for s in STAGES)}
    first = {
        ".dvc/config": b"[core]\n    analytics = false\n",
        ".dvc/.gitignore": b"/config.local\n/tmp\n/cache\n",
        ".dvcignore": b"# patterns of files dvc should ignore\n",
        "README.md": b"# A project\n",
        "notebooks/eda.ipynb": b'{"cells": [], "nbformat": 4}\n',
        **files_of(models, models, every, opts.layout),
    }
    for m in models:
        pats = [m.raw_path, m.prep_path, m.feat_path, m.model_path]
        where = m.dir + ".gitignore"
        first[where] = first.get(where, b"") + "".join(f"/{p}\n" for p in pats).encode()
    when = T0
    head = imp.commit(ref, AUTHORS[0], when, "Set the project up with DVC\n", first, None)
    doc = 0

    def docs() -> dict[str, bytes]:
        nonlocal doc
        doc += 1
        path = rng.choice(
            ("README.md", "docs/notes.md", "notebooks/eda.ipynb", "tests/test_data.py", ".github/workflows/ci.yaml")
        )
        return {path: f"# {path}, edit {doc}\n".encode() + b"text\n" * rng.randrange(5, 40)}

    def change(which: list[Model], big: bool = False) -> tuple[str, dict[str, bytes]]:
        kinds, what = {"lock", "metrics"}, ""
        for m in which:
            r = rng.random()
            if r < 0.55:
                start, what = m.tweak(), "Tune"
                kinds.add("params")
            elif r < 0.8:
                stage = rng.choice(STAGES)
                m.edit_src(stage)
                start, what = STAGES.index(stage), f"Rework {stage} of"
                kinds.add(f"src-{stage}")
            elif r < 0.95:
                m.new_raw()
                start, what = 0, "New data for"
                kinds.add("raw")
            else:
                m.desc_rev += 1
                start, what = 2, "Describe"
                kinds.add("yaml")
            m.repro(min(start, 2) if big else start, big)
        return f"{what} {', '.join(m.name for m in which)}", files_of(models, which, kinds, opts.layout)

    versions: dict[str, tuple[int, int, int]] = {}
    counters: dict[str, int] = {}
    counts = {"versions": 0, "assignments": 0, "noise": 0, "merges": 0}
    for i, (kind, k) in enumerate(steps):
        when = T0 + (i + 1) * gap * want // (len(steps) + 1) + rng.randrange(gap // 2)
        who = rng.choice(AUTHORS)
        if kind == "branch":
            side, parent, files_all = f"refs/heads/topic-{i}", head, {}
            m = rng.choice(models)
            for j in range(k):
                if rng.random() < opts.lock_share:
                    message, files = change([m])
                else:
                    message, files = "Write on the branch", docs()
                files_all.update(files)
                parent = imp.commit(side, who, when - (k - j) * 7, message + "\n", files, parent)
            if k > 1:
                head = imp.commit(ref, rng.choice(AUTHORS), when - 3, "Update notes\n", docs(), head)
            head = imp.commit(
                ref, rng.choice(AUTHORS), when, f"Merge pull request #{i} from topic-{i}\n", files_all, head, parent
            )
            imp.w(b"reset %s\nfrom %s\n\n" % (side.encode(), b"0" * 40))
            counts["merges"] += 1
        elif i in tagged:
            message, files = change(tagged[i], big=True)
            head = imp.commit(ref, who, when, message + "\n\nRetrained; see metrics.\n", files, head)
            for m in tagged[i]:
                v = versions[m.name] = bump(versions.get(m.name), rng)
                vname = "v" + ".".join(map(str, v))
                tagger, at = rng.choice(AUTHORS), when + rng.randrange(1, 50)
                imp.tag(
                    f"{m.tagname}@{vname}",
                    head,
                    tagger,
                    at,
                    f"Registering artifact {m.tagname.replace('=', ':')} version {vname}\n",
                )
                counts["versions"] += 1
                if opts.assign_every and counts["versions"] % opts.assign_every == 0:
                    counters[m.name] = counters.get(m.name, 0) + 1
                    stage = rng.choice(ENVS)
                    imp.tag(
                        f"{m.tagname}#{stage}#{counters[m.name]}",
                        head,
                        tagger,
                        at + 5,
                        f"Assigning stage {stage} to artifact {m.tagname.replace('=', ':')} version {vname}\n",
                    )
                    counts["assignments"] += 1
        else:
            if rng.random() < opts.lock_share:
                message, files = change([rng.choice(models)])
            else:
                message, files = rng.choice(("Update notes", "Fix CI", "Add a test")), docs()
            head = imp.commit(ref, who, when, message + "\n", files, head)
        lo, hi = bisect.bisect_left(noise_at, i), bisect.bisect_right(noise_at, i)
        for x in range(lo, hi):
            imp.light(f"build-{x:06d}", head)
            counts["noise"] += 1
    imp.close()
    # `reset REF from 0{40}` deletes the topic branches on git >= 2.35; older git: delete them here
    left = subprocess.run(
        [*env_git, "for-each-ref", "--format=delete %(refname)", "refs/heads/topic-*"], check=True, capture_output=True
    ).stdout
    if left:
        subprocess.run([*env_git, "update-ref", "--stdin"], input=left, check=True)
    if not opts.loose_tags:
        subprocess.run([*env_git, "pack-refs", "--all"], check=True)
    if not opts.no_repack:
        subprocess.run([*env_git, "-c", "pack.threads=2", "repack", "-adfq", "--depth=50", "--window=10"], check=True)
    subprocess.run([*env_git, "reset", "-q", "--hard", "main"], check=True)
    lock = os.path.join(dest, models[0].dir, "dvc.lock")
    print(
        json.dumps(
            {
                "dest": dest,
                "models": opts.models,
                **counts,
                "commits": imp.commits,
                "stages_in_lock": len(STAGES) * (1 if opts.layout == "subdirs" else opts.models),
                "lock_bytes": os.path.getsize(lock),
                "cache_bytes": cache.bytes if cache else 0,
                "head": subprocess.run(
                    [*env_git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True
                ).stdout.strip(),
                "seconds": round(time.time() - began, 2),
            }
        )
    )


if __name__ == "__main__":
    main()
