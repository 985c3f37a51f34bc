"""What a hostile function tries. As a function: its event is a list of expressions, tried each in a process of its
own. As a program (`hostile.py control`): the same on the host, for the positive controls.

A result is {"value": ...}, {"errno": "EPERM"}, {"error": "..."} or {"signal": 31}.
"""
import ctypes, errno, fcntl, json, mmap, os, resource, shutil, signal, socket, struct, subprocess, sys, threading, time

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
TRY_SECONDS_MAX = 60

# x86_64; only there is this table run.
SYS = dict(
    mprotect=10, ptrace=101, syslog=103, pivot_root=155, chroot=161, acct=163, settimeofday=164, mount=165, umount2=166,
    swapon=167, reboot=169, sethostname=170, iopl=172, ioperm=173, init_module=175, quotactl=179, adjtimex=159,
    clock_settime=227, kexec_load=246, add_key=248, keyctl=250, unshare=272, clone=56, clone3=435, setns=308,
    migrate_pages=256, move_pages=279, perf_event_open=298, fanotify_init=300, name_to_handle_at=303,
    open_by_handle_at=304, process_vm_readv=310, process_vm_writev=311, kcmp=312, finit_module=313, bpf=321,
    userfaultfd=323, shmget=29, shmat=30, msgget=68, io_uring_setup=425, io_uring_enter=426, io_uring_register=427,
    open_tree=428, move_mount=429, fsopen=430, fsconfig=431, fsmount=432, fspick=433, pidfd_open=434, pidfd_getfd=438,
    mount_setattr=442, quotactl_fd=443, open_tree_attr=467, vhangup=153, sysfs=139, memfd_create=319, modify_ldt=154,
    uselib=134, kexec_file_load=320, delete_module=176, sched_setscheduler=144, mknod=133, request_key=249)
NEW = dict(mnt=0x20000, cgroup=0x2000000, uts=0x4000000, ipc=0x8000000, user=0x10000000, pid=0x20000000, net=0x40000000)


def sys_(name, *arguments):
    """A system call by its name, without the library's help."""
    passed = []
    for argument in arguments:
        if isinstance(argument, str):
            argument = argument.encode()
        if isinstance(argument, (bytes, bytearray)):
            argument = ctypes.create_string_buffer(bytes(argument), len(argument) + 1)
        passed.append(ctypes.c_long(argument) if isinstance(argument, int) else argument)
    ctypes.set_errno(0)
    result = libc.syscall(ctypes.c_long(SYS[name] if isinstance(name, str) else name), *passed)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def read(path, size=4096):
    with open(path, "rb") as file:
        return file.read(size).decode(errors="replace")


def write(path, text="1"):
    """Without making or cutting anything."""
    descriptor = os.open(path, os.O_WRONLY)
    try:
        return os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


def create(path, text="x"):
    with open(path, "w") as file:
        return file.write(text)


def connect(*address, family=socket.AF_INET, kind=socket.SOCK_STREAM):
    with socket.socket(family, kind) as connection:
        connection.settimeout(5)
        connection.connect(address[0] if len(address) == 1 else address)
        return "connected"


def udp(address, port):
    """Whether a datagram can leave."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        return out.sendto(b"x", (address, port))


def post(address, port, path):
    """The status of the answer."""
    with socket.create_connection((address, port), 5) as connection:
        head = f"POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{{}}"
        connection.sendall(head.encode())
        return int(connection.recv(12).split()[1])


def families():
    """Which address families can be opened that are not Unix, IPv4, IPv6 or netlink."""
    opened = []
    for family in range(1, 50):
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW, socket.SOCK_SEQPACKET):
            try:
                socket.socket(family, kind).close()
                opened.append(family)
                break
            except OSError:
                pass
    return [family for family in opened if family not in (1, 2, 10, 16)]


def interface_address():
    """Gives the loopback another address."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        request = struct.pack("16sH2s4s8s", b"lo", socket.AF_INET, b"", socket.inet_aton("127.0.0.2"), b"")
        fcntl.ioctl(s, 0x8916, request)
    return "changed"


def victim():
    """A process of one's own to be attacked; it ends by itself."""
    attacker = os.getpid()
    pid = os.fork()
    if pid == 0:
        libc.prctl(1, signal.SIGKILL)
        while os.getppid() == attacker:
            time.sleep(0.05)
        os._exit(0)
    return pid


def ptrace(seize=0x4206):
    return sys_("ptrace", seize, victim(), 0, 0)


def vm(call, pid=None):
    """Reads or writes another process's memory."""
    room = ctypes.create_string_buffer(8)
    local = struct.pack("QQ", ctypes.addressof(room), 8)
    return sys_(call, pid or victim(), local, 1, local, 1, 0)


def handle():
    """The handle of the root directory, by which it could be opened past every mount."""
    room = ctypes.create_string_buffer(struct.pack("Ii", 128, 0) + bytes(128))
    mount = ctypes.c_int()
    return sys_("name_to_handle_at", -100, "/", room, ctypes.byref(mount), 0)


