"""Files made to harm whoever looks: nothing of them runs, and each look ends soon and cleanly."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import pickle
import struct
import tarfile
import time
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import joblib
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dvc_modelver.dvcio.formats.describe import describe
from dvc_modelver.dvcio.formats.description import Status
from tests.dvcio.formats import build

_NAMES = ["m", "m.pkl", "m.joblib", "m.pt", "m.safetensors", "m.onnx", "m.gguf", "m.keras", "m.h5", "m.json", "m.npy"]
_NAMES += ["m.cbm", "m.txt", "m.ubj", "saved_model.pb"]


def legacy_tar(data: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in (("storages", b""), ("pickle", data)):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


_WRAPPED: dict[str, Callable[[bytes], bytes]] = {
    "bare": lambda data: data,
    "gzip": gzip.compress,
    "zlib": zlib.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "lzma": lambda data: lzma.compress(data, format=lzma.FORMAT_ALONE),
    "torch zip": lambda data: build.archive({"m/data.pkl": data}),
    "deflated zip": lambda data: build.archive({"m/data.pkl": data}, zipfile.ZIP_DEFLATED),
    "other pickle in a zip": lambda data: build.archive({"m/data.pkl": build.torch_pickle(), "m/constants.pkl": data}),
    "torch tar": legacy_tar,
    "second pickle": lambda data: b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19." + data,
}


@pytest.mark.parametrize("wrapped", _WRAPPED)
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_pickle_that_runs_code_does_not_run_it(tmp_path: Path, wrapped: str, protocol: int) -> None:
    """The call is named, wherever the pickle hides, and the canary stays absent."""
    canary = tmp_path / "canary"
    found = describe(_WRAPPED[wrapped](build.trap(canary, protocol)), name="model.pkl")
    assert found.status is Status.CODE_CAPABLE
    assert "posix.system" in found.imports
    assert not canary.exists()


def test_the_trap_is_one(tmp_path: Path) -> None:
    """The same bytes do run code when they are loaded: the other tests show something."""
    canary = tmp_path / "canary"
    pickle.loads(build.trap(canary))
    assert canary.exists()


def test_code_in_a_joblib_file_beside_arrays(tmp_path: Path) -> None:
    """The walk goes on behind arrays and into arrays of objects."""
    import numpy as np

    canary = tmp_path / "canary"
    for value in ([np.zeros(99), build.Trap(canary)], np.array([build.Trap(canary), 1], dtype=object)):
        buffer = io.BytesIO()
        joblib.dump(value, buffer)
        found = describe(buffer.getvalue(), name="m.joblib")
        assert "posix.system" in found.imports
        assert found.complete
    assert not canary.exists()


@pytest.mark.parametrize("name", _NAMES)
def test_no_name_makes_a_pickle_harmless(tmp_path: Path, name: str) -> None:
    """The bytes decide, not the name."""
    for protocol in (0, 2, 4):
        found = describe(build.trap(tmp_path / "canary", protocol), name=name)
        assert (found.status, "posix.system" in found.imports) == (Status.CODE_CAPABLE, True)


def test_a_pickle_that_breaks_after_its_call_is_code_capable() -> None:
    """What was met before the broken place would have run."""
    found = describe(b"cos\nsystem\n(S'id'\ntR\xff\xff\xff", name="m")
    assert (found.status, found.imports, found.complete) == (Status.CODE_CAPABLE, ("os.system",), False)


def test_names_that_loading_makes_are_called_so() -> None:
    """A module's name computed by a call stands as `(computed)`."""
    found = describe(b"\x80\x04\x8c\x05posix\x8c\x03str\x93)R\x8c\x06system\x93.", name="m.pkl")
    assert found.imports == ("(computed)", "posix.str")


def test_a_file_of_two_formats_is_what_its_name_loads() -> None:
    """A sound safetensors file that is a pickle as well is code-capable when it is named as one."""
    # For pickle the header's length is a text of 25 bytes, and the header holds bytes that reach behind it.
    text = b'{"__metadata__":{"k":"B    ' + b"x" * (0x1958 - 30) + b'"}}'
    head = struct.pack("<Q", 0x1958) + text
    call = b"0cos\nsystem\n(S'id'\ntR."
    place = 35 + int.from_bytes(b"    ", "little")

    def read(offset: int, length: int) -> bytes:
        data = head[offset : offset + length] if offset < len(head) else b""
        if offset + length > place:
            return data.ljust(max(place - offset, 0), b"\0") + call[max(offset - place, 0) :][:length]
        return data.ljust(length, b"\0")

    size = place + len(call)
    assert describe(read, name="m.safetensors", size=size).status is Status.NO_CODE_FORMAT
    found = describe(read, name="m.pkl", size=size)
    assert (found.status, found.imports) == (Status.CODE_CAPABLE, ("os.system",))


