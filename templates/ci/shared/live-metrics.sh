#!/usr/bin/env bash
# Yours: asks production how a model does.  Usage: live-metrics.sh MODEL STAGE FILE
# Write to FILE what `modelver guard --metrics` reads: JSON as {"auc": 0.81}.  FILE not written means: nothing is reported.
# What comes with the event that started this job is in $LIVE_METRICS (JSON) and $LIVE_MODEL (empty: for each model).
set -euo pipefail

model=$1 stage=$2 file=$3

if [ -n "${LIVE_METRICS:-}" ] && [ "$LIVE_METRICS" != null ]; then
  if [ -z "${LIVE_MODEL:-}" ] || [ "$LIVE_MODEL" = "$model" ]; then
    printf '%s\n' "$LIVE_METRICS" > "$file"
  fi
  exit 0
fi

echo "write into $0 where the live metrics of $model in $stage come from" >&2
exit 1
