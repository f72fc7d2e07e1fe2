#!/bin/sh
# make_root.sh BIN_FOLDER ROOT: lays the image's root out. The two programs without debug information, every library they
# load with the Debian package each is of (what scanners look for), the authorities of TLS, and a user. No shell.
set -eu
bin=$1
root=$2

mkdir -p "$root/usr/bin" "$root/usr/lib" "$root/etc/ssl/certs" "$root/var/lib/dpkg/status.d" "$root/tmp" "$root/run/secrets" \
  "$root/var/lib/aulm-gateway"
ln -s usr/lib "$root/lib"
ln -s usr/lib64 "$root/lib64"
chmod 1777 "$root/tmp"
chown 65532:65532 "$root/var/lib/aulm-gateway"

for program in aulm-gateway aulmctl; do
  strip -o "$root/usr/bin/$program" "$bin/$program"
done

# Name lookups load these two by themselves.
libraries=$(ldd "$bin/aulm-gateway" "$bin/aulmctl" | grep -o '/[^ ]*' | grep -v ':$' | sort -u)
nss=$(ls /lib/x86_64-linux-gnu/libnss_dns.so.2 /lib/aarch64-linux-gnu/libnss_dns.so.2 \
  /lib/x86_64-linux-gnu/libnss_files.so.2 /lib/aarch64-linux-gnu/libnss_files.so.2 2> /dev/null || true)
for library in $libraries $nss; do
  target=$(readlink -f "$library")
  case $library in /lib*) library=/usr$library ;; esac
  mkdir -p "$root$(dirname "$library")"
  cp "$target" "$root$library"
  package=$(dpkg -S "$target" 2> /dev/null || dpkg -S "${target#/usr}" || true)
  package=${package%%: *}
  [ -z "$package" ] || dpkg -s "$package" > "$root/var/lib/dpkg/status.d/${package%%:*}"
done

cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
mkdir -p "$root/usr/lib/ssl"
ln -s /etc/ssl/certs "$root/usr/lib/ssl/certs"
ln -s /etc/ssl/certs/ca-certificates.crt "$root/usr/lib/ssl/cert.pem"
printf 'root:x:0:0:root:/:/nologin\naulm-gateway:x:65532:65532::/var/lib/aulm-gateway:/nologin\n' > "$root/etc/passwd"
printf 'root:x:0:\naulm-gateway:x:65532:\n' > "$root/etc/group"
printf 'hosts: files dns\n' > "$root/etc/nsswitch.conf"
