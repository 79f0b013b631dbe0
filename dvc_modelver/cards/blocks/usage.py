"""The block `usage`: how to fetch the version and load it.  Pure."""

from __future__ import annotations

import posixpath
import shlex

from dvc_modelver.cards.facts import CardFacts
from dvc_modelver.core.descriptions import ModelDescription, Status
from dvc_modelver.core.facts import ArtifactFacts, Source
from dvc_modelver.core.markdown import fenced
from dvc_modelver.core.names import to_tag
from dvc_modelver.core.secrets import redact_text
from dvc_modelver.core.text import safe

_TENSORS = {"pytorch": "torch", "tensorflow": "tensorflow", "flax": "flax", "mlx": "mlx"}
"""Library -> the module of safetensors that gives its tensors; NumPy's for any other."""
_HEADS = {
    "ForSequenceClassification": "AutoModelForSequenceClassification",
    "ForTokenClassification": "AutoModelForTokenClassification",
    "ForQuestionAnswering": "AutoModelForQuestionAnswering",
    "ForImageClassification": "AutoModelForImageClassification",
    "ForConditionalGeneration": "AutoModelForSeq2SeqLM",
    "ForMaskedLM": "AutoModelForMaskedLM",
    "ForCausalLM": "AutoModelForCausalLM",
    "LMHeadModel": "AutoModelForCausalLM",
}
_TORCH = "import torch\n\nstate = torch.load(PATH, map_location='cpu', weights_only=True)"
_XGBOOST = "import xgboost\n\nmodel = xgboost.Booster()\nmodel.load_model(PATH)"
_KERAS = "import keras\n\nmodel = keras.models.load_model(PATH)"
_PYTHON = {
    "joblib": "import joblib\n\nmodel = joblib.load(PATH)",
    "pickle": "import pickle\n\nwith open(PATH, 'rb') as file:\n    model = pickle.load(file)",
    "pytorch": _TORCH,
    "pytorch-legacy": _TORCH,
    "torchscript": "import torch\n\nmodel = torch.jit.load(PATH, map_location='cpu')",
    "safetensors": "from safetensors.MODULE import load_file\n\ntensors = load_file(PATH)",
    "onnx": "import onnxruntime\n\nsession = onnxruntime.InferenceSession(PATH)",
    "xgboost-json": _XGBOOST,
    "xgboost-ubjson": _XGBOOST,
    "xgboost-binary": _XGBOOST,
    "lightgbm": "import lightgbm\n\nmodel = lightgbm.Booster(model_file=PATH)",
    "catboost": "import catboost\n\nmodel = catboost.CatBoost()\nmodel.load_model(PATH)",
    "keras": _KERAS,
    "keras-hdf5": _KERAS,
    "saved-model": "import tensorflow as tf\n\nmodel = tf.saved_model.load(PATH)",
    "huggingface": "import transformers\n\nmodel = transformers.CLASS.from_pretrained(PATH)",
    "mlflow": "import mlflow.pyfunc\n\nmodel = mlflow.pyfunc.load_model(PATH)",
}
"""Format -> the code that loads it."""
_NOT_YET = "This version is not released yet."
_WARNINGS = {
    Status.CODE_CAPABLE: "Loading it runs code that the file names: load it only if you trust who made it.",
    Status.UNKNOWN: "Whether loading it runs code is not known.",
    Status.NO_CODE_FORMAT: "",
}


def render(facts: CardFacts) -> str:
    """Commands that fetch the bytes, then the code that loads them where the format is known."""
    artifact = facts.artifact
    if artifact.path is None or artifact.source is Source.MISSING:
        return "The commit does not say where the bytes of the model are, so it has nothing to fetch."
    path = redact_text(artifact.path)  # whole: the last part of a URL alone may be a password that nobody recognises
    place = posixpath.basename(path.partition("?")[0] if artifact.source is Source.URL else path) or "model"
    if artifact.source is Source.URL:
        parts = _from_url(path, place)
    elif facts.named.version is None:
        parts, place = _unreleased(artifact, path), path
    else:
        parts = _released(facts, facts.named.version, path, place)
    return "\n\n".join([*parts, *(_load(facts.model, place) if facts.model is not None else [])])


