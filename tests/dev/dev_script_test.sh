#!/usr/bin/env bash
# Tests ./dev itself, in a folder of its own where compilers, packages and the gateway are stubs that write down how they
# were called. Takes seconds and changes nothing on the machine. Usage: dev_script_test.sh SOURCE_FOLDER
set -euo pipefail

# Of the ./dev test that runs this one.
unset CI "${!AULM_GATEWAY_@}"

source_folder=$(cd "${1:?usage: dev_script_test.sh SOURCE_FOLDER}" && pwd)
work=$(mktemp -d)
real_python=$(command -v python3)
trap 'rm -rf "$work"' EXIT
passed=0
failed=0

# stub PATH: an executable of the text on standard input.
stub() {
  { printf '#!/bin/bash\n' && cat; } > "$1"
  chmod +x "$1"
}

# A checkout with stubs: $root, and $root/calls for what they were asked.
new_checkout() {
  root=$(mktemp -d -p "$work")
  mkdir -p "$root/stubs" "$root/build/release/bin" "$root/build/tools" "$root/elsewhere"
  cp "$source_folder/dev" "$source_folder/packages.txt" "$root"
  : > "$root/calls"
  export CALLS=$root/calls
  printf 'ID=debian\nVERSION_ID="12"\n' > "$root/os-release"
  sed -i "s#/etc/os-release#$root/os-release#g" "$root/dev"
  stub "$root/stubs/cmake" <<'STUB'
echo "cmake $*" >> "$CALLS"
[[ $1 != --preset ]] || { mkdir -p "build/$2" && touch "build/$2/build.ninja"; }
STUB
  stub "$root/stubs/ctest" <<'STUB'
echo "ctest $*" >> "$CALLS"
STUB
  stub "$root/stubs/apt-get" <<'STUB'
echo "apt-get $*" >> "$CALLS"
STUB
  # No tools of other languages, which come from registries; the store's server is there already.
  stub "$root/build/tools/nats-server" <<< 'exit 1'
  stub "$root/stubs/python3" <<< 'exit 1'
  stub "$root/stubs/go" <<< 'exit 1'
  stub "$root/stubs/sudo" <<'STUB'
echo "sudo $*" >> "$CALLS"
STUB
  # Everything is installed, but what $root/missing names.
  stub "$root/stubs/dpkg-query" <<'STUB'
for package in "${@:3}"; do
  grep -qx "$package" "${CALLS%calls}missing" || echo "$package installed"
done
STUB
  : > "$root/missing"
  # Takes requests at a port of its own, and answers each with $SIMULATOR_ANSWERS.
  { printf '#!%s\n' "$real_python" && cat; } > "$root/build/release/bin/aulm-simulator" <<'STUB'
import http.server, os, signal, sys


def call(text):
    with open(os.environ["CALLS"], "a") as calls:
        print(text, file=calls)


class Handler(http.server.BaseHTTPRequestHandler):
    def do_PUT(self):
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        call(f"simulator told {self.path} {body}")
        self.send_response(int(os.environ.get("SIMULATOR_ANSWERS", "200")))
        self.end_headers()

    def log_message(self, *_):
        pass


def stop(*_):
    call("simulator stopped")
    os._exit(0)


call("simulator " + " ".join(sys.argv[1:]))
signal.signal(signal.SIGTERM, stop)
server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
call(f"simulator listens at {server.server_port}")
print(f"listening aulm 127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
STUB
  chmod +x "$root/build/release/bin/aulm-simulator"
  stub "$root/build/release/bin/aulm-gateway" <<'STUB'
echo "gateway in $PWD: $*" >> "$CALLS"
echo "gateway sees ${AULM_BASE_URL:-} ${AULM_API_KEY:-} ${AULM_WEBHOOK_SECRET:-}" >> "$CALLS"
trap 'echo "gateway stopped" >> "$CALLS"; exit ${GATEWAY_STATUS:-0}' TERM
printf 'listening grpc 127.0.0.1:50051\nlistening webhook 127.0.0.1:8080\nlistening admin 127.0.0.1:9090\n'
[[ -z ${GATEWAY_DIES:-} ]] || exit "$GATEWAY_DIES"
while true; do sleep 0.05; done
STUB
}

# dev ARGUMENT...: runs the copy of ./dev; leaves its output in $out and its status in $status.
dev() {
  status=0
  out=$(cd "$root/elsewhere" && PATH=$root/stubs:$PATH ../dev "$@" 2>&1) || status=$?
}

# dev_until_ready SIGNAL ARGUMENT...: runs it until the gateway is ready, then sends the signal. (A shell starts programs
# in the background with SIGINT ignored; env undoes that.)
dev_until_ready() {
  local signal=$1 log=$root/output pid
  shift
  mkfifo "$log"
  (cd "$root/elsewhere" && PATH=$root/stubs:$PATH exec env --default-signal=INT ../dev "$@" > "$log" 2>&1) &
  pid=$!
  out=
  local line
  while read -r line; do
    out+=$line$'\n'
    [[ $line != *"Ctrl-C stops it"* ]] || kill "-$signal" "$pid"
  done < "$log"
  status=0
  wait "$pid" || status=$?
}

calls() { cat "$root/calls"; }

fails() {
  printf '%s\nstatus %s, output:\n%s\ncalls:\n%s\n' "$1" "$status" "$out" "$(calls)"
  return 1
}

expect_status() { ((status == $1)) || fails "expected status $1"; }
expect_output() { [[ $out == *"$1"* ]] || fails "expected the output: $1"; }
expect_call() { [[ $(calls) == *"$1"* ]] || fails "expected the call: $1"; }
expect_no_call() { [[ $(calls) != *"$1"* ]] || fails "expected no call: $1"; }

# --- the tests --------------------------------------------------------------------------------------------------------

run_without_a_key_starts_the_simulator_and_points_the_gateway_at_it() {
  dev_until_ready TERM run
  local simulator
  simulator=http://127.0.0.1:$(sed -n 's/^simulator listens at //p' "$CALLS")
  expect_call "gateway sees $simulator alm_sk_test_simulator whsec_simulator"
  expect_call 'simulator told /_simulator/webhooks {"account": "default", "url": "http://127.0.0.1:8080/webhooks/aulm"}'
  [[ $out != *"sends no webhooks"* ]] || fails "expected that the simulator took it"
  expect_output "simulated at $simulator"
  expect_output "aulmctl --gateway 127.0.0.1:50051 send text"
}

a_simulator_that_cannot_be_told_of_its_webhooks_is_reported() {
  SIMULATOR_ANSWERS=500 dev_until_ready TERM run
  expect_output "the simulator sends no webhooks: it answered 500 when it was told where to"
}

run_with_a_key_starts_no_simulator() {
  AULM_API_KEY=alm_sk_live_x dev_until_ready TERM run
  expect_no_call "simulator --listen"
  expect_call "gateway sees  alm_sk_live_x"
}

run_with_a_configuration_starts_no_simulator() {
  dev_until_ready TERM run --config gateway.json
  expect_no_call "simulator --listen"
}

run_builds_three_programs_and_no_tests() {
  dev_until_ready TERM run
  expect_call "--target aulm-gateway aulmctl aulm-simulator"
  expect_no_call "ctest"
}

run_starts_the_gateway_where_it_was_called_with_the_arguments_given() {
  dev_until_ready TERM run --config gateway.json "two words"
  expect_call "gateway in $root/elsewhere: --config gateway.json two words"
}

ctrl_c_stops_the_gateway_then_the_simulator_and_ends_with_status_0() {
  dev_until_ready INT run
  expect_status 0
  expect_call "gateway stopped"$'\n'"simulator stopped"
}

sigterm_stops_both_and_ends_with_status_0() {
  dev_until_ready TERM run
  expect_status 0
  expect_call "gateway stopped"$'\n'"simulator stopped"
}

a_gateway_that_ends_badly_when_told_to_is_reported() {
  GATEWAY_STATUS=7 dev_until_ready TERM run
  expect_status 7
  expect_call "simulator stopped"
}

a_gateway_that_dies_ends_run_with_its_status_and_the_simulator() {
  GATEWAY_DIES=3 dev run
  expect_status 3
  expect_output "the gateway ended with status 3"
  expect_call "simulator stopped"
}

a_simulator_that_cannot_start_is_reported() {
  stub "$root/build/release/bin/aulm-simulator" <<< 'exit 2'
  dev run
  expect_status 1
  expect_output "the simulator did not start"
  expect_no_call "gateway in"
}

missing_packages_are_installed_after_one_update() {
  printf 'cmake\nlibcli11-dev\n' > "$root/missing"
  dev test
  expect_status 0
  expect_output "installing 2 missing packages: cmake libcli11-dev"
  expect_call "update"
  expect_call "--no-install-recommends install cmake libcli11-dev"
}

nothing_is_updated_when_nothing_is_missing() {
  dev test
  expect_no_call "apt-get"
}

packages_of_other_commands_are_not_asked_for() {
  printf 'clang-19\nclang-tidy-19\n' > "$root/missing"
  dev_until_ready TERM run
  expect_no_call "apt-get"
}

another_distribution_is_told_which_packages_it_lacks() {
  printf 'ID=ubuntu\nVERSION_ID="24.04"\n' > "$root/os-release"
  echo cmake > "$root/missing"
  dev test
  expect_status 1
  expect_output "AULM_GATEWAY_INSTALL=no"
  expect_output "dev: cmake"
  expect_no_call "apt-get"
}

install_no_goes_on_without_the_missing_packages() {
  echo mold > "$root/missing"
  AULM_GATEWAY_INSTALL=no dev test
  expect_status 0
  expect_output "missing, and not installed"
  expect_no_call "apt-get"
}

test_passes_its_arguments_to_ctest() {
  dev test -R storage
  expect_status 0
  expect_call "--output-on-failure -R storage"
}

a_failing_build_ends_with_its_status_and_runs_no_test() {
  stub "$root/stubs/cmake" <<'STUB'
[[ $1 == --preset ]] && mkdir -p build/dev && touch build/dev/build.ninja
STUB
  dev test
  expect_status 1
  expect_no_call "ctest"
}

an_unknown_command_names_help() {
  dev tset
  expect_status 1
  expect_output "unknown command: tset. ./dev help lists them"
}

for test in $(declare -F | awk '{print $3}'); do
  [[ $test == *_*_*_* ]] || continue
  new_checkout
  # A condition would switch -e off inside the test, so its status is read afterwards.
  set +e
  (set -e; unset CI AULM_API_KEY AULM_API_KEY_FILE GATEWAY_CONFIG GATEWAY_WEBHOOK_LISTEN JOBS; "$test") > "$work/result" 2>&1
  result=$?
  set -e
  if ((result == 0)); then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    printf 'FAILED %s\n' "$test"
    sed 's/^/  /' "$work/result"
  fi
done
printf '%d passed, %d failed\n' "$passed" "$failed"
((failed == 0 && passed > 0))
