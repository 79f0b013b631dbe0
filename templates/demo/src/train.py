"""Train a random forest."""

from pathlib import Path

import joblib
import numpy as np
import yaml
from sklearn.ensemble import RandomForestClassifier

params = yaml.safe_load(Path("params.yaml").read_text())["train"]
rows = np.loadtxt("data/train.csv", delimiter=",", skiprows=1)
model = RandomForestClassifier(params["trees"], max_depth=params["depth"], random_state=params["seed"])
model.fit(rows[:, :-1], rows[:, -1].astype(int))
Path("models").mkdir(exist_ok=True)
joblib.dump(model, "models/digits.joblib")