@pytest.mark.parametrize("length", [2**63, 2**64 - 1, 100_000_001, 99_999_999, 5_000])
def test_a_safetensors_header_that_lies(length: int) -> None:
    """A header longer than the file or the format fails cleanly, whatever it claims."""
    found = describe(struct.pack("<Q", length) + b'{"a": 1}', name="m.safetensors")
    assert (found.format, found.status, found.complete) == ("safetensors", Status.UNKNOWN, False)


@pytest.mark.parametrize(
    "text", [b"{}}", b"[" * 100_000, b'{"a":' * 50_000, b'{"a":' + b"9" * 9_000 + b"}", b"\xff" * 9]
)
def test_a_safetensors_header_of_garbage(text: bytes) -> None:
    """No JSON, too deep, too long a number: a problem, not an exception."""
    found = describe(struct.pack("<Q", len(text)) + text, name="m.safetensors")
    assert (found.status, found.complete) == (Status.UNKNOWN, False)


def _bombs() -> dict[str, tuple[str, bytes]]:
    many = 3_000_000
    zeros = bytes(200_000_000)
    inflated = b"\x80\x04" + b"N0" * many
    return {
        "ops": ("m.pkl", b"\x80\x04" + b"N0" * many + b"."),
        "lists": ("m.pkl", b"\x80\x04" + b"]\x94" * many + b"."),
        "marks": ("m.pkl", b"\x80\x04" + b"(" * many + b"."),
        "imports": ("m.pkl", b"\x80\x04" + b"".join(b"cm%d\nn\n0" % i for i in range(200_000)) + b"."),
        "nested": ("m.pkl", b"\x80\x04N" + b"\x85" * many + b"."),
        "shared": ("m.pkl", b"\x80\x04N" + b"2\x86" * 100_000 + b"."),
        "shared keys": ("m.pkl", b"\x80\x04}N" + b"2\x86" * 50_000 + b"Ns."),
        "long text": ("m.pkl", b"\x80\x04\x8d" + struct.pack("<Q", 2**62) + b"a."),
        "long number": ("m.pkl", b"\x80\x04\x8b" + struct.pack("<i", 2**31 - 1) + b"a."),
        "gzip": ("m.pkl", gzip.compress(b"\x80\x04\x8d" + struct.pack("<Q", 190_000_000) + zeros)),
        "bz2": ("m.pkl", bz2.compress(b"\x80\x04\x8d" + struct.pack("<Q", 190_000_000) + zeros)),
        "xz": ("m.pkl", lzma.compress(b"\x80\x04\x8d" + struct.pack("<Q", 190_000_000) + zeros)),
        "gzip ops": ("m.pkl", gzip.compress(inflated)),
        "zip": ("m.pt", build.archive({"m/data.pkl": b"\x80\x04" + zeros[:90_000_000]}, zipfile.ZIP_DEFLATED)),
        "zip config": ("m.keras", build.archive({"config.json": zeros, "metadata.json": b"{}"}, zipfile.ZIP_DEFLATED)),
        "zip members": ("m.zip", build.archive({f"{i}.pkl": b"" for i in range(40_000)})),
        "zip pickles": ("m.zip", build.archive({f"{i}/data.pkl": inflated[:100_000] for i in range(50)})),
        "gguf strings": ("m.gguf", build.gguf([("a", "")] * 500_000)),
        "gguf counts": ("m.gguf", build.gguf(tensors=2**62)),
        "onnx nodes": ("m.onnx", build.field(1, 8) + build.field(7, build.field(1, b"") * 2_000_000)),
        "onnx types": ("m.onnx", _deep_onnx()),
        "ubjson": ("m.ubj", b"{" + b"i\x01a[" * 100_000),
        "ubjson counts": ("m.ubj", b"{i\x01a[$i#L" + struct.pack(">q", 2**62)),
        "ubjson empty": ("m.ubj", b"{i\x01a[#L" + struct.pack(">q", 2**62) + b"Z" * 3_000_000),
        "json": ("m.json", b'{"learner":' * 100_000),
        "json wide": ("m.json", b'{"a":[' + b"[]," * 2_700_000 + b"0]}"),
        "lightgbm": ("m.txt", b"tree\nversion=v4\n" + b"feature_names=" + b"a " * 900_000),
        "text": ("m.pkl", b"(" * 100 + b"S'" + b"a" * 5_000_000),
        "cbm": ("m.cbm", b"CBM1" + struct.pack("<II", 8, 2**31) + bytes(99)),
        "npy": ("m.npy", b"\x93NUMPY\x02\x00" + struct.pack("<I", 2**32 - 1) + b"'shape': (" + b"9" * 5000),
        "hdf5": ("m.h5", b"\x89HDF\r\n\x1a\n" + b'{"class_name": ' * 600_000),
    }


