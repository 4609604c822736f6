#!/bin/sh
# Installs the project's packages where they are missing or out of date, then runs a script on the project's own Node.
#   bootstrap.sh SCRIPT [ARGUMENT...]
set -eu
cd "$(dirname "$0")/../.."

if [ ! -x node_modules/.bin/node ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
  echo 'installing npm packages' >&2
  # Not npm ci: it refuses a lock file without other platforms' binaries, which not every registry mirror carries.
  npm install --no-save --no-audit --no-fund --loglevel=error >&2
  touch node_modules/.package-lock.json
fi
script=$1
shift
exec node_modules/.bin/node "deploy/local/$script" "$@"
