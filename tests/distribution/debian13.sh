#!/usr/bin/env bash
# Builds the gateway on Debian 13, whose libraries are newer and which has opentelemetry-cpp: in a root that debootstrap makes, from the
# committed state of this checkout. Then it shows that spans are compiled in and reach a collector. Needs root, debootstrap, the network
# for apt, some GB, and its time.
#
#   debian13.sh            everything
#   debian13.sh TARGET...  configures and builds these alone, such as gateway_base
#
# DEBIAN13_BASE=FOLDER keeps the root there, for the next time. DEBIAN13_CCACHE=FOLDER lends it a compiler cache. MIRROR: of Debian.
set -euo pipefail

say() { printf '\ndebian13: %s (%d s)\n' "$*" "$SECONDS"; }

# Debian 13's names for what packages.txt lists.
packages() {
  sed -n 's/^build: //p' packages.txt | sed 's/^libboost\(-json\)\?1\.81-dev$/libboost\11.83-dev/'
  echo opentelemetry-cpp-dev
}

# A collector that prints the path of each batch of spans and which of our names are in it, until it is ended.
collector() {
  exec python3 -c '
import http.server, re
class Collector(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        names = set(re.findall(rb"SendText|send_text|SubscribeEvents|admitted|webhook", body))
        print(self.path, *sorted(name.decode() for name in names), flush=True)
        self.send_response(200)
        self.end_headers()
    def log_message(self, *_): pass
server = http.server.HTTPServer(("127.0.0.1", 0), Collector)
print(server.server_port, flush=True)
server.serve_forever()'
}

# deliver URL SECRET: posts one signed delivery, as aulm does.
deliver() {
  python3 -c '
import hashlib, hmac, sys, urllib.request
url, secret = sys.argv[1:]
body = b"""{"event":"inbound_message","delivery_id":"d-1","session_id":"00000000-0000-4000-8000-000000000001",
"from":"+966512345678","message_id":"m-1","type":"text","body":"hi","received_at":"2026-05-28T10:15:42.000Z"}"""
signature = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
headers = {"content-type": "application/json", "x-aulm-signature": signature, "x-aulm-event": "inbound_message",
           "x-aulm-delivery-id": "d-1", "x-aulm-attempt": "1"}
urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=30)' "$@"
}

# What runs inside the root, where the script calls itself again.
in_root() {
  cd /src
  say "packages"
  apt-get -q update > /dev/null
  packages | DEBIAN_FRONTEND=noninteractive xargs apt-get -q -y --no-install-recommends install python3 > /dev/null
  say "configuring"
  cmake --preset release -DAULM_GATEWAY_TESTS=OFF > /tmp/configure.log || { tail -30 /tmp/configure.log && return 1; }
  local -a targets=("$@")
  (($#)) || targets=(aulm-gateway aulmctl)
  say "building ${targets[*]}"
  cmake --build build/release -j "${JOBS:-2}" --target "${targets[@]}" -- -k 0  # everything that fails, at once
  (($# == 0)) || { say "passed: ${targets[*]}" && return; }

  build/release/bin/aulm-gateway --version
  build/release/bin/aulm-gateway --version | grep -q 'tracing opentelemetry-cpp'
  say "spans"
  local port name spans
  local -A at=()
  mkfifo /tmp/collector /tmp/gateway
  collector > /tmp/collector &
  local collector=$!
  exec 3< /tmp/collector
  read -r port <&3
  OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:$port AULM_API_KEY=alm_sk_test_x AULM_WEBHOOK_SECRET=x AULM_BASE_URL=http://127.0.0.1:9 \
    GATEWAY_GRPC_LISTEN=127.0.0.1:0 GATEWAY_WEBHOOK_LISTEN=127.0.0.1:0 GATEWAY_ADMIN_LISTEN=127.0.0.1:0 \
    GATEWAY_STORE=sqlite:///tmp/store build/release/bin/aulm-gateway > /tmp/gateway 2> /tmp/gateway.log &
  local gateway=$!
  exec 4< /tmp/gateway
  while ((${#at[@]} < 3)) && read -r _ name where <&4; do at[$name]=$where; done
  build/release/bin/aulmctl --gateway "${at[grpc]}" send text --session 00000000-0000-4000-8000-000000000001 --to +966512345678 hello || true
  deliver "http://${at[webhook]}/webhooks/aulm" x
  build/release/bin/aulmctl --gateway "${at[grpc]}" events follow --from earliest --count 1
  kill -TERM $gateway
  wait $gateway
  kill $collector
  spans=$(cat <&3)
  echo "$spans"
  for name in /v1/traces SendText send_text webhook SubscribeEvents admitted; do
    grep -qw -- "$name" <<< "$spans" || { say "no span came of $name" && return 1; }
  done
  say "passed"
}

if [[ ${1:-} == --in-root ]]; then
  shift
  in_root "$@"
  exit
fi

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
((EUID == 0)) || { echo "needs root" >&2 && exit 1; }
work=$(mktemp -d -p "${TMPDIR:-/var/tmp}" debian13.XXXXXX)
trap 'rm -rf --one-file-system "$work"' EXIT
base=${DEBIAN13_BASE:-$work/base}
if [[ ! -d $base/usr ]]; then
  say "debootstrap"
  debootstrap --variant=minbase --include=ca-certificates trixie "$base" "${MIRROR:-http://deb.debian.org/debian}" > "$work/base.log"
fi
for path in /etc/apt/apt.conf.d /usr/local/share/ca-certificates; do
  [[ ! -e $path ]] || cp -aT "$path" "$base$path"
done
rm -rf "$base/src"
git clone -q . "$base/src"
# Mounts of its own, which end with it.
# shellcheck disable=SC2016  # expanded inside of the namespace
unshare --mount --pid --fork bash -c '
  mount --bind "$1" "$1" && mount -t proc proc "$1/proc" && mount --rbind /dev "$1/dev" &&
  mkdir -p "$1/root/.cache/ccache" && { [[ -z $2 ]] || mount --bind "$2" "$1/root/.cache/ccache"; } &&
  cp /etc/resolv.conf "$1/etc/resolv.conf" && shift 2 &&
  exec chroot "$0" /src/tests/distribution/debian13.sh --in-root "$@"' "$base" "$base" "${DEBIAN13_CCACHE:-}" "$@"