def _deep_onnx() -> bytes:
    kind = b""
    for _ in range(200):
        kind = build.field(4, build.field(1, kind))
    return build.field(1, 8) + build.field(7, build.field(11, build.field(2, kind))) + build.field(8, build.field(2, 9))


@pytest.fixture(scope="module")
def bombs() -> dict[str, tuple[str, bytes]]:
    return _bombs()


_BOMB_NAMES = [
    *("ops", "lists", "marks", "imports", "nested", "shared", "shared keys", "long text", "long number", "gzip", "bz2"),
    *("xz", "gzip ops", "zip", "zip config", "zip members", "zip pickles", "gguf strings", "gguf counts"),
    *("onnx nodes", "onnx types", "ubjson", "ubjson counts", "ubjson empty", "json", "json wide", "lightgbm", "text"),
    *("cbm", "npy", "hdf5"),
]


@pytest.mark.parametrize("bomb", _BOMB_NAMES)
def test_a_bomb_ends_soon(bombs: dict[str, tuple[str, bytes]], bomb: str) -> None:
    """A second is enough for each of them, and nothing is raised."""
    name, data = bombs[bomb]
    started = time.process_time()
    describe(data, name=name)
    assert time.process_time() - started < 1.5  # a second, and what a busy machine adds


@pytest.mark.parametrize("bomb", ["gzip", "bz2", "xz", "zip config", "lists", "long text", "shared"])
def test_a_bomb_takes_little_memory(bombs: dict[str, tuple[str, bytes]], bomb: str) -> None:
    """What is decompressed or made is dropped or counted, not kept."""
    name, data = bombs[bomb]
    tracemalloc.start()
    describe(data, name=name)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 200_000_000


_SEEDS = [
    build.safetensors({"w": ("F32", [2])}),
    build.onnx(),
    build.saved_model(),
    build.gguf(),
    build.archive({"m/data.pkl": build.torch_pickle()}),
    build.archive({"config.json": build.keras_config(), "metadata.json": b"{}"}, zipfile.ZIP_DEFLATED),
    build.trap(Path("/nowhere"), 0),
    build.trap(Path("/nowhere"), 4),
    gzip.compress(build.trap(Path("/nowhere"))),
    bz2.compress(build.torch_pickle()),
    b"tree\nversion=v4\nfeature_names=a b\n",
    b"{L\x00\x00\x00\x00\x00\x00\x00\x07learner{}i\x07version[$i#i\x03\x01\x02\x03}",
    b"CBM1" + bytes(64),
    b"binf" + bytes(64),
]


def _looked_at(data: bytes, name: str) -> None:
    started = time.process_time()
    found = describe(data, name=name)
    assert time.process_time() - started < 1
    assert found.status in Status
    assert all(isinstance(value, (str, int, float)) for value in found.details.values())


@given(data=st.binary(max_size=400), name=st.sampled_from(_NAMES))
@example(data=b"\x80\x04.", name="m.pkl")
@example(data=b"\x08\x01", name="m")
def test_any_bytes_are_described(data: bytes, name: str) -> None:
    """Random bytes under any name give a description, in no time."""
    _looked_at(data, name)


@given(data=st.data())
def test_any_damage_is_described(data: st.DataObject) -> None:
    """Sound files with bytes changed, cut out or put in give a description, in no time."""
    damaged = bytearray(data.draw(st.sampled_from(_SEEDS)))
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, max(len(damaged) - 1, 0)))
        damaged[at : at + data.draw(st.integers(0, 8))] = data.draw(st.binary(max_size=8))
    _looked_at(bytes(damaged), data.draw(st.sampled_from(_NAMES)))


@given(data=st.binary(max_size=60), protocol=st.sampled_from([b"\x80\x02", b"\x80\x04", b"]", b"("]))
def test_any_opcodes_are_walked(data: bytes, protocol: bytes) -> None:
    """Random opcodes behind a pickle's beginning give a description."""
    _looked_at(protocol + data, "m.pkl")
