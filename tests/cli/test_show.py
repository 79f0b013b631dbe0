"""`modelver show`: what a person reads of one version."""

from __future__ import annotations

import json

from tests.support import DvcRepo, Modelver


def test_secrets_among_params_and_metrics_are_hidden(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """A value under the name of a password, and a URL's user-info, do not reach the terminal; numbers do."""
    metrics = {"auc": 0.75, "password": "hunter2", "source": "https://ada:hunter3@example.org/data"}
    dvc_repo.git.commit("Say too much", {"metrics.json": json.dumps(metrics)})
    dvc_repo.git.tag("churn@v0.1.0")
    out = modelver("show", "churn@v0.1.0", cwd=dvc_repo.git).out
    assert "0.75" in out
    assert "hunter" not in out
