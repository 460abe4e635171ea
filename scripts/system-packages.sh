#!/bin/sh
# Install the Debian packages that the tests use (those of $1, a file like system-packages.txt) and that are missing; say what to do where that is not allowed.
set -eu
list=${1:-$(dirname "$0")/system-packages.txt}
missing=
for package in $(sed 's/#.*//' "$list"); do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
as=
[ "$(id -u)" = 0 ] || as="sudo -n"
echo "installing for the tests:$missing"
if ! $as true 2>/dev/null; then
    echo "these packages are missing and this user may not install them. Try: sudo apt-get install -y$missing" >&2
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
$as apt-get update >"$log" 2>&1 && $as apt-get install -y --no-install-recommends $missing >>"$log" 2>&1 || { tail -20 "$log" >&2; exit 1; }
