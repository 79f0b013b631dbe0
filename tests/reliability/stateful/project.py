"""The files of two models that share a pipeline stage, written as DVC would, without DVC."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.support.repos import md5, put_object

MODELS = {"churn": "models/churn.bin", "reach": "models/reach.bin"}
"""Model -> its file; both are made from what the pipeline stage `prepare` makes."""
_PIPELINE = """\
stages:
  prepare:
    cmd: python src/prepare.py
    deps:
    - data/raw.csv
    - src/prepare.py
    params:
    - keep
    outs:
    - data/prepared.csv
  churn:
    cmd: python src/train.py
    deps:
    - data/prepared.csv
    - src/train.py
    params:
    - depth
    outs:
    - models/churn.bin
    metrics:
    - churn.json:
        cache: false
  reach:
    cmd: python src/reach.py
    deps:
    - data/prepared.csv
    - src/reach.py
    params:
    - width
    outs:
    - models/reach.bin
artifacts:
  churn:
    path: models/churn.bin
    type: model
  reach:
    path: models/reach.bin
    type: model
"""
_FIXED = {
    "dvc.yaml": _PIPELINE,
    ".dvc/config": "[core]\n    remote = store\n['remote \"store\"']\n    url = ../../store\n",
    ".dvc/.gitignore": "/config.local\n/tmp\n/cache\n",
    ".gitignore": "*.log\n",
    "data/.gitignore": "/raw.csv\n/prepared.csv\n",
    "models/.gitignore": "/churn.bin\n/reach.bin\n",
    "src/prepare.py": "# prepare\n",
    "src/reach.py": "# reach\n",
}
SETTINGS = ("raw", "keep", "depth", "width", "code", "auc")
"""What a commit may change; `raw`, `keep` make both models, `width` only reach, the others only churn."""


@dataclass(frozen=True, slots=True)
class Project:
    """All that is free in a commit: each number stands for the content of one file or parameter."""

    raw: int = 0
    keep: int = 0
    depth: int = 0
    width: int = 0
    code: int = 0
    auc: int = 0

    def outputs(self) -> dict[str, bytes]:
        """DVC's files."""
        raw = f"rows {self.raw}\n"
        prepared = f"{raw}kept {self.keep}\n"
        return {
            "data/raw.csv": raw.encode(),
            "data/prepared.csv": prepared.encode(),
            MODELS["churn"]: f"{prepared}churn {self.depth} {self.code}\n".encode(),
            MODELS["reach"]: f"{prepared}reach {self.width}\n".encode(),
        }

    def files(self) -> dict[str, bytes]:
        """Git's files."""
        outputs = self.outputs()
        code = f"# train {self.code}\n".encode()
        metrics = json.dumps({"auc": self.auc / 1000}).encode()
        every = {**outputs, "src/train.py": code, "churn.json": metrics}
        every |= {path: text.encode() for path, text in _FIXED.items()}
        raw = outputs["data/raw.csv"]
        tracked = f"outs:\n- md5: {md5(raw)}\n  size: {len(raw)}\n  hash: md5\n  path: raw.csv\n".encode()
        lock = "schema: '2.0'\nstages:\n" + "".join(
            _entry(every, name, cmd, deps, param, outs)
            for name, cmd, deps, param, outs in (
                ("prepare", "prepare", ["data/raw.csv"], ("keep", self.keep), ["data/prepared.csv"]),
                ("churn", "train", ["data/prepared.csv"], ("depth", self.depth), ["churn.json", MODELS["churn"]]),
                ("reach", "reach", ["data/prepared.csv"], ("width", self.width), [MODELS["reach"]]),
            )
        )
        params = f"keep: {self.keep}\ndepth: {self.depth}\nwidth: {self.width}\n".encode()
        found = {path: data for path, data in every.items() if path not in outputs}
        return found | {"params.yaml": params, "dvc.lock": lock.encode(), "data/raw.csv.dvc": tracked}

    def made_of(self, model: str) -> tuple[int, ...]:
        """Equal exactly when nothing that makes the model differs."""
        own = (self.width,) if model == "reach" else (self.depth, self.code, self.auc)
        return (self.raw, self.keep, *own)

    def save(self, top: Path, caches: tuple[Path, ...]) -> None:
        """Write it into a work tree and its outputs into caches (`files/md5` folders)."""
        for path, data in {**self.files(), **self.outputs()}.items():
            place = top / path
            place.parent.mkdir(parents=True, exist_ok=True)
            if not place.is_file() or place.read_bytes() != data:
                place.unlink(missing_ok=True)  # a link to the cache would be written through
                place.write_bytes(data)
        for data in self.outputs().values():
            for cache in caches:
                put_object(cache, data)


def _entry(
    files: Mapping[str, bytes], name: str, cmd: str, deps: list[str], param: tuple[str, int], outs: list[str]
) -> str:
    text = f"  {name}:\n    cmd: python src/{cmd}.py\n    deps:\n"
    text += "".join(_item(path, files[path]) for path in (*deps, f"src/{cmd}.py"))
    text += f"    params:\n      params.yaml:\n        {param[0]}: {param[1]}\n    outs:\n"
    return text + "".join(_item(path, files[path]) for path in outs)


def _item(path: str, data: bytes) -> str:
    return f"    - path: {path}\n      hash: md5\n      md5: {md5(data)}\n      size: {len(data)}\n"


def object_in(cache: Path, data: bytes) -> Path:
    """Where a cache keeps these bytes."""
    digest = hashlib.md5(data).hexdigest()
    return cache / digest[:2] / digest[2:]