# Fetch ------------------------------------------------------------------------------------------------------------


def _released(facts: CardFacts, version: str, path: str, place: str) -> list[str]:
    name, version = redact_text(facts.name), redact_text(version)
    ours = _line("modelver", "get", f"{name}@{version}", "-o", _argument(place))
    tag = f"{to_tag(name)}@{version}"
    if facts.artifact.source is Source.GIT:
        plain = [_line("git", "checkout", tag, "--", path)]
    elif posixpath.basename(facts.declared.file) == "dvc.yaml":
        plain = [_line("dvc", "artifacts", "get", ".", name, "--rev", version, "-o", _argument(place))]
    else:  # `dvc` reads no other file's `artifacts:`
        plain = [_line("git", "checkout", tag), _pull(facts.artifact, path)]
    return [
        "Fetch this version, with its bytes checked:",
        _shell(ours),
        "Without modelver, in a clone:",
        _shell(*plain),
    ]


def _unreleased(artifact: ArtifactFacts, path: str) -> list[str]:
    if artifact.lfs is not None:
        lines = _line("git", "lfs", "pull", "--include", path)
        return [f"{_NOT_YET} In a clone, Git LFS fetches its bytes:", _shell(lines)]
    if artifact.source is Source.GIT:
        return [f"{_NOT_YET} Its bytes are in Git: every clone has them."]
    if artifact.output is not None and not artifact.output.cached:
        return [f"{_NOT_YET} DVC does not cache its bytes: they are in Git, or `dvc repro` makes them again."]
    return [f"{_NOT_YET} In a clone, DVC fetches its bytes:", _shell(_pull(artifact, path))]


def _from_url(url: str, place: str) -> list[str]:
    said = "The model is kept at a URL that DVC does not track: nothing tells whether its bytes are still the same."
    return [said, _shell(_line("dvc", "get-url", url, _argument(place)))]


def _pull(artifact: ArtifactFacts, path: str) -> str:
    root = artifact.output.root if artifact.output is not None else ""
    if root and path.startswith(f"{root}/"):
        return _line("dvc", "--cd", _argument(root), "pull", _argument(path[len(root) + 1 :]))
    return _line("dvc", "pull", _argument(path))


def _argument(path: str) -> str:
    """A path that no command takes for an option."""
    return f"./{path}" if path.startswith("-") else path


def _line(*words: str) -> str:
    return " ".join(shlex.quote(_visible(word)) for word in words)


def _visible(text: str) -> str:
    return safe(redact_text(text)).replace("\n", "\\n").replace("\t", "\\t")


def _shell(*lines: str) -> str:
    # Not `cards.escape.fence`: what that hides behind `--token ` may end in a word's closing quote.
    return fenced("\n".join(lines), "sh")


# Load -------------------------------------------------------------------------------------------------------------


def _load(model: ModelDescription, place: str) -> list[str]:
    if model.format == "gguf":
        block = _shell(_line("llama-cli", "-m", _argument(place)))
    elif model.format in _PYTHON:
        block = fenced(_chosen(model).replace("PATH", _python(place)), "python")
    else:
        return []
    warning = _WARNINGS[model.status]
    return [f"Load it. {warning}" if warning else "Load it:", block]


def _chosen(model: ModelDescription) -> str:
    """The code for the format, as library and details have it."""
    if model.format == "pickle" and "compression" in model.details:
        return _PYTHON["joblib"]  # which unpacks as well
    code = _PYTHON[model.format].replace("MODULE", _TENSORS.get(model.library or "", "numpy"))
    architectures = str(model.details.get("architectures", ""))
    head = next((name for suffix, name in _HEADS.items() if architectures.endswith(suffix)), "AutoModel")
    return code.replace("CLASS", head).replace("'", '"')


def _python(text: str) -> str:
    """A literal of Python; quotes are codes, so that nothing that is hidden later ends in the closing one."""
    codes = {"\\": "\\\\", '"': "\\x22", "'": "\\x27", "\n": "\\n", "\t": "\\t"}
    return f'"{safe("".join(codes.get(character, character) for character in redact_text(text)))}"'
