"""`compare --html FILE` writes one page beside its ordinary answer, or nothing at all."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest

from tests.support import DvcRepo, Modelver
from tests.support.browser import needs_browser, opened


@pytest.fixture
def two(dvc_repo: DvcRepo) -> DvcRepo:
    """churn@v0.1.0 and churn@v0.2.0, with a plot."""
    git = dvc_repo.git
    dvc_yaml = (dvc_repo.path / "dvc.yaml").read_text()
    plot = "\n".join(["step,loss", *(f"{n},{1 / n}" for n in range(1, 9))]) + "\n"
    git.commit("Plot", {"dvc.yaml": f"{dvc_yaml}plots:\n- loss.csv:\n    x: step\n    y: loss\n", "loss.csv": plot})
    git.tag("churn@v0.1.0")
    git.commit("Measure", {"metrics.json": '{"auc": 0.99}', "loss.csv": plot.replace("1.0", "2.0")})
    git.tag("churn@v0.2.0")
    return dvc_repo


def test_the_page_beside_the_answer(two: DvcRepo, modelver: Modelver, tmp_path: Path) -> None:
    """stdout is as without the page; the same question gives the same bytes; the page names what the answer does."""
    words = ("compare", "churn@v0.1.0", "churn@v0.2.0", "--json")
    page = tmp_path / "page.html"
    plain = modelver(*words, cwd=two.git).json
    assert modelver(*words, "--html", page, cwd=two.git).json == plain
    first = page.read_bytes()
    modelver(*words, "--html", page, cwd=two.git)
    assert page.read_bytes() == first
    text = html.unescape(first.decode())
    for word in ("v0.1.0", "v0.2.0", "auc", "loss.csv", "Lineage", *plain["bump"]["reasons"]):
        assert word in text
    assert not re.search(r"""(?:src|href)=["']?(?:https?:)?//""", text)
    only = modelver(*words, "--only-changed", "--html", page, cwd=two.git).json
    assert len(only["metrics"]) < len(plain["metrics"]) or len(only["params"]) < len(plain["params"])
    assert page.read_bytes() == first


@needs_browser
def test_the_page_in_a_browser(two: DvcRepo, modelver: Modelver, tmp_path: Path) -> None:
    """A page of a real repository loads without a message or a request, in light and dark, also on a phone."""
    page = tmp_path / "page.html"
    modelver("compare", "churn@v0.1.0", "churn@v0.2.0", ".", "--html", page, cwd=two.git)
    for width, dark in ((1280, False), (360, True)):
        with opened(page, width=width, height=800, dark=dark) as shown:
            assert shown.console == []
            assert shown.requests == []
            assert shown.evaluate("document.documentElement.scrollWidth") <= width
            assert shown.evaluate("document.querySelectorAll('svg').length") > 2


@pytest.mark.parametrize("target", ["missing/page.html", "."])
def test_a_target_that_cannot_be(two: DvcRepo, modelver: Modelver, target: str) -> None:
    """A directory, or a file in one that is not there, is bad usage, said before anything is read."""
    before = two.git("status", "--porcelain")
    result = modelver("compare", "churn@v0.1.0", "churn@v0.2.0", "--html", target, cwd=two.git, code=2)
    assert result.err.startswith("error: cannot write")
    assert two.git("status", "--porcelain") == before
