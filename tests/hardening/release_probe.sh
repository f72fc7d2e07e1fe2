#!/usr/bin/env bash
# release_probe.sh SOURCE WORK: builds a probe with the flags of the release preset (gcc, optimised) and looks at it, so
# that CI, which builds the dev preset, sees what the programs of a release have.
set -euo pipefail
source=$1
work=$2
flags=$(sed -n '/"name": "release"/,/}/s/.*"CMAKE_CXX_FLAGS_RELEASE": "\([^"]*\)".*/\1/p' "$source/CMakePresets.json" | head -1)
[[ -n $flags ]] || { echo "CMakePresets.json has no flags for the release preset" >&2 && exit 1; }
rm -rf "$work"
cmake -G Ninja -S "$source/tests/hardening/probe" -B "$work" -DCMAKE_CXX_COMPILER=g++ -DCMAKE_BUILD_TYPE=Release \
  "-DCMAKE_CXX_FLAGS_RELEASE=$flags" > /dev/null
cmake --build "$work" > "$work/build.log" || { cat "$work/build.log" >&2 && exit 1; }
"$source/tests/hardening/check_hardening.sh" --fortified "$work/probe"
