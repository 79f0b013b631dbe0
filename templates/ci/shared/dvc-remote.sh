#!/usr/bin/env bash
# Lets DVC reach its remote.  Clouds are reached by the variables that their own tools read; for every other remote
# $DVC_CONFIG_LOCAL_BASE64 is a .dvc/config.local, as `dvc remote modify --local` writes it, through `base64 -w0`.
set -euo pipefail
umask 077

if [ -n "${DVC_CONFIG_LOCAL_BASE64:-}" ]; then
  folder=$(git ls-files -- '.dvc/config' '*/.dvc/config' | head -n 1)
  printf '%s' "$DVC_CONFIG_LOCAL_BASE64" | base64 -d > "$(dirname "${folder:-.dvc/config}")/config.local"
fi
if [ -n "${GOOGLE_CREDENTIALS_JSON:-}" ]; then
  file=$(mktemp)
  printf '%s' "$GOOGLE_CREDENTIALS_JSON" > "$file"
  # GitHub gives this variable to the steps that follow.
  printf 'GOOGLE_APPLICATION_CREDENTIALS=%s\n' "$file" >> "${GITHUB_ENV:-/dev/null}"
fi
