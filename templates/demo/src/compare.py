"""Print the metrics of some versions side by side, as `modelver show VERSION --json` gives them."""

import json
import subprocess
import sys


def metrics(reference: str) -> dict[str, float]:
    shown = subprocess.run(["modelver", "show", reference, "--json"], check=True, stdout=subprocess.PIPE).stdout
    return json.loads(shown)["metrics"]["metrics.json"]


references = sys.argv[1:]
columns = [metrics(reference) for reference in references]
print(f"{'':<10}", *(f"{reference:>14}" for reference in references))
for key in (key for key in columns[0] if "." not in key):
    print(f"{key:<10}", *(f"{column[key]:>14.4f}" for column in columns))
