#!/usr/bin/env bash
# Lets git push with $MODEL_PUSH_TOKEN, a project access token; the configuration names the variable, not its value.
set -euo pipefail

if [ -z "${MODEL_PUSH_TOKEN:-}" ]; then
  echo "error: there is no MODEL_PUSH_TOKEN" >&2
  echo "hint: a masked, protected variable with a project access token that may write the repository" >&2
  exit 1
fi
# The runner's URL holds the job's own token, which may not push.
git remote set-url origin "$CI_PROJECT_URL.git"
git config --replace-all "credential.$CI_SERVER_URL.helper" ''
# The single quotes are meant: git's shell expands the variable when it asks.
# shellcheck disable=SC2016
git config --add "credential.$CI_SERVER_URL.helper" \
  '!f() { echo username=oauth2; printf "password=%s\n" "$MODEL_PUSH_TOKEN"; }; f'