def by_handle():
    root = os.open("/", os.O_RDONLY)
    room = ctypes.create_string_buffer(struct.pack("IiQ", 8, 1, 2))
    return sys_("open_by_handle_at", root, room, 0)


def by_handle_of(path):
    room = ctypes.create_string_buffer(struct.pack("Ii", 128, 0) + bytes(128))
    sys_("name_to_handle_at", -100, path, room, ctypes.byref(ctypes.c_int()), 0)
    return sys_("open_by_handle_at", os.open(path, os.O_RDONLY), room, 0)


def bpf_map():
    return sys_("bpf", 0, struct.pack("IIII", 2, 4, 4, 1) + bytes(112), 128)


def perf():
    attributes = struct.pack("IIQ", 1, 120, 0) + bytes(104)
    return sys_("perf_event_open", attributes, 0, -1, -1, 0)


def uring():
    return sys_("io_uring_setup", 4, bytes(120))


def kexec():
    # Flags that no kernel knows: never loads anything, and tells the privileged by another error.
    return sys_("kexec_load", 0, 0, 0, 0xFFFF)


def unshare(*kinds):
    return sys_("unshare", sum(NEW[kind] for kind in kinds))


def clone(flags):
    """As `fork` with flags; the child leaves at once."""
    pid = sys_("clone", flags | signal.SIGCHLD, 0, 0, 0, 0)
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return "cloned"


def clone3(flags):
    pid = sys_("clone3", struct.pack("QQQQQQQQ", flags, 0, 0, 0, signal.SIGCHLD, 0, 0, 0), 64)
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return "cloned"


def setns(kind, pid="self"):
    return sys_("setns", os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY), 0)


def mount(kind, target, flags=0, source="none", data=0):
    return sys_("mount", source, target, kind or 0, flags, data)


def pivot():
    """Makes another directory the root."""
    os.makedirs("/tmp/pivot", exist_ok=True)
    mount("tmpfs", "/tmp/pivot")
    os.mkdir("/tmp/pivot/old")
    return sys_("pivot_root", "/tmp/pivot", "/tmp/pivot/old")


def compat_call():
    """A call of the 32-bit kind, which has other numbers: getpid."""
    room = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    room.write(b"\x53\xb8\x14\x00\x00\x00\xcd\x80\x5b\xc3")
    address = ctypes.addressof(ctypes.c_char.from_buffer(room))
    return ctypes.CFUNCTYPE(ctypes.c_int)(address)() == os.getpid()


def gain(program, *arguments):
    """What a program that its file's mode makes more privileged prints."""
    return subprocess.run([program, *arguments], capture_output=True, text=True).stdout.strip()


def gained_capabilities(program):
    """Whether a program that its file makes capable is."""
    status = gain(program, "/proc/self/status")
    return int([line for line in status.splitlines() if line.startswith("CapEff")][0].split()[1], 16) > 0


def privileged_copies(directory):
    """Programs that gain a user by their mode, and capabilities by their attributes, where we may make them."""
    shutil.copy("/usr/bin/id", f"{directory}/id_setuid")
    os.chmod(f"{directory}/id_setuid", 0o4755)
    shutil.copy("/usr/bin/cat", f"{directory}/cat_capable")
    os.chmod(f"{directory}/cat_capable", 0o755)
    if os.geteuid() == 0:
        os.setxattr(f"{directory}/cat_capable", "security.capability", struct.pack("<IIIII", 0x02000001, 1 << 13, 0, 0, 0))


def as_nobody(function, *arguments):
    """For controls: what an unprivileged user gains outside."""
    if os.geteuid() == 0:
        os.setresgid(65534, 65534, 65534)
        os.setresuid(65534, 65534, 65534)
    return function(*arguments)


def device(mode, major, minor, directory="/tmp"):
    path = f"{directory}/device-{os.getpid()}"
    os.mknod(path, mode | 0o666, os.makedev(major, minor))
    os.unlink(path)
    return "made"


def set_memory_score(score):
    return write("/proc/self/oom_score_adj", str(score))


def capable(number):
    status = [line for line in read("/proc/self/status").splitlines() if line.startswith("CapEff")]
    return bool(int(status[0].split()[1], 16) >> number & 1)


def scheduler(policy=1):
    return sys_("sched_setscheduler", 0, policy, struct.pack("i", 1))


def limit_raised():
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 1 << 20))
    return "raised"


def files_open(count):
    """How many can be open at once."""
    kept = []
    try:
        for _ in range(count):
            kept.append(os.open("/dev/null", os.O_RDONLY))
    finally:
        opened = len(kept)
        for descriptor in kept:
            os.close(descriptor)
    return opened


