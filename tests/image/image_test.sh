#!/usr/bin/env bash
# Builds the image with buildah and starts it as Kubernetes would: another user, a read-only root, no Docker daemon. Run by
# hand as root on a Debian with buildah and debootstrap; compiling takes a machine some minutes.
#
# Usage: image_test.sh              builds everything, in a Debian 12 made by debootstrap
#        image_test.sh BIN_FOLDER   takes aulm-gateway and aulmctl as they were built, and makes the last stage of them
# IMAGE_BASE: the folder of a Debian 12 root to use and keep, in place of a new one. MIRROR: of Debian. IMAGE_CCACHE: a
# folder of ccache's to compile with.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
((EUID == 0)) || { echo "needs root" >&2 && exit 1; }
readonly MOST_MB=60
work=$(mktemp -d -p "${TMPDIR:-/var/tmp}" image_test.XXXXXX)
export BUILDAH_ISOLATION=chroot
build() { buildah --storage-driver vfs --root "$work/storage" --runroot "$work/run" "$@"; }
container=
gateway=
finish() {
  [[ -z $gateway ]] || kill "$gateway" 2> /dev/null || true
  [[ -z $container ]] || build umount "$container" > /dev/null || true
  rm -rf --one-file-system "$work"
}
trap finish EXIT
passed=0
ok() { passed=$((passed + 1)) && echo "ok: $*"; }
fail() { echo "FAILED: $*" >&2 && exit 1; }

# make_base: localhost/debian:12, from debootstrap, with the apt settings of this machine so that its mirror is used.
make_base() {
  local base=${IMAGE_BASE:-$work/base} path new
  [[ -d $base/usr ]] || debootstrap --variant=minbase bookworm "$base" "${MIRROR:-http://deb.debian.org/debian}" > "$work/base.log"
  for path in /etc/apt/sources.list.d/debian.sources /etc/apt/apt.conf.d /usr/local/share/ca-certificates; do
    [[ ! -e $path ]] || cp -aT "$path" "$base$path"
  done
  [[ ! -e $base/etc/apt/sources.list.d/debian.sources ]] || : > "$base/etc/apt/sources.list"
  new=$(build from scratch)
  build add --quiet "$new" "$base" / > /dev/null
  build commit --quiet "$new" localhost/debian:12 > /dev/null
  build rm "$new" > /dev/null
}

if (($# == 0)); then
  make_base
  build bud --format docker ${IMAGE_CCACHE:+--volume "$IMAGE_CCACHE:/root/.cache/ccache"} --build-arg BASE=localhost/debian:12 \
    --build-arg COMMIT="$(git rev-parse --short HEAD)" -t aulm-gateway .
else
  # The last stage of the Dockerfile alone, with what its first stage would have laid out.
  mkdir "$work/context"
  tools/image/make_root.sh "$1" "$work/context/image"
  sed -n '/^FROM scratch/,$p' Dockerfile | sed 's/COPY --from=build/COPY/; s#/image /#image /#' > "$work/context/Dockerfile"
  build bud --quiet --format docker --build-arg COMMIT="$(git rev-parse --short HEAD)" -t aulm-gateway "$work/context"
fi

inspect() { build inspect --type image --format "$1" aulm-gateway; }
[[ $(inspect '{{.OCIv1.Config.User}}') == 65532:65532 ]] || fail "does not run as 65532"
ok "runs as another user than root"
label() { inspect "{{index .OCIv1.Config.Labels \"org.opencontainers.image.$1\"}}"; }
[[ $(label title) == aulm-gateway && $(label revision) == "$(git rev-parse --short HEAD)" ]] || fail "is not labelled as what it is"
for name in description version licenses source documentation; do [[ -n $(label $name) ]] || fail "has no label $name"; done
ok "is labelled"
[[ $(inspect '{{.Docker.Config.Healthcheck.Test}}') == "[CMD /usr/bin/aulm-gateway --health]" ]] || fail "has no health check"
ok "names its health check"

container=$(build from aulm-gateway)
root=$(build mount "$container")
size=$(du -sm "$root" | cut -f1)
((size <= MOST_MB)) || fail "is $size MB large"
ok "is $size MB large, at most $MOST_MB"
[[ -z $(find "$root" -name '*sh' -type f -perm /111; find "$root" -name 'apt*' -o -name 'dpkg' -type f) ]] || fail "has a shell or a package manager"
ok "has no shell"
[[ -z $(find "$root" -perm /6000 -type f) ]] || fail "has setuid programs"
ok "has no setuid programs"
[[ -s $root/var/lib/dpkg/status.d/libssl3 ]] || fail "does not say which packages it is made of"
ok "says which packages it is made of"

# start PROGRAM ARGUMENT...: becomes a program of the image, in its root, read-only but for the store and /tmp, as its user,
# without privileges to gain.
mkdir -m 700 "$work/store"
chown 65532:65532 "$work/store"
start() {
  # shellcheck disable=SC2016  # expanded inside of the namespace
  exec unshare --mount bash -c '
    root=$1 work=$2
    shift 2
    mount --bind "$root" "$root" && mount -o remount,ro,bind "$root" &&
    mount --bind "$work/store" "$root/var/lib/aulm-gateway" && mount -t tmpfs tmpfs "$root/tmp" &&
    exec env -i PATH=/usr/bin AULM_API_KEY=alm_sk_test_image AULM_WEBHOOK_SECRET=whsec_image \
      GATEWAY_STORE=sqlite:///var/lib/aulm-gateway GATEWAY_GRPC_LISTEN=127.0.0.1:0 GATEWAY_WEBHOOK_LISTEN=127.0.0.1:0 \
      GATEWAY_ADMIN_LISTEN="${ADMIN:-127.0.0.1:0}" \
      /usr/bin/setpriv --no-new-privs /usr/sbin/chroot --userspec=65532:65532 --groups= "$root" "$@"' start "$root" "$work" "$@"
}

(start /usr/bin/aulm-gateway --version) | grep -q . || fail "prints no version"
ok "prints its version"
! (start /bin/sh -c true) 2> /dev/null || fail "has a shell"
mkfifo "$work/out"
start /usr/bin/aulm-gateway > "$work/out" 2> "$work/log" &
gateway=$!
declare -A address=()
exec 3< "$work/out"
while ((${#address[@]} < 3)) && read -r _ name where <&3; do address[$name]=$where; done
[[ -n ${address[admin]:-} ]] || { cat "$work/log" >&2 && fail "does not start"; }
ok "starts on a read-only root"
[[ $(stat -c %u "/proc/$gateway") == 65532 ]] || fail "runs as $(stat -c %U "/proc/$gateway")"
ok "runs as 65532"
curl -fsS "http://${address[admin]}/readyz" | grep -qx ready || fail "is not ready"
ok "is ready"
health() { (ADMIN=${address[admin]} start /usr/bin/aulm-gateway --health); }
[[ $(health) == ready ]] || fail "its --health does not find it"
ok "answers its --health"
(start /usr/bin/aulmctl --gateway "${address[grpc]}" events read --from latest) || fail "aulmctl reads no events"
ok "answers its aulmctl"
[[ -s $work/store/gateway.db ]] || fail "stores nothing"
ok "keeps its store on the volume"
kill -TERM "$gateway"
status=0
wait "$gateway" || status=$?
gateway=
((status == 0)) || fail "ends with status $status"
ok "ends with status 0 on SIGTERM"
! health > "$work/health" || fail "its --health finds one that is gone"
ok "its --health says when nobody is there"
printf '%d passed, 0 failed\n' "$passed"
