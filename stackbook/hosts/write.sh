# Replaces the file $1, as a whole or not at all, by what comes on standard input: its SHA-256 is $2, its mode $3 (empty: as it was).
set -eu
path=$(readlink -f -- "$1") || path=$1
folder=$(dirname -- "$path")
mkdir -p -- "$folder"
umask 077
new=$(mktemp -- "$folder/.$(basename -- "$path").XXXXXX")
trap 'rm -f -- "$new"' EXIT
trap 'exit 1' HUP INT PIPE TERM
cat > "$new"
sum=$(sha256sum < "$new")
[ "${sum%% *}" = "$2" ] || { echo "what arrived is not what was sent" >&2; exit 1; }
if [ -e "$path" ]; then
  cp --attributes-only --preserve=all -- "$path" "$new"
  touch -- "$new"
else
  chmod 644 -- "$new"
fi
[ -z "$3" ] || chmod -- "$3" "$new"
sync -- "$new" 2>/dev/null || sync
mv -fT -- "$new" "$path"
