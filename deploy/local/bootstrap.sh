#!/bin/sh
# Installs the project's packages where they are missing or out of date, then runs a script on the project's own Node.
#   bootstrap.sh SCRIPT [ARGUMENT...]
set -eu
cd "$(dirname "$0")/../.."

# npm writes it last.
installed=node_modules/.package-lock.json
if [ ! -x node_modules/.bin/node ] || [ ! -e $installed ] || [ package-lock.json -nt $installed ]; then
  echo 'npm packages: installing' >&2
  began=$(date +%s)
  # Not npm ci: it refuses a lock file without other platforms' binaries, which not every registry mirror carries.
  if ! npm install --no-save --no-audit --no-fund --loglevel=error >&2; then
    printf '\ncannot go on: the npm packages could not be installed\n  fix: check the network and the registry of npm\n' >&2
    exit 1
  fi
  touch $installed
  echo "npm packages: ready ($(($(date +%s) - began)) s)" >&2
fi
script=$1
shift
exec node_modules/.bin/node "deploy/local/$script" "$@"
