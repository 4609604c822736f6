set -o errexit
echo before
echo 'the harbour is closed' >/dev/stderr
false
