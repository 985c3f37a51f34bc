#!/usr/bin/env bash
# boot.sh SHARE SECONDS SCRIPT: runs a shell script as root in a machine of its own, which has Debian's kernel and
# control groups of version 2 only, and ends with its status. The machine sees this host's /usr, and the directory
# SHARE as /share, both read-only; it has no network and no disk, and lives at most SECONDS after its start.
#
# Status 124: time was over. 125: no such machine can be had here, and standard error says why.
#
# Linux boots fast by emulation if nothing is decompressed in it: the kernel's ELF image is cut out of Debian's package
# once, and given to qemu as it is. Packages are unpacked in a cache (APUS_GUEST_CACHE), never installed.
set -euo pipefail

share=$(realpath "$1") seconds=$2 script=$(realpath "$3")
cache=${APUS_GUEST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/apus/guest-2}
memory_mb=${APUS_GUEST_MEMORY_MB:-3072}
boot_seconds=120

without() { echo "guest: $*" >&2; exit 125; }

[ "$(uname -m)" = x86_64 ] || without "this host is no x86_64"
for tool in qemu-system-x86_64 apt-get apt-cache dpkg-deb xz gzip; do
  command -v $tool >/dev/null || without "there is no $tool"
done

work=$(mktemp -d)
machine=
cleanup() { [ -z "$machine" ] || kill "$machine" 2>/dev/null || true; rm -rf "$work"; }
trap cleanup EXIT

# The module files that a module needs, itself last.
declare -A added=()
add_module() {
  local name=${1//-/_} file needed
  [ -z "${added[$name]:-}" ] || return 0
  added[$name]=1
  file=$(find "$work/kernel" -name "${name//_/[-_]}.ko*" -print -quit)
  [ -n "$file" ] || return 0 # built in
  for needed in $(tr '\0' '\n' <"$file" | sed -n 's/^depends=//p' | tr , ' '); do add_module "$needed"; done
  cp "$file" "$building/root/modules/$(printf '%02d' ${#order[@]})-$name.ko"
  order+=("$name")
}

make_cache() {
  local package offset image
  building=$work/cache order=()
  mkdir -p "$building/root/modules" "$building/root/bin" "$building"/root/{proc,sys,dev,new}
  package=$(apt-cache depends linux-image-amd64 | awk '/Depends: linux-image/ { print $2; exit }')
  [ -n "$package" ] || without "apt knows no linux-image-amd64; run apt-get update"
  (cd "$work" && apt-get -q download "$package" busybox-static >&2) || without "the kernel cannot be downloaded"
  for file in "$work"/*.deb; do dpkg-deb -x "$file" "$work/kernel"; done
  image=$(echo "$work"/kernel/boot/vmlinuz-*)
  # The compressed image begins with xz's magic; earlier matches are chance.
  for offset in $(LC_ALL=C grep -aboP '\xfd7zXZ\x00' "$image" | cut -d: -f1); do
    tail -c "+$((offset + 1))" "$image" | xz -dcq >"$building/vmlinux" 2>/dev/null || true
    [ "$(head -c 4 "$building/vmlinux" | tail -c 3)" = ELF ] && break
  done
  [ "$(head -c 4 "$building/vmlinux" | tail -c 3)" = ELF ] || without "no ELF image was found in $image"
  cp "$(find "$work/kernel" -name busybox -type f -perm -100 -print -quit)" "$building/root/bin/busybox"
  for name in virtio_pci 9pnet_virtio 9p overlay tun; do add_module $name; done
  cp "$(dirname "$0")/init.sh" "$building/root/init"
  chmod +x "$building/root/init"
  (cd "$building/root" && find . | bin/busybox cpio -o -H newc 2>/dev/null | gzip -1) >"$building/initrd.gz"
  mv "$building/root/bin/busybox" "$building/"
  rm -rf "$building/root"
  cp "$(dirname "$0")/init.sh" "$building/init.sh"
  mkdir -p "$(dirname "$cache")"
  rm -rf "$cache"
  mv "$building" "$cache"
}
cmp -s "$(dirname "$0")/init.sh" "$cache/init.sh" || make_cache

mkdir "$work/extra"
cp "$script" "$work/extra/script.sh"
(cd "$work/extra" && echo script.sh | "$cache/busybox" cpio -o -H newc 2>/dev/null | gzip -1) | cat "$cache/initrd.gz" - >"$work/initrd.gz"
mkfifo "$work/events"

# run ACCELERATOR PROCESSOR BOOT_SECONDS: sets `status`, or fails if the script was never started.
run() {
  local line
  qemu-system-x86_64 -nodefaults -no-user-config -display none -no-reboot -machine q35 \
    -accel "$1" -cpu "$2" -smp 2 -m "$memory_mb" -kernel "$cache/vmlinux" -initrd "$work/initrd.gz" \
    -append "console=ttyS1 quiet panic=-1 no_timer_check tsc=reliable mitigations=off cgroup_no_v1=all" \
    -chardev stdio,id=output,signal=off -serial chardev:output -serial "file:$work/kernel.log" \
    -serial "file:$work/events" \
    -virtfs "local,path=/usr,mount_tag=usr,security_model=none,readonly=on,multidevs=remap" \
    -virtfs "local,path=$share,mount_tag=share,security_model=none,readonly=on,multidevs=remap" </dev/null &
  machine=$!
  exec 9<>"$work/events"
  read -r -t "$3" -u 9 line && [ "${line%$'\r'}" = started ] || { stop; return 1; }
  status=124
  if read -r -t "$seconds" -u 9 line; then
    line=${line%$'\r'} status=${line#status }
    timeout 20 tail --pid=$machine -f /dev/null || true # the last output
  fi
  stop
}
stop() {
  kill $machine 2>/dev/null || true
  wait $machine 2>/dev/null || true
  machine=
}

# A kernel that is itself para-virtualised offers KVM, but not one that boots such a kernel.
if [ -w /dev/kvm ] && [ ! -e /sys/module/kvm_pvm ] && run kvm host 20; then exit "$status"; fi
if run tcg,thread=multi max $boot_seconds; then exit "$status"; fi
tail -n 5 "$work/kernel.log" >&2 || true
without "the machine did not start within $boot_seconds s"
