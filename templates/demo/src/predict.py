"""Load a model that was fetched, and let it read some digits that it was not trained on."""

import sys

import joblib
import numpy as np

rows = np.loadtxt("data/test.csv", delimiter=",", skiprows=1, max_rows=12)
model = joblib.load(sys.argv[1])
print("reads:", *model.predict(rows[:, :-1]))
print("truth:", *rows[:, -1].astype(int))
