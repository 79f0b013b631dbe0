#!/usr/bin/env bash
# Usage: guard.sh MODEL STAGE
# Judges what production reports, and goes back to the last good version when it is bad.  Exits with 1 when it is bad.
set -euo pipefail

model=$1 stage=$2
here=$(cd "$(dirname "$0")" && pwd)
folder=$(mktemp -d)

newest() {
  git for-each-ref --count=1 --sort=-version:refname --format='%(refname:lstrip=2)' "refs/tags/${model/:/=}#$stage#*"
}

status=0
modelver show "$model#$stage" --json > /dev/null || status=$?
if [ "$status" -eq 7 ]; then
  echo "$stage of $model is empty: nothing to guard"
  exit 0
elif [ "$status" -ne 0 ]; then
  exit "$status"
fi

bash "$here/live-metrics.sh" "$model" "$stage" "$folder/live.json"
if [ ! -s "$folder/live.json" ]; then
  echo "nothing is reported for $model"
  exit 0
fi

before=$(newest)
modelver guard "$model" --stage "$stage" --metrics "$folder/live.json" --rollback --push || status=$?
after=$(newest)
if [ "$after" != "$before" ]; then
  echo "rolled back: $after"
  printf 'tag=%s\n' "$after" >> "${GITHUB_OUTPUT:-/dev/null}"
fi
exit "$status"
