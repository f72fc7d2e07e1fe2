#!/usr/bin/env bash
# Proves ./dev on a bare Debian 12: makes a minimal root with debootstrap, clones the committed state of this checkout
# into it, and runs there what a newcomer would. Needs root, debootstrap, the network for apt, about 6 GB, and its time.
# Everything happens in a mount and process namespace of its own: nothing stays mounted or running.
#
#   bare_debian.sh            ./dev run with a send and its events, then ./dev test
#   bare_debian.sh run        the first of these alone
#   bare_debian.sh ARGS...    ./dev ARGS, such as: test -L unit
#
# BARE_DEBIAN_BASE=FOLDER keeps the untouched minimal root there, for the next time. BARE_DEBIAN_CCACHE=FOLDER lends it a
# compiler cache: then it proves that everything builds, not how long that takes.
set -euo pipefail

readonly MIRROR=${BARE_DEBIAN_MIRROR:-http://deb.debian.org/debian}

say() { printf '\nbare_debian: %s (%d s)\n' "$*" "$SECONDS"; }

# What runs inside the root, where the script calls itself again.
in_root() {
  cd /src
  if (($# == 0)); then
    first_steps
    say "./dev test"
    ./dev test
  elif [[ $* == run ]]; then
    first_steps
  else
    say "./dev $*"
    ./dev "$@"
  fi
  say "passed"
}

# ./dev run, then what README shows first: a send prints its message id, its statuses and an echoed reply are events.
first_steps() {
  say "./dev run"
  local line pid sent events session=00000000-0000-4000-8000-000000000001
  mkfifo /tmp/run
  ./dev run > /tmp/run 2>&1 &
  pid=$!
  exec 3< /tmp/run
  while read -r line <&3 && echo "$line" && [[ $line != *"Ctrl-C stops it"* ]]; do :; done
  [[ $line == *"Ctrl-C stops it"* ]] || { say "./dev run ended before the gateway was ready" && return 1; }
  cat <&3 &

  sent=$(build/release/bin/aulmctl --json send text --session $session --to +966512345678 "Hello")
  echo "$sent"
  [[ $sent == *sim_* ]] || { say "the send printed no message id" && return 1; }
  # The simulator sends three statuses and the reply within half a second.
  local _
  for _ in {1..100}; do
    events=$(build/release/bin/aulmctl --json events read --from earliest)
    [[ $(wc -l <<< "$events") -lt 4 ]] || break
    sleep 0.1
  done
  echo "$events"
  [[ $events == *"echo: Hello"* ]] || { say "no reply came" && return 1; }
  kill -TERM "$pid"
  wait "$pid"
  say "./dev run ended with status 0"
}

# The minimal root, and in it the apt sources and authorities of this machine, so that its mirror or proxy is used.
make_root() {
  local root=$1
  if [[ -n ${BARE_DEBIAN_BASE:-} && -d $BARE_DEBIAN_BASE ]]; then
    cp -a "$BARE_DEBIAN_BASE/." "$root"
  else
    debootstrap --variant=minbase bookworm "$root" "$MIRROR" > "$root.log" || { cat "$root.log" && return 1; }
    [[ -z ${BARE_DEBIAN_BASE:-} ]] || cp -a "$root" "$BARE_DEBIAN_BASE"
  fi
  local path
  for path in /etc/apt/sources.list.d/debian.sources /etc/apt/apt.conf.d /usr/local/share/ca-certificates; do
    [[ ! -e $path ]] || cp -aT "$path" "$root$path"
  done
  [[ ! -e $root/etc/apt/sources.list.d/debian.sources ]] || : > "$root/etc/apt/sources.list"
  cp -L /etc/resolv.conf "$root/etc/resolv.conf"
  # Debian's installer writes it, debootstrap does not.
  printf '127.0.0.1 localhost\n::1 localhost\n' > "$root/etc/hosts"
}

# In the namespace: mounts what programs expect, and goes into the root with an empty environment but for proxies.
enter_root() {
  local root=$1 name
  shift
  mount -t proc proc "$root/proc"
  mount --rbind /dev "$root/dev"
  mount -t tmpfs tmpfs "$root/tmp"
  if [[ -n ${BARE_DEBIAN_CCACHE:-} ]]; then
    mkdir -p "$root/root/.cache/ccache"
    mount --bind "$BARE_DEBIAN_CCACHE" "$root/root/.cache/ccache"
  fi
  local -a environment=(HOME=/root LANG=C.UTF-8 CI=true PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin)
  for name in http_proxy https_proxy no_proxy; do
    [[ -z ${!name:-} ]] || environment+=("$name=${!name}")
  done
  exec env -i "${environment[@]}" chroot "$root" /src/tests/dev/bare_debian.sh --in-root "$@"
}

case ${1:-} in
  --in-root)
    shift
    in_root "$@"
    exit
    ;;
  --enter-root)
    shift
    enter_root "$@"
    ;;
esac

((EUID == 0)) || { echo "needs root" >&2 && exit 1; }
checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
work=$(mktemp -d -p "${TMPDIR:-/var/tmp}" bare_debian.XXXXXX)
trap 'rm -rf --one-file-system "$work"' EXIT
mkdir "$work/root"
say "making a minimal root"
make_root "$work/root"
git clone --quiet --no-hardlinks "$checkout" "$work/root/src"
unshare --mount --pid --fork --kill-child "$checkout/tests/dev/bare_debian.sh" --enter-root "$work/root" "$@"
