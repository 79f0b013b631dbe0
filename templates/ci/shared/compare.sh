#!/usr/bin/env bash
# Usage: compare.sh FILE STAGE MODEL...
# Writes into FILE, as Markdown, how each MODEL of this commit differs from what STAGE holds.
set -euo pipefail

file=$1 stage=$2
shift 2
: > "$file"
for model in "$@"; do
  status=0
  modelver compare "$model#$stage" HEAD --md --only-changed --no-color >> "$file" || status=$?
  if [ "$status" -eq 7 ]; then
    printf '### %s\n\n%s holds no version to compare with.\n' "$model" "$stage" >> "$file"
  elif [ "$status" -ne 0 ]; then
    exit "$status"
  fi
  printf '\n' >> "$file"
done
