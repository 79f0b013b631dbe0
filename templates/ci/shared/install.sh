#!/usr/bin/env bash
# Installs what $MODEL_PACKAGES names, separated by spaces, and says who commits and tags in this clone.
set -euo pipefail

read -ra packages <<< "$MODEL_PACKAGES"
# -I: no file of the checkout is taken for pip or for a part of it.
python -I -m pip install --quiet --disable-pip-version-check -- "${packages[@]}"

git config user.name "${MODEL_GIT_NAME:-modelver CI}"
git config user.email "${MODEL_GIT_EMAIL:-modelver-ci@users.noreply.invalid}"
