#!/usr/bin/env bash
# check_hardening.sh [--fortified] PROGRAM...: fails, and says why, when a built program lacks a protection that SECURITY.md
# promises. --fortified also asks for _FORTIFY_SOURCE, which needs an optimising build.
set -euo pipefail

fortified=no
if [[ ${1:-} == --fortified ]]; then
  fortified=yes
  shift
fi
(($# > 0)) || { echo "usage: check_hardening.sh [--fortified] PROGRAM..." >&2 && exit 2; }

failed=0
lacks() {
  echo "$1 $2" >&2
  failed=1
}

for program in "$@"; do
  header=$(readelf -hW "$program")
  segments=$(readelf -lW "$program")
  dynamic=$(readelf -dW "$program")
  imports=$(readelf --dyn-syms -W "$program" | awk '$7 == "UND" { print $8 }')
  if ! grep -q 'Type: *DYN' <<< "$header" || ! grep -q 'FLAGS_1.*PIE' <<< "$dynamic"; then
    lacks "$program" "is not position-independent"
  fi
  grep -q 'GNU_RELRO' <<< "$segments" || lacks "$program" "has no RELRO segment"
  grep -qE 'FLAGS_1?\).*(BIND_NOW|NOW)' <<< "$dynamic" || lacks "$program" "does not bind everything at its start: RELRO is not full"
  grep -qE 'GNU_STACK .* RW ' <<< "$segments" || lacks "$program" "has an executable stack"
  if grep -qE 'LOAD .* RWE ' <<< "$segments"; then lacks "$program" "has memory that is writable and executable"; fi
  if grep -qE '\((RPATH|RUNPATH)\)' <<< "$dynamic"; then lacks "$program" "looks for libraries in folders of its own"; fi
  grep -q '^__stack_chk_fail' <<< "$imports" || lacks "$program" "has no stack protector"
  if [[ $fortified == yes ]] && ! grep -qE '^__[a-z]+_chk(@|$)' <<< "$imports"; then
    lacks "$program" "was built without _FORTIFY_SOURCE"
  fi
done
exit $failed
