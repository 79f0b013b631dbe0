"""safetensors: eight bytes of length, a JSON header, then the tensors (huggingface.co/docs/safetensors)."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping

from dvc_modelver.dvcio.formats import jsontext
from dvc_modelver.dvcio.formats.description import ModelDescription, Scalar, Status, clip, listed
from dvc_modelver.dvcio.formats.signs import MAX_SAFETENSORS_HEADER, header_length
from dvc_modelver.dvcio.formats.source import Capped, Malformed, Source

"""The format's own limit."""
MAX_PARSED = 8 * 1024 * 1024
_LIBRARIES = {"pt": "pytorch", "tf": "tensorflow", "flax": "flax", "np": "numpy", "mlx": "mlx"}


def describe(source: Source) -> ModelDescription:
    """What the header says.  Raises `Malformed` when there is no sound one."""
    head = source.exactly(0, 8)
    length = header_length(head)
    if length > min(MAX_SAFETENSORS_HEADER, source.size - 8):
        raise Malformed(f"the header's length, {length}, is more than the file or the format can hold")
    if length > MAX_PARSED:
        raise Capped(f"a header of {length} bytes")
    header = jsontext.load_mapping(source.exactly(8, length))
    metadata = jsontext.mapping(header, "__metadata__")
    tensors = {name: entry for name, entry in header.items() if name != "__metadata__"}
    counts, parameters, end = _measured(tensors)
    details: dict[str, Scalar] = {"tensors": len(tensors), "parameters": parameters}
    details["dtypes"] = listed(f"{clip(dtype, 20)} ({count})" for dtype, count in sorted(counts.items()))
    for key in sorted(metadata)[:10]:
        details[f"metadata {clip(key, 40)}"] = clip(metadata[key])
    short = end > source.size - 8 - length
    return ModelDescription(
        format="safetensors",
        status=Status.NO_CODE_FORMAT,
        library=_LIBRARIES.get(str(metadata.get("format"))),
        details=details,
        complete=not short,
        problem="the tensors reach beyond the file's end" if short else None,
    )


def _measured(tensors: Mapping[str, object]) -> tuple[Counter[str], int, int]:
    """(tensors by type, all their elements, where the last one ends)."""
    counts: Counter[str] = Counter()
    parameters = end = 0
    for entry in tensors.values():
        dtype = jsontext.mapping(entry).get("dtype")
        shape, place = (_sizes(jsontext.mapping(entry).get(key)) for key in ("shape", "data_offsets"))
        if not isinstance(dtype, str) or shape is None or place is None:
            raise Malformed("a tensor without type, shape and place")
        counts[dtype] += 1
        parameters += math.prod(shape)
        end = max([end, *place])
        if parameters >= 2**63:
            raise Malformed("tensors larger than any file")
    return counts, parameters, end


def _sizes(value: object) -> list[int] | None:
    if not isinstance(value, list) or len(value) > 64:
        return None
    sizes = [size for size in value if isinstance(size, int) and not isinstance(size, bool) and 0 <= size < 2**63]
    return sizes if len(sizes) == len(value) else None
