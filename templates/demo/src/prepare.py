"""Split scikit-learn's digits into a training and a test set: 64 pixels and the digit in each row."""

from pathlib import Path

import numpy as np
import yaml
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

params = yaml.safe_load(Path("params.yaml").read_text())["prepare"]
digits = load_digits()
rows = np.column_stack([digits.data, digits.target])
parts = train_test_split(rows, test_size=params["test_share"], random_state=params["seed"], stratify=digits.target)
header = ",".join([*digits.feature_names, "digit"])
Path("data").mkdir(exist_ok=True)
for name, part in zip(("train", "test"), parts, strict=True):
    np.savetxt(f"data/{name}.csv", part, fmt="%d", delimiter=",", header=header, comments="")
