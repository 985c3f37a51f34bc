#!/usr/bin/env bash
# What runs in the guest: the tests of sandboxes as root, and as an ordinary user to whom a part of the control groups
# is delegated. /share/sandbox is their program. Emulation is slow, so that it is the hostile table and the tests of a
# function's life and end, not everything.
set -u
failed=0

tests() { # as whom, filters, then the command that starts as that user
  local filter began
  for filter in $2; do
    began=$SECONDS
    "${@:3}" /share/sandbox --color never --test-threads 1 "$filter" 2>&1 || { failed=1; echo "guest: FAILED as $1: $filter"; }
    echo "guest: $filter as $1 took $((SECONDS - began)) s"
  done
}

# As an ordinary user, in a group that is delegated to it and that nothing was in before: directly, so that the platform
# must make room, or where a platform goes, so that several processes of a test can share the group.
as_user() {
  local group
  group=$(mktemp -d /sys/fs/cgroup/user-XXXXXX)
  mkdir "$group/apus-platform"
  chown -R 1000:1000 "$group"
  chmod 755 "$group"
  (echo $BASHPID >"$group/$place/cgroup.procs" && exec setpriv --reuid 1000 --regid 1000 --clear-groups "$@")
}

echo "guest: $(uname -sr), control groups $(cat /sys/fs/cgroup/cgroup.controllers)"
mkdir -p /tmp/root /tmp/user
chown 1000:1000 /tmp/user
echo '+memory +cpu +pids' >/sys/fs/cgroup/cgroup.subtree_control
export APUS_TEST_DIR=/tmp/root
tests root "hostile a_handler_answers exceptions_are memory_is scratch_space_is hard_proc a_timeout leaves processor_weight" env
export APUS_TEST_DIR=/tmp/user HOME=/home/user
place=.
tests "an ordinary user" "hostile a_handler_answers memory_is scratch_space_is" as_user
place=apus-platform
tests "an ordinary user" a_killed as_user
exit $failed
