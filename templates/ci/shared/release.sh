#!/usr/bin/env bash
# Usage: release.sh BRANCH MODEL...
# Releases the models that changed, all of them or none; the cards' commit goes to BRANCH.
set -euo pipefail

branch=$1
shift
modelver release "$@" --bump auto --push --push-to "$branch"
