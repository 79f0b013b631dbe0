"""Measure the model on data that it has not seen."""

import json
from pathlib import Path

import joblib
import numpy as np
from sklearn.metrics import accuracy_score, f1_score, log_loss

rows = np.loadtxt("data/test.csv", delimiter=",")
pixels, truth = rows[:, :-1], rows[:, -1].astype(int)
model = joblib.load("models/digits.joblib")
predicted = model.predict(pixels)
metrics = {
    "accuracy": round(float(accuracy_score(truth, predicted)), 4),
    "f1": round(float(f1_score(truth, predicted, average="macro")), 4),
    "log_loss": round(float(log_loss(truth, model.predict_proba(pixels))), 4),
}
Path("metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
