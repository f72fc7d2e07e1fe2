#!/usr/bin/env bash
# check_hardening_test.sh SOURCE WORK: the check itself, against programs that lack one protection each.
set -euo pipefail
source=$1
work=$2
rm -rf "$work"
mkdir -p "$work"
full=(-O2 -fPIE -pie -fstack-protector-strong -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 '-Wl,-z,relro,-z,now')

# expect WORDS FLAG...: a program built with these flags, too, is refused with these words; empty words: it is taken.
expect() {
  local words=$1 said status=0
  shift
  g++ "${full[@]}" "$@" "$source/tests/hardening/probe/probe.cc" -o "$work/program"
  said=$("$source/tests/hardening/check_hardening.sh" --fortified "$work/program" 2>&1) || status=$?
  if [[ -z $words ]]; then
    [[ $status == 0 ]] || { echo "refused a hardened program: $said" >&2 && exit 1; }
  elif [[ $status == 0 || $said != *"$words"* ]]; then
    echo "built with $*: expected \"$words\", got status $status and \"$said\"" >&2
    exit 1
  fi
}

expect ""
expect "is not position-independent" -no-pie
expect "has no RELRO segment" -Wl,-z,norelro
expect "does not bind everything at its start" -Wl,-z,lazy
expect "has an executable stack" -Wl,-z,execstack
expect "has no stack protector" -fno-stack-protector
expect "was built without _FORTIFY_SOURCE" -U_FORTIFY_SOURCE
expect "looks for libraries in folders of its own" -Wl,-rpath,/tmp
