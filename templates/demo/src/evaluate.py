"""Measure the model on data that it has not seen."""

import json
from pathlib import Path

import joblib
import numpy as np
from sklearn.metrics import accuracy_score, f1_score, log_loss, precision_score, recall_score

rows = np.loadtxt("data/test.csv", delimiter=",", skiprows=1)
pixels, truth = rows[:, :-1], rows[:, -1].astype(int)
model = joblib.load("models/digits.joblib")
predicted = model.predict(pixels)
recall = recall_score(truth, predicted, average=None)
precision = precision_score(truth, predicted, average=None)
metrics = {
    "accuracy": round(float(accuracy_score(truth, predicted)), 4),
    "f1": round(float(f1_score(truth, predicted, average="macro")), 4),
    "log_loss": round(float(log_loss(truth, model.predict_proba(pixels))), 4),
    "by_digit": {
        str(digit): {"recall": round(float(recall[digit]), 4), "precision": round(float(precision[digit]), 4)}
        for digit in range(10)
    },
}
Path("metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
rows = "".join(f"{actual},{guess}\n" for actual, guess in zip(truth, predicted, strict=True))
Path("predictions.csv").write_text(f"actual,predicted\n{rows}")
