"""The words that Hugging Face knows for tasks, libraries and metrics.  Pure."""

from __future__ import annotations

import re

OTHER = "other"
_TASKS = """
any-to-any audio-classification audio-text-to-text audio-to-audio automatic-speech-recognition depth-estimation
document-question-answering feature-extraction fill-mask graph-ml image-classification image-feature-extraction
image-segmentation image-text-to-text image-to-3d image-to-image image-to-text image-to-video keypoint-detection
mask-generation multiple-choice object-detection question-answering reinforcement-learning robotics
sentence-similarity summarization table-question-answering table-to-text tabular-classification tabular-regression
tabular-to-text text-classification text-generation text-ranking text-retrieval text-to-3d text-to-audio
text-to-image text-to-speech text-to-video text2text-generation time-series-forecasting token-classification
translation unconditional-image-generation video-classification video-text-to-text visual-document-retrieval
visual-question-answering voice-activity-detection zero-shot-classification zero-shot-image-classification
zero-shot-object-detection
"""
_LIBRARIES = {
    "scikit-learn": "sklearn",
    "scikit_learn": "sklearn",
    "torch": "pytorch",
    "tf": "tensorflow",
    "spacy-transformers": "spacy",
    "huggingface": "transformers",
    "hugging-face": "transformers",
    "sentence_transformers": "sentence-transformers",
    "stable_baselines3": "stable-baselines3",
}
_METRICS = {
    "acc": "accuracy",
    "accuracy_score": "accuracy",
    "f1_score": "f1",
    "matthews_corrcoef": "matthews_correlation",
    "mcc": "matthews_correlation",
    "mean_absolute_error": "mae",
    "mean_absolute_percentage_error": "mape",
    "mean_squared_error": "mse",
    "precision_score": "precision",
    "r2": "r_squared",
    "r2_score": "r_squared",
    "recall_score": "recall",
    "roc_auc_score": "roc_auc",
}
_MAX_NAME = 96


def slug(text: str, joint: str = "-") -> str:
    """The ASCII letters and digits of `text` in lower case, what is between them as one `joint`; may be empty."""
    return re.sub(r"[^a-z0-9]+", joint, text[:1000].lower())[:_MAX_NAME].strip(joint)


def known_task(text: str) -> str | None:
    """The Hub's own id of a task (`Tabular Classification` is `tabular-classification`); None when it has none."""
    found = slug(text)
    return found if found in _TASKS.split() else None


def task_title(task: str) -> str:
    """A task's id as words."""
    return task.replace("-", " ").title()


def library(text: str) -> str | None:
    """A library as the Hub names it, without its version; None for what is no name of a library."""
    found = re.fullmatch(r"([a-z][a-z0-9_.-]{0,60})(?:\s*[=<>~!].*|\s+v?\d.*)?", text.strip().lower())
    return None if found is None else _LIBRARIES.get(found[1], found[1])


def metric(text: str) -> str:
    """A metric as the Hub names it; `value` for what has no letters."""
    found = slug(text, "_")
    return _METRICS.get(found, found) or "value"


def is_hub_id(text: str) -> bool:
    """Whether the Hub takes it for the name of a model or data set (`name`, `owner/name`); it refuses cards else."""
    word = r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,94}[A-Za-z0-9_])?"
    plain = re.fullmatch(rf"(?:{word}/)?{word}", text) is not None
    return plain and "--" not in text and ".." not in text and not text.endswith(".git")
