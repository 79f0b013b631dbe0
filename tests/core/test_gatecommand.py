"""Calls of the gate in commands of pipeline stages."""

from __future__ import annotations

import pytest
import typer.main

from dvc_modelver.cli.main import build_app
from dvc_modelver.core.gatecommand import OPTIONS, GateCall, gate_calls


@pytest.mark.parametrize(
    ("cmd", "models"),
    [
        ("modelver gate churn --reference gate/churn.json", ["churn"]),
        ("modelver -q -C sub gate --policy p.yaml churn", ["churn"]),
        ("python -m dvc_modelver gate churn", ["churn"]),
        ("cd x && /opt/bin/modelver gate 'a b:churn'; modelver gate other\nmodelver gate", ["a b:churn", "other", ""]),
        ("modelver run -- modelver gate churn", ["churn"]),
        ("modelver run -- python train.py gate churn", []),
        ("modelver validate gate", []),
        ("python gate.py churn", []),
        ("modelver gate 'open", []),
        ("", []),
    ],
)
def test_which_commands_are_gates(cmd: str, models: list[str]) -> None:
    """Only where `gate` is the subcommand of ours, wherever that stands on the line."""
    assert [call.model for call in gate_calls(cmd)] == models


def test_options_in_both_forms() -> None:
    """`--option VALUE` and `--option=VALUE`; a value is never taken for the model."""
    (call,) = gate_calls("modelver gate --against prod --reference=r.json churn --dry-run")
    assert call == GateCall(model="churn", options={"--against": "prod", "--reference": "r.json"})


def test_the_options_are_those_of_the_command() -> None:
    """An option of the command that takes a value and is not known here would give its value for the model."""
    command = typer.main.get_command(build_app(["gate"])).commands["gate"]  # type: ignore[attr-defined]
    options = [p for p in command.params if p.param_type_name == "option" and not p.is_flag]
    assert {name for option in options for name in option.opts} == set(OPTIONS)
