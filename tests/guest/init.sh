#!/bin/busybox sh
# The first process of the guest: mounts what the script needs, runs it and turns the machine off. Output goes to the
# first serial line, `started` and `status N` to the third.
b=/bin/busybox
$b mount -t proc proc /proc
$b mount -t devtmpfs dev /dev
for module in /modules/*.ko; do $b insmod "$module"; done

root=/new
$b mount -t tmpfs -o mode=755 root $root
cd $root || exit
$b mkdir -p usr share proc sys dev etc tmp run root home/user own
nine() { $b mount -t 9p -o "trans=virtio,version=9p2000.L,ro,msize=512000,cache=$3" "$1" "$root/$2"; }
nine usr usr loose
nine share share loose
for directory in bin sbin lib lib64; do $b ln -s "usr/$directory" $directory; done
$b chmod 1777 tmp
$b chown 1000:1000 home/user
$b cp $b own/
$b cp /script.sh own/
printf 'root:x:0:0::/root:/bin/bash\nuser:x:1000:1000::/home/user:/bin/bash\n' >etc/passwd
printf 'root:x:0:\nuser:x:1000:\n' >etc/group
printf '127.0.0.1 localhost\n' >etc/hosts
$b mount -t sysfs sys sys
$b mount -t cgroup2 cgroup sys/fs/cgroup
$b ip link set lo up
$b mount --move /proc proc
$b mount --move /dev dev
$b mkdir -p dev/pts dev/shm
$b mount -t devpts pts dev/pts
$b mount -t tmpfs shm dev/shm
[ ! -e dev/net/tun ] || $b chmod 666 dev/net/tun

# shellcheck disable=SC2016
exec $b switch_root $root /own/busybox sh -c '
  b=/own/busybox
  $b stty -F /dev/ttyS0 raw
  export PATH=/usr/local/bin:/usr/bin:/usr/sbin HOME=/root LANG=C.UTF-8
  cd /
  echo started >/dev/ttyS2
  bash /own/script.sh </dev/null >/dev/ttyS0 2>&1
  echo "status $?" >/dev/ttyS2
  $b sync
  $b sleep 0.2
  $b poweroff -f'