def fork_until(count):
    """Children of a shell, which is small and forks fast, until the kernel says no; all are gone in the end."""
    wait, release = os.pipe()
    gone, alive = os.pipe()
    loop = f"i=0; while [ $i -lt {count} ]; do (read x <&{wait}) >/dev/null 2>&1 & i=$((i+1)); done"
    shell = subprocess.run(["/bin/sh", "-c", loop], pass_fds=[wait, alive], stderr=subprocess.PIPE, text=True)
    os.close(release)
    os.close(alive)
    os.read(gone, 1)
    if "fork" in shell.stderr:
        raise OSError(errno.EAGAIN, shell.stderr)
    return count


def threads_until(count):
    over = threading.Event()
    threads = []
    threading.stack_size(65536)
    try:
        while len(threads) < count:
            thread = threading.Thread(target=over.wait)
            thread.start()
            threads.append(thread)
        return len(threads)
    finally:
        over.set()


def fill(path, chunk, count):
    """Writes chunks; the error tells that room ended."""
    with open(path, "wb", buffering=0) as file:
        for _ in range(count):
            left = chunk
            while left:
                left -= file.write(bytes(min(left, 1 << 20)))
    return chunk * count


def fill_files(directory, count):
    """Empty files until the kernel says no."""
    for at in range(count):
        os.close(os.open(f"{directory}/{at}", os.O_CREAT | os.O_WRONLY))
    return count


def swallow(megabytes):
    kept = bytearray(megabytes << 20)
    for at in range(0, len(kept), 4096):
        kept[at] = 1
    return len(kept)


def swallow_memfd(megabytes):
    descriptor = os.memfd_create("big")
    for _ in range(megabytes):
        os.write(descriptor, bytes(1 << 20))
    return megabytes


def swallow_shm(megabytes):
    """System V shared memory, which outlives the process that made it."""
    size = megabytes << 20
    segment = sys_("shmget", 0, size, 0o1600)
    libc.shmat.restype = ctypes.c_void_p
    address = libc.shmat(segment, None, 0)
    ctypes.memset(address, 1, size)
    return megabytes


def swallow_in_child(megabytes):
    """The child must not die alone."""
    pid = os.fork()
    if pid == 0:
        swallow(megabytes)
        os._exit(0)
    os.waitpid(pid, 0)
    time.sleep(20)
    return "the child died alone"


def shout(megabytes):
    line = b"x" * 1023 + b"\n"
    for _ in range(megabytes):
        left = memoryview(line * 1024)
        while left:
            left = left[os.write(1, left):]
    return megabytes


def leave_behind(name):
    """A process that outlives its invocation, with an abstract socket, and a message queue."""
    sys_("msgget", 0x4150, 0o1600)
    ready, told = os.pipe()
    if os.fork() == 0:
        os.setsid()
        listener = socket.socket(socket.AF_UNIX)
        listener.bind("\0" + name)
        listener.listen()
        os.write(told, b"1")
        while True:
            signal.pause()
    return os.read(ready, 1).decode()


def abstract(name):
    return connect("\0" + name, family=socket.AF_UNIX)


def forked():
    """What others of the same user have left counts as theirs until it is gone. The function's timeout bounds the waiting."""
    while True:
        try:
            return os.fork()
        except BlockingIOError:
            os.sched_yield()


def attempt(source, prepare=None):
    """One expression in a process of its own."""
    read_end, write_end = os.pipe()
    pid = forked()
    if pid == 0:
        signal.alarm(TRY_SECONDS_MAX)
        try:
            if prepare:
                prepare(source)
            result = {"value": eval(source)}
            json.dumps(result)
        except OSError as error:
            result = {"errno": errno.errorcode.get(error.errno, str(error))}
        except RuntimeError as error:
            result = {"error": str(error)}
        except BaseException as error:
            result = {"error": f"{type(error).__name__}: {error}"}
        os.write(write_end, json.dumps(result).encode())
        os._exit(0)
    os.close(write_end)
    text = b""
    while chunk := os.read(read_end, 65536):
        text += chunk
    os.close(read_end)
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        return {"signal": os.WTERMSIG(status)}
    return json.loads(text)


def handler(event, context):
    if isinstance(event, dict):
        return eval(event["here"])
    return [attempt(source) for source in event]


def own_namespaces(source):
    """So that no control changes the host: namespaces of its own, with every privilege in them."""
    user, group = os.geteuid(), os.getegid()
    kinds = ["mnt", "ipc", "uts"]
    if any(word in source for word in ("socket", "interface", "sys/net")):
        kinds.append("net")
    if user:
        unshare("user", *kinds)
        write("/proc/self/setgroups", "deny")
        write("/proc/self/uid_map", f"0 {user} 1")
        write("/proc/self/gid_map", f"0 {group} 1")
    else:
        unshare(*kinds)
    mount(None, "/", 0x44000)
    mount("tmpfs", "/tmp")


if __name__ == "__main__" and sys.argv[1:2] == ["prepare"]:
    privileged_copies(sys.argv[2])
if __name__ == "__main__" and sys.argv[1:2] == ["control"]:
    results = {}
    for world, sources in json.load(sys.stdin).items():
        prepare = own_namespaces if world == "apart" else None
        results[world] = [attempt(source, prepare) for source in sources]
    print(json.dumps(results))
