#!/usr/bin/env bash
# Yours: brings a model to where it runs.  Usage: deploy.sh MODEL VERSION STAGE PATH
# PATH is a file, or a directory for a model that is one; its bytes are verified.  To exit with 0 means: it is deployed.
set -euo pipefail

model=$1 version=$2 stage=$3 path=$4

echo "write into $0 how $model@$version ($path) comes to $stage" >&2
exit 1
