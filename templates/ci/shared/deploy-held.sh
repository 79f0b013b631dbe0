#!/usr/bin/env bash
# Usage: deploy-held.sh MODEL STAGE
# Hands the bytes of the version that STAGE holds now, fetched and verified, to deploy.sh.
# Now, and not when the tag was made: an approval that comes late does not bring back what was replaced meanwhile.
set -euo pipefail

model=$1 stage=$2
here=$(cd "$(dirname "$0")" && pwd)
folder=$(mktemp -d)

modelver show "$model#$stage" --json > "$folder/show.json"
name=$(python -I -c '
import json, os, sys
print(os.path.basename((json.load(open(sys.argv[1]))["artifact"]["path"] or "model").rstrip("/")))
' "$folder/show.json")
mkdir "$folder/model"
modelver get "$model#$stage" -o "$folder/model/$name" --json > "$folder/get.json"
version=$(python -I -c 'import json, sys; print(json.load(open(sys.argv[1]))["version"])' "$folder/get.json")

printf 'deploying %s@%s to %s\n' "$model" "$version" "$stage"
bash "$here/deploy.sh" "$model" "$version" "$stage" "$folder/model/$name"
