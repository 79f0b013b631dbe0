"""XGBoost's models: JSON, UBJSON (doc/model.schema in its repository), and the binary form of versions before 3."""

from __future__ import annotations

import struct

from dvc_modelver.dvcio.formats import jsontext, ubjson
from dvc_modelver.dvcio.formats.description import (
    Feature,
    ModelDescription,
    Scalar,
    Signature,
    Status,
    features,
    scalar,
    signature,
)
from dvc_modelver.dvcio.formats.jsontext import mapping, picked, sequence, text
from dvc_modelver.dvcio.formats.source import Malformed, Source


def is_model(value: object) -> bool:
    """Whether a JSON object is a model of XGBoost."""
    return bool(mapping(value, "learner")) and isinstance(mapping(value).get("version"), list)


def describe_json(value: object) -> ModelDescription:
    """A model that was parsed whole."""
    return _described("xgboost-json", mapping(value).get("version"), value)


def describe_large_json(source: Source) -> ModelDescription | None:
    """A model too large to parse, from its two ends; None when it is none of XGBoost."""
    found = jsontext.ends(source)
    if not found.lstrip().startswith("{") or '"learner"' not in found[:1000]:
        return None
    learner = {
        key: picked(found, key)
        for key in ("feature_names", "feature_types", "learner_model_param", "objective", "attributes")
    }
    return _described("xgboost-json", picked(found, "version"), {"learner": learner})


def describe_ubjson(source: Source) -> ModelDescription | None:
    """A model in UBJSON; None when it is none of XGBoost."""
    value = ubjson.load(source)
    return _described("xgboost-ubjson", mapping(value).get("version"), value) if is_model(value) else None


def describe_binary(source: Source) -> ModelDescription:
    """The old binary form: parameters behind its magic bytes."""
    body = source.exactly(4, 28)
    base, count, classes, _, _, major, minor = struct.unpack("<fIiiiII", body)
    if count > 2**31 or major > 100:
        raise Malformed("not a model of XGBoost")
    details: dict[str, Scalar] = {"features": count, "classes": max(classes, 0), "base score": base}
    version = f"{major}.{minor}" if major else None
    return ModelDescription(
        format="xgboost-binary",
        status=Status.NO_CODE_FORMAT,
        library="xgboost",
        library_version=version,
        details=details,
    )


def _described(form: str, version: object, value: object) -> ModelDescription:
    learner = mapping(value, "learner")
    parts = [str(part) for part in sequence(version)[:3] if isinstance(part, int) and part < 2**31]
    return ModelDescription(
        format=form,
        status=Status.NO_CODE_FORMAT,
        library="xgboost",
        library_version=".".join(parts) or None,
        details=_details(value),
        signature=_signature(learner),
    )


def _details(value: object) -> dict[str, Scalar]:
    details: dict[str, Scalar] = {}
    parameters = mapping(value, "learner", "learner_model_param")
    booster = mapping(value, "learner", "gradient_booster")
    inner = mapping(booster, "gbtree") or booster
    for label, found in (
        ("objective", mapping(value, "learner", "objective").get("name")),
        ("booster", booster.get("name")),
        ("trees", mapping(inner, "model", "gbtree_model_param").get("num_trees")),
        ("features", parameters.get("num_feature")),
        ("classes", parameters.get("num_class")),
        ("base score", parameters.get("base_score")),
        ("best iteration", mapping(value, "learner", "attributes").get("best_iteration")),
    ):
        plain = scalar(found)
        if plain is not None and not (label == "classes" and plain in ("0", 0)):
            details[label] = int(plain) if isinstance(plain, str) and plain.isdecimal() and len(plain) < 19 else plain
    return details


def _signature(learner: object) -> Signature | None:
    names = sequence(mapping(learner).get("feature_names"))
    types = sequence(mapping(learner).get("feature_types"))
    inputs: tuple[Feature, ...] = features(names, (text(kind) for kind in types))
    return signature(inputs=inputs)
