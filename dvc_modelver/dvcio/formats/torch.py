"""PyTorch's files: a zip around `data.pkl`, the older row of pickles, the oldest tar; TorchScript's zip with code."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from dvc_modelver.dvcio.formats import zips
from dvc_modelver.dvcio.formats.cursor import Cursor, FileCursor
from dvc_modelver.dvcio.formats.description import ModelDescription, Scalar, Status, clip, listed
from dvc_modelver.dvcio.formats.machine import Walked
from dvc_modelver.dvcio.formats.opcodes import walk
from dvc_modelver.dvcio.formats.pickles import described
from dvc_modelver.dvcio.formats.source import Malformed, Source
from dvc_modelver.dvcio.formats.symbols import Global, Made

MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
"""What the first pickle of the older format holds."""
_TAR_MEMBERS = {"pickle", "sys_info", "storages", "tensors"}
_DTYPES = {"Float": "float32", "Double": "float64", "Half": "float16", "BFloat16": "bfloat16", "Long": "int64"}
_DTYPES |= {"Int": "int32", "Short": "int16", "Char": "int8", "Byte": "uint8", "Bool": "bool"}
_WRAPPERS = ("state_dict", "model_state_dict", "model", "module", "net", "weights")
_MAX_VISITS = 200_000


@dataclass(slots=True)
class _Tensors:
    count: int = 0
    parameters: int = 0
    types: Counter[str] = field(default_factory=Counter)


def is_torch_zip(names: set[str]) -> bool:
    """Whether an archive's members are those of PyTorch."""
    return any(name.endswith("/data.pkl") or name == "data.pkl" for name in names)


def describe_zip(source: Source, members: tuple[zips.Member, ...]) -> ModelDescription:
    """A zip with at least one `data.pkl`; every pickle in it is walked through."""
    script = any("/code/" in member.name and member.name.endswith(".py") for member in members)
    found = Walked()
    root: object = None
    for member in _pickles(members):
        if member.encrypted:
            raise Malformed(f"{member.name[:80]} is encrypted")
        walk(zips.reader(source, member), found)
        root = found.root if member.name.rpartition("/")[2] == "data.pkl" or root is None else root
    found.root = root
    described_as = _described(found, "torchscript" if script else "pytorch")
    if not script:
        return described_as
    files = sum(1 for member in members if "/code/" in member.name and member.name.endswith(".py"))
    return replace(described_as, details={**described_as.details, "code files": files})


def _pickles(members: tuple[zips.Member, ...]) -> list[zips.Member]:
    found = [member for member in members if member.name.endswith(".pkl")]
    return sorted(found, key=lambda member: (member.name.rpartition("/")[2] != "data.pkl", member.name))[:50]


def describe_legacy(cursor: Cursor, found: Walked) -> ModelDescription:
    """The older row of pickles, whose first one, the magic number, is walked: protocol, system, object follow."""
    for _ in range(3):
        if found.problem is None:
            walk(cursor, found)
    return _described(found, "pytorch-legacy")


def describe_tar(source: Source) -> ModelDescription | None:
    """The tar of PyTorch before 0.1.10; None for any other tar."""
    entries = dict(_tar(source))
    if not {"pickle", "storages"} <= set(entries):
        return None
    start, size = entries["pickle"]
    found = walk(FileCursor(source, start, start + size))
    return _described(found, "pytorch-legacy")


def _tar(source: Source) -> Iterator[tuple[str, tuple[int, int]]]:
    """(name, (start, size)) of the members that PyTorch's tar has."""
    at = 0
    for _ in range(20):
        header = source.at(at, 512)
        if len(header) < 512 or not header[0]:
            return
        name = header[:100].split(b"\0")[0].decode("utf-8", "replace")
        try:
            size = int(header[124:136].strip(b" \0") or b"0", 8)
        except ValueError:
            raise Malformed("a tar with a broken header") from None
        if size < 0:
            raise Malformed("a tar with a broken header")
        if name.removeprefix("./") in _TAR_MEMBERS:
            yield name.removeprefix("./"), (at + 512, size)
        at += 512 + (size + 511) // 512 * 512


def _described(found: Walked, form: str) -> ModelDescription:
    base = described(found, form)
    root = found.root
    tensors = _tensors(root)
    details: dict[str, Scalar] = {"object": _object(root)}
    if tensors.count:
        details |= {"tensors": tensors.count, "parameters": tensors.parameters}
        details["dtypes"] = listed(f"{name} ({count})" for name, count in sorted(tensors.types.items()))
    layers = _layers(root)
    if layers:
        details["layers"] = clip(listed(layers))
    return replace(
        base, status=Status.CODE_CAPABLE, library="pytorch", library_version=None, details=details, hyperparameters={}
    )


def _object(root: object) -> str:
    if isinstance(root, Made):
        return "state dict" if root.short == "OrderedDict" else clip(root.name)
    return f"checkpoint: {clip(listed(str(key) for key in root))}" if isinstance(root, dict) else type(root).__name__


def _layers(root: object) -> list[str]:
    """The first parts of the tensors' names in a state dict."""
    pairs = root.pairs if isinstance(root, Made) else root if isinstance(root, dict) else {}
    for key in _WRAPPERS:
        inner = pairs.get(key)
        if isinstance(inner, (Made, dict)):
            pairs = inner.pairs if isinstance(inner, Made) else inner
            break
    return [clip(name, 40) for name in dict.fromkeys(str(key)[:400].split(".")[0] for key in list(pairs)[:5000])]


def _tensors(root: object) -> _Tensors:
    """Tensors anywhere below, each object looked at once."""
    found = _Tensors()
    seen: set[int] = set()
    waiting = [root]
    while waiting and len(seen) < _MAX_VISITS:
        value = waiting.pop()
        if id(value) in seen or not isinstance(value, (Made, dict, list, tuple)):
            continue
        seen.add(id(value))
        if isinstance(value, Made) and value.short in ("_rebuild_tensor_v2", "_rebuild_tensor", "_rebuild_tensor_v3"):
            _count(value, found)
        elif isinstance(value, Made):
            waiting += [value.args, value.state, *value.items, *value.pairs.values()]
        else:
            waiting += value.values() if isinstance(value, dict) else value
    return found


def _count(tensor: Made, found: _Tensors) -> None:
    args = tensor.args
    size = args[2] if isinstance(args, tuple) and len(args) > 2 else ()
    if not isinstance(args, tuple) or not isinstance(size, tuple):
        return
    sizes = [n for n in size if isinstance(n, int) and 0 <= n < 2**63]
    found.count += 1
    found.parameters += min(math.prod(sizes[:16]), 2**62)
    storage = args[0].args if isinstance(args[0], Made) and isinstance(args[0].args, tuple) else ()
    kind = next((value.name for value in storage if isinstance(value, Global)), "")
    name = kind.rpartition(".")[2].removesuffix("Storage")
    found.types[_DTYPES.get(name, clip(name or "unknown", 30))] += 1
