"""Every command's JSON answer has the contract's shape: one walk through a repository, and no command left out."""

from __future__ import annotations

from pathlib import Path

import pytest

from dvc_modelver.cli import demo as demo_command
from dvc_modelver.cli.main import COMMANDS
from dvc_modelver.commands.demo import Demonstrated, Done
from dvc_modelver.gitio.journal import Journal, write_journal
from tests.cli import shapes
from tests.cli.shapes import faults
from tests.support import DvcRepo, Modelver, Templates

WALK = (
    ("init --dry-run", shapes.WRITING),
    ("release churn --dry-run", shapes.RELEASED),
    ("release churn --stage prod --offline", shapes.RELEASED),
    ("release churn --offline", shapes.RELEASED),
    ("train 2", None),
    ("release churn --bump minor --offline", shapes.RELEASED),
    ("list", shapes.LIST),
    ("show churn", shapes.SHOW),
    ("show churn@v0.1.0", shapes.SHOW_VERSION),
    ("show churn --metric auc", shapes.METRIC),
    ("history", shapes.HISTORY),
    ("history --at 2030-01-01", shapes.AT),
    ("compare churn@v0.1.0 churn@v0.2.0 .", shapes.COMPARE),
    ("lineage churn", shapes.LINEAGE),
    ("impact data/raw.csv", shapes.IMPACT),
    ("impact params.yaml:train.depth", shapes.IMPACT),
    ("bisect churn --metric auc --good v0.1.0 --bad v0.2.0", shapes.BISECT),
    ("reproduce churn --dry-run", shapes.REPRODUCE),
    ("promote churn@v0.2.0 staging --offline", shapes.WRITING),
    ("verify", shapes.VERIFY),
    ("verify --all --remote", shapes.VERIFY),
    ("verify --gc", shapes.GC),
    ("verify --gc --keep staged --remote", shapes.GC),
    ("rollback churn --dry-run", shapes.ROLLED_BACK),
    ("rollback churn", shapes.ROLLED_BACK),
    ("rollback --undo --dry-run", shapes.ROLLED_BACK),
    ("rollback --undo", shapes.ROLLED_BACK),
    ("rollback churn@v0.1.0 --stage staging --offline", shapes.WRITING),
    ("withdraw churn#staging --offline", shapes.WRITING),
    ("withdraw churn@v0.2.0 -m bad --yes --offline", shapes.WRITING),
    ("get churn -o out.bin --dry-run", shapes.GOT),
    ("get churn -o out.bin", shapes.GOT),
    ("get churn -o out.bin", shapes.GOT),
    ("card update churn", shapes.WRITING),
    ("card check churn", shapes.CARD_CHECK),
    ("card show churn", shapes.CARD_SHOW),
    ("retire churn --offline", shapes.WRITING),
    ("doctor", shapes.DOCTOR),
    ("interrupt", None),
    ("doctor", shapes.DOCTOR),
    ("doctor --recover --dry-run", shapes.DOCTOR),
    ("doctor --recover", shapes.DOCTOR),
    ("push", shapes.ERROR),
)
ELSEWHERE = {
    "demo": "its answer is made up below: the walk itself takes half a minute",
    "run": "stdout is the command's",
    "gate": "tested with its policy",
    "guard": "tested with its policy",
    "hooks": "a group of its own",
    "validate": "tested with its profiles",
    "pipeline": "a group of its own",
}


def test_no_command_is_left_out() -> None:
    """Each is in the walk, or says where else its shape is held."""
    walked = {words.split()[0] for words, _ in WALK}
    assert set(COMMANDS) - walked - set(ELSEWHERE) == set()


def test_every_answer_has_its_shape(templates: Templates, tmp_path: Path, modelver: Modelver) -> None:
    """Plans and answers, first times and repetitions, successes and failures."""
    repo: DvcRepo = templates.dvc(tmp_path)
    wrong = {}
    for words, shape in WALK:
        repo.git.clock.tick()
        if words == "train 2":
            repo.fake_train(2)
        elif words == "interrupt":
            state_dir = repo.path / ".git" / "modelver"
            write_journal(state_dir, Journal(action="promote", refs=(("refs/tags/churn#dev#9", repo.git.rev("HEAD")),)))
        if shape is not None:
            answer = modelver(*words.split(), "--json", cwd=repo.git, code=None)
            found = faults(answer.json, shape)
            if found:
                wrong[words] = (found[:4], answer.json.get("error"))
    assert wrong == {}, "\n".join(map(str, wrong.items()))


def test_the_demos_answer(monkeypatch: pytest.MonkeyPatch, modelver: Modelver, tmp_path: Path) -> None:
    """Each command with its time and output."""
    steps = (Done(line="modelver list", seconds=0.25, output="churn"),)
    done = Demonstrated(
        directory=Path("d"), project=Path("d/p"), seconds=1.0, steps=steps, setup=("cd d",), next=("modelver list",)
    )
    monkeypatch.setattr(demo_command, "demo", lambda *args, **options: done)
    assert faults(modelver("demo", "d", "--json", cwd=tmp_path).json, shapes.DEMO) == []


@pytest.mark.parametrize("shape", [shapes.DOCTOR, shapes.GC, shapes.REPRODUCE, shapes.GOT])
def test_the_checker_sees_what_is_missing(shape: shapes.Shape) -> None:
    """An empty object is of none of these shapes: every key is named."""
    assert [fault.split()[0] for fault in faults({}, shape)] == [f"$.{key}" for key in shape]
