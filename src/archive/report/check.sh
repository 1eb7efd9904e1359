#!/bin/sh
# Checks this folder offline, with sha256sum, zstd, ssh-keygen and the usual text tools.
#
#   sh check.sh [SIGNER.pub]     the public key, from the operator, a register or an earlier audit: not from here
#
# Ends with status 0 if all is as it should be, else with 3.
key=$1
case $key in '' | /*) ;; *) key=$PWD/$key ;; esac
cd "$(dirname "$0")" || exit 1
set -f
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
failed=0
wrong() {
  echo "WRONG: $*"
  failed=1
}

echo '1. the files are those that were written'
sha256sum --quiet -c SHA256SUMS || wrong 'SHA256SUMS does not fit'

echo '2. the digests are signed'
if [ -n "$key" ]; then
  printf 'gleaner %s\n' "$(cut -d ' ' -f 1,2 "$key")" >"$tmp/allowed"
  set -- verify -f "$tmp/allowed" -I gleaner
else
  echo '   no key was given: signatures are checked against the keys that they name'
  set -- check-novalidate
fi
for n in $(tail -n +2 segments.csv | cut -d , -f 6 | sort -un); do
  digest=$(printf 'archive/evidence/digests/%016d' "$n")
  ssh-keygen -Y "$@" -n gleaner-digest -s "$digest.sig" <"$digest.json" >/dev/null || wrong "the signature of digest $n"
done

echo '3. the segments hold what their digests say'
{
  read -r _names
  while IFS=, read -r segment sha256 _start _end _records n _proven state; do
    if [ -z "$n" ]; then
      echo "   no digest names $segment"
    else
      digest=$(printf 'archive/evidence/digests/%016d.json' "$n")
      sed 's/},{/}\n{/g' "$digest" | grep -F "\"key\":\"$segment\"" | grep -qF "\"sha256\":\"$sha256\"" ||
        wrong "digest $n does not name $segment with $sha256"
    fi
    if [ "$state" = expired ]; then
      echo "   expired by command: $segment"
      continue
    fi
    found=$(zstd -dcq "archive/$segment" | sha256sum | cut -c 1-64)
    [ "$found" = "$sha256" ] || wrong "$segment holds $found"
  done
} <segments.csv

echo '4. the records are in records.raw, and in the segments'
{
  read -r _names
  last=
  while IFS=, read -r position length sha256 root source offset skip from segments; do
    found=$(tail -c "+$((position + 1))" records.raw | head -c "$length" | sha256sum | cut -c 1-64)
    [ "$found" = "$sha256" ] || wrong "the record at $position of records.raw"
    if [ "$from" != segments ]; then
      echo "   kept by a table alone: $root/$source:$offset"
      continue
    fi
    if [ "$segments" != "$last" ]; then
      : >"$tmp/raw"
      for segment in $segments; do zstd -dcq "archive/$segment" >>"$tmp/raw"; done
      last=$segments
    fi
    found=$(tail -c "+$((skip + 1))" "$tmp/raw" | head -c "$length" | sha256sum | cut -c 1-64)
    [ "$found" = "$sha256" ] || wrong "$root/$source:$offset is not in $segments"
  done
} <records.csv

rows=$(($(wc -l <records.csv) - 1))
[ "$failed" = 0 ] || exit 3
echo "all as it should be: $rows records"
