"""Runs a program as the usual container would: without the privileges to make namespaces or mounts.

What Docker's default profile forbids is forbidden here by a filter of system calls, and the capabilities that it takes
away are taken away. `python container.py PROGRAM ARGUMENTS…`; a first argument `--user NUMBER` makes it an ordinary user.
"""

import ctypes
import os
import platform
import struct
import sys

PR_SET_NO_NEW_PRIVS = 38
PR_SET_SECCOMP = 22
PR_CAPBSET_DROP = 24
MODE_FILTER = 2
ALLOW, EPERM, ENOSYS = 0x7FFF0000, 0x00050001, 0x00050026
# Any of the flags that ask for a namespace.
NEW = 0x7E020000 | 0x00020000
CALLS = {
    # unshare, setns, mount, umount2, pivot_root, open_tree, move_mount, fsopen, fsmount, mount_setattr, bpf, clone3, clone
    "x86_64": ([272, 308, 165, 166, 155, 428, 429, 430, 432, 442, 321], 435, 56),
    "aarch64": ([97, 268, 40, 39, 41, 428, 429, 430, 432, 442, 280], 435, 220),
}
# As Docker gives them: chown, dac_override, fowner, fsetid, kill, setgid, setuid, setpcap, net_bind_service, net_raw,
# sys_chroot, mknod, audit_write, setfcap.
KEPT = {0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 18, 27, 29, 31}
LAST_CAPABILITY = 40


def program():
    """The filter, as the kernel's small machine reads it."""
    refused, clone3, clone = CALLS[platform.machine()]
    load, equal, set_, leave = 0x20, 0x15, 0x45, 0x06
    lines = [(load, 0, 0, 0)]
    for number in refused:
        lines += [(equal, 0, 1, number), (leave, 0, 0, EPERM)]
    lines += [(equal, 0, 1, clone3), (leave, 0, 0, ENOSYS)]
    # The first argument of clone, its lower half.
    lines += [(equal, 0, 3, clone), (load, 0, 0, 16), (set_, 0, 1, NEW), (leave, 0, 0, EPERM), (leave, 0, 0, ALLOW)]
    return b"".join(struct.pack("HBBI", *line) for line in lines), len(lines)


def contain(user):
    libc = ctypes.CDLL(None, use_errno=True)

    def prctl(*arguments):
        if libc.prctl(*map(ctypes.c_ulong, [*arguments, *[0] * (5 - len(arguments))])) != 0:
            raise OSError(ctypes.get_errno(), "prctl")

    code, length = program()
    lines = ctypes.create_string_buffer(code, len(code))

    class Program(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("lines", ctypes.c_void_p)]

    filter_ = Program(length, ctypes.addressof(lines))
    for capability in set(range(LAST_CAPABILITY + 1)) - KEPT:
        prctl(PR_CAPBSET_DROP, capability)
    # While it still may: it is in force for whatever is executed, and executing takes away the capabilities.
    if user is not None:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
        prctl(PR_SET_NO_NEW_PRIVS, 1)
    prctl(PR_SET_SECCOMP, MODE_FILTER, ctypes.addressof(filter_))


def main():
    arguments = sys.argv[1:]
    user = None
    if arguments[0] == "--user":
        user = int(arguments[1])
        arguments = arguments[2:]
    contain(user)
    os.execv(arguments[0], arguments)


if __name__ == "__main__":
    main()
