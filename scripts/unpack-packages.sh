#!/bin/sh
# Unpack the Debian packages whose programs tests call, without installing them: they would take over this machine's network.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
folder=${1:-$here/../.unpacked}
packages=$(sed 's/#.*//' "$here/unpacked-packages.txt" | tr -s ' \n' '  ')
stamp=$folder/.ready
[ ! -e "$stamp" ] || [ "$here/unpacked-packages.txt" -nt "$stamp" ] || exit 0
rm -rf "$folder"
mkdir -p "$folder/deb"
echo "unpacking for the tests: $packages"
fetch() { (cd "$folder/deb" && apt-get -q download $packages >>../log 2>&1); }
as=
[ "$(id -u)" = 0 ] || as="sudo -n"
fetch || { $as apt-get -q update >>"$folder/log" 2>&1 && fetch; } || { tail -5 "$folder/log" >&2; exit 1; }
for file in "$folder"/deb/*.deb; do dpkg -x "$file" "$folder"; done
rm -r "$folder/deb" "$folder/usr/share" "$folder/var" "$folder/etc"
touch "$stamp"
