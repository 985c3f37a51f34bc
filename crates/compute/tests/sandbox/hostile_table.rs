//! The attempts of a hostile function. Sources are expressions of `hostile.py`; words that begin with `$` are
//! replaced by what the test has prepared.

/// One attempt.
pub(crate) struct Attempt {
    pub(crate) name: &'static str,
    pub(crate) source: &'static str,
    pub(crate) must: Must,
    pub(crate) control: Control,
}

/// What must come of it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Must {
    /// It fails with one of these.
    Fail(&'static [&'static str]),
    /// It may be done and gives this JSON: harmless.
    Be(&'static str),
    /// It may be done so far: a limit ends it.
    Within(u64, u64),
    /// It fails with these words.
    Say(&'static str),
    /// The process dies of this signal.
    Die(i32),
    /// The environment ends, and the error says this.
    End(&'static str),
}

/// What shows that the row can fail.
#[derive(Clone, Copy)]
pub(crate) enum Control {
    /// The same succeeds there.
    Same(World),
    /// This succeeds there.
    Other(World, &'static str),
    /// The same gets further there: to another error.
    Reaches(World, &'static [&'static str]),
    /// There is none, because.
    Impossible(#[expect(dead_code, reason = "it is for who reads the table")] &'static str),
}

#[derive(Clone, Copy)]
pub(crate) enum World {
    /// The host, as the user of the tests.
    Host,
    /// Namespaces apart from the host's, with every privilege in them.
    Apart,
    /// The same, but only where the tests run as root of the host.
    Root,
}

use Control::{Impossible, Other, Reaches, Same};
use Must::{Be, Die, End, Fail, Say, Within};
use World::{Apart, Host, Root};

const EPERM: Must = Fail(&["EPERM"]);
const ENOENT: Must = Fail(&["ENOENT"]);
const READ_ONLY: Must = Fail(&["EROFS", "EACCES"]);
/// How a network may say that there is no way.
const NO_WAY: Must = Fail(&["ENETUNREACH", "ECONNREFUSED", "EHOSTUNREACH", "EACCES", "EPERM"]);
const KILLED: Must = End("Runtime exited with error: signal: killed");

const fn attempt(name: &'static str, source: &'static str, must: Must, control: Control) -> Attempt {
    Attempt { name, source, must, control }
}

#[rustfmt::skip]
pub(crate) const ATTEMPTS: &[Attempt] = &[
    // Files of the host.
    attempt("read a file of the host", "read('$SECRET')", ENOENT, Same(Host)),
    attempt("read a file of the host through the root of a process", "read('/proc/self/root$SECRET')", ENOENT, Same(Host)),
    attempt("read a file of the host through the root of the first process", "read('/proc/1/root$SECRET')", ENOENT, Other(Host, "read(f'/proc/{os.getppid()}/root$SECRET')")),
    attempt("read a file of the host by steps upwards", "read('/proc/self/cwd/../../../../../../..$SECRET')", ENOENT, Same(Host)),
    attempt("read a file of the host by a link", "[os.symlink('$SECRET', f'/tmp/link-{os.getpid()}'), read(f'/tmp/link-{os.getpid()}')][1]", ENOENT, Same(Host)),
    attempt("read passwords", "read('/etc/shadow')", ENOENT, Other(Root, "read('/etc/shadow') if os.path.exists('/etc/shadow') else 'not on every host'")),
    attempt("list a home directory", "os.listdir('/root')", ENOENT, Same(Root)),
    attempt("find a file of the host by its handle", "by_handle()", EPERM, Other(Root, "by_handle_of('/tmp')")),
    attempt("name a file's handle", "handle()", EPERM, Other(Host, "os.stat('/').st_ino > 0")),
    attempt("change its code", "create('/var/task/app.py')", READ_ONLY, Other(Host, "create('$SECRET', 'nest')")),
    attempt("add to its code", "create('/var/task/more.py')", READ_ONLY, Other(Apart, "create('/tmp/more.py')")),
    attempt("change a layer", "create('/opt/more')", READ_ONLY, Other(Apart, "create('/tmp/more')")),
    attempt("change a library", "os.unlink('/usr/lib/x86_64-linux-gnu/libc.so.6')", READ_ONLY, Impossible("it would harm the host")),
    attempt("change the interpreter", "create('/var/lang/lib/more')", READ_ONLY, Other(Apart, "create('/tmp/more2')")),
    attempt("change the bootstrap", "create('/var/runtime/bootstrap.py')", READ_ONLY, Impossible("it would harm the host")),
    attempt("change the table of users", "create('/etc/passwd')", READ_ONLY, Impossible("it would harm the host")),
    attempt("replace a device", "os.unlink('/dev/null')", READ_ONLY, Impossible("it would harm the host")),
    attempt("write to the root", "create('/more')", READ_ONLY, Other(Apart, "create('/tmp/more3')")),
    attempt("give a file away", "[create('/tmp/gift'), os.chown('/tmp/gift', 0, 0)]", Fail(&["EPERM", "EINVAL"]), Same(Root)),
    attempt("watch the whole file system", "sys_('fanotify_init', 0, 0)", EPERM, Same(Root)),
    attempt("find descriptors that were left open",
        "[p for p in (os.readlink(f'/proc/self/fd/{fd}') for fd in os.listdir('/proc/self/fd') if os.path.exists(f'/proc/self/fd/{fd}')) if p.split(':')[0] not in ('pipe', 'socket', '/dev/null')]",
        Be("[]"), Other(Apart, "[os.open('/tmp', os.O_RDONLY), [p for p in (os.readlink(f'/proc/self/fd/{fd}') for fd in os.listdir('/proc/self/fd') if os.path.exists(f'/proc/self/fd/{fd}')) if p == '/tmp']][1]")),

    // Other processes.
    attempt("see other processes", "[p for p in os.listdir('/proc') if p.isdigit() and int(p) == 1]", Be("[]"), Other(Host, "[p for p in os.listdir('/proc') if p.isdigit() and int(p) == 1]")),
    attempt("see a process of the host", "os.stat('/proc/$HOST_PID')", ENOENT, Other(Host, "os.stat('/proc/$HOST_PID').st_ino > 0")),
    attempt("signal a process of the host", "os.kill($HOST_PID, 0)", Fail(&["ESRCH"]), Other(Host, "os.kill($HOST_PID, 0) is None")),
    attempt("kill a process of a neighbour", "os.kill($NEIGHBOUR_PID, 9)", Fail(&["ESRCH"]), Other(Host, "os.kill($NEIGHBOUR_PID, 0) is None")),
    attempt("kill the first process", "os.kill(1, 9)", Be("null"), Impossible("it would end the host; that it has no effect is seen by the environment's life")),
    attempt("have the kernel signal a process of the host", "fcntl.fcntl(0, fcntl.F_SETOWN, $HOST_PID)", Fail(&["ESRCH"]), Same(Host)),
    attempt("hold a process of the host", "sys_('pidfd_open', $HOST_PID, 0)", Fail(&["ESRCH"]), Same(Host)),
    attempt("take a descriptor of another process", "sys_('pidfd_getfd', sys_('pidfd_open', victim(), 0), 0, 0)", EPERM, Same(Apart)),
    attempt("trace a process", "ptrace()", EPERM, Same(Apart)),
    attempt("attach to the first process", "sys_('ptrace', 16, 1, 0, 0)", EPERM, Impossible("it would stop the host")),
    attempt("be traced", "sys_('ptrace', 0, 0, 0, 0)", EPERM, Same(Apart)),
    attempt("read another process's memory", "vm('process_vm_readv')", EPERM, Same(Apart)),
    attempt("write another process's memory", "vm('process_vm_writev')", EPERM, Same(Apart)),
    attempt("read the first process's memory", "read('/proc/1/mem')", ENOENT, Other(Host, "os.close(os.open(f'/proc/{victim()}/mem', os.O_RDONLY)) is None")),
    attempt("read the first process's variables", "read('/proc/1/environ')", ENOENT, Other(Host, "len(read(f'/proc/{os.getppid()}/environ')) > 0")),
    attempt("compare processes", "sys_('kcmp', os.getpid(), os.getpid(), 3, 0, 0) >= 0", EPERM, Same(Apart)),
    attempt("move another process's pages", "sys_('move_pages', 1, 0, 0, 0, 0, 0)", EPERM, Other(Host, "sys_('move_pages', 0, 0, 0, 0, 0, 0) >= 0")),
    attempt("run before all others", "scheduler()", EPERM, Same(Root)),
    attempt("outlive others when memory is short", "set_memory_score(-1000)", Fail(&["EACCES"]), Other(Root, "set_memory_score(-1000) if capable(24) else 'not where root is bounded'")),
    attempt("raise its limits", "limit_raised()", Say("not allowed"), Other(Root, "limit_raised() if capable(24) else 'not where root is bounded'")),

    // Other sandboxes, and what earlier ones left.
    attempt("reach a neighbour's server", "connect('127.0.0.1', 7777)", Fail(&["ECONNREFUSED"]), Impossible("the neighbour's own connection is tested")),
    attempt("reach a neighbour's abstract socket", "abstract('neighbour')", Fail(&["ECONNREFUSED", "EPERM"]), Impossible("the neighbour's own connection is tested")),
    attempt("reach an abstract socket of an earlier tenant", "abstract('earlier')", Fail(&["ECONNREFUSED", "EPERM"]), Impossible("the tenant's own connection is tested")),
    attempt("find a neighbour's message queue", "sys_('msgget', 0x4150, 0)", ENOENT, Impossible("the neighbour's own look is tested")),
    attempt("read a neighbour's scratch space", "read('/tmp/secret')", ENOENT, Impossible("the neighbour's own look is tested, in the end")),
    attempt("reach a neighbour's Runtime API by address", "connect('10.0.0.2', 9001)", NO_WAY, Impossible("no address leads there")),
    attempt("reach a neighbour's Runtime API by another loopback address", "connect('127.0.0.2', 9001)", NO_WAY, Other(Host, "connect('127.0.0.2', $HOST_PORT)")),
    attempt("answer for a neighbour at the Runtime API", "post('127.0.0.1', 9001, '/2018-06-01/runtime/invocation/00000000-0000-0000-0000-000000000000/response')", Within(400, 404), Impossible("the answers of its own invocations are this test's results")),

    // The host's network.
    attempt("reach the host's loopback", "connect('127.0.0.1', $HOST_PORT)", Fail(&["ECONNREFUSED"]), Same(Host)),
    attempt("reach the host's newer loopback", "connect('::1', $HOST_PORT, family=socket.AF_INET6)", Fail(&["ECONNREFUSED", "EADDRNOTAVAIL", "ENETUNREACH"]), Impossible("the listener is of the older kind")),
    attempt("reach the host's address", "connect('$HOST_ADDRESS', $HOST_PORT)", NO_WAY, Same(Host)),
    attempt("reach an abstract socket of the host", "abstract('$HOST_SOCKET')", Fail(&["ECONNREFUSED", "EPERM"]), Same(Host)),
    attempt("reach the metadata service", "connect('169.254.169.254', 80)", NO_WAY, Impossible("no test may reach it")),
    attempt("reach the container metadata service", "connect('169.254.170.2', 80)", NO_WAY, Impossible("no test may reach it")),
    attempt("open families that lead elsewhere", "families()", Be("[]"), Other(Root, "families()")),
    attempt("make packets by hand", "socket.socket(socket.AF_INET, socket.SOCK_RAW, 1).fileno()", EPERM, Same(Apart)),
    attempt("change an interface", "interface_address()", EPERM, Same(Apart)),

    // Namespaces and mounts.
    attempt("make a user namespace", "unshare('user')", EPERM, Same(Apart)),
    attempt("make a mount namespace", "unshare('mnt')", EPERM, Same(Apart)),
    attempt("make a process namespace", "unshare('pid')", EPERM, Same(Apart)),
    attempt("make a network namespace", "unshare('net')", EPERM, Same(Apart)),
    attempt("make an IPC namespace", "unshare('ipc')", EPERM, Same(Apart)),
    attempt("make a host name namespace", "unshare('uts')", EPERM, Same(Apart)),
    attempt("make a control group namespace", "unshare('cgroup')", EPERM, Same(Apart)),
    attempt("be born into a user namespace", "clone(0x10000000)", EPERM, Same(Apart)),
    attempt("be born into a mount namespace", "clone(0x20000)", EPERM, Same(Apart)),
    attempt("be born into a user namespace by the newer call", "clone3(0x10000000)", Fail(&["ENOSYS"]), Same(Apart)),
    attempt("enter a namespace", "setns('mnt')", EPERM, Same(Apart)),
    attempt("map users", "write('/proc/self/uid_map', '0 0 1')", EPERM, Impossible("a map is written once")),
    attempt("mount", "mount('tmpfs', '/tmp')", EPERM, Same(Apart)),
    attempt("mount processes without the mask", "mount('proc', '/tmp')", EPERM, Other(Apart, "mount('tmpfs', '/tmp')")),
    attempt("make a mount writable", "mount(None, '/var/task', 0x1020)", EPERM, Other(Apart, "mount(None, '/tmp', 0x1020)")),
    attempt("bind a directory elsewhere", "mount(None, '/tmp', 0x1000, source='/')", EPERM, Other(Apart, "mount(None, '/tmp', 0x1000, source='/tmp')")),
    attempt("take a mask away", "sys_('umount2', '/proc/kcore', 2)", EPERM, Other(Apart, "sys_('umount2', '/tmp', 2)")),
    attempt("exchange the root", "pivot()", EPERM, Other(Apart, "[mount('tmpfs', '/tmp'), pivot()]")),
    attempt("change the root", "sys_('chroot', '/tmp')", EPERM, Same(Apart)),
    attempt("open a file system", "sys_('fsopen', 'tmpfs', 0)", EPERM, Same(Apart)),
    attempt("configure a file system", "sys_('fsconfig', -1, 0, 0, 0, 0)", EPERM, Reaches(Apart, &["EINVAL"])),
    attempt("mount what was opened", "sys_('fsmount', -1, 0, 0)", EPERM, Reaches(Apart, &["EBADF"])),
    attempt("copy a mount", "sys_('open_tree', -100, '/tmp', 1)", EPERM, Same(Apart)),
    attempt("move a mount", "sys_('move_mount', -100, '/tmp', -100, '/', 0)", EPERM, Same(Apart)),
    attempt("change a mount's attributes", "sys_('mount_setattr', -100, '/tmp', 0, bytes(32), 32)", EPERM, Same(Apart)),
    attempt("pick a mounted file system", "sys_('fspick', -100, '/tmp', 0)", EPERM, Same(Apart)),

    // The kernel.
    attempt("load a program into the kernel", "bpf_map()", EPERM, Same(Root)),
    attempt("count the kernel's events", "perf()", EPERM, Same(Root)),
    attempt("set up an io_uring", "uring()", EPERM, Same(Host)),
    attempt("enter an io_uring", "sys_('io_uring_enter', -1, 0, 0, 0, 0, 0)", EPERM, Reaches(Host, &["EBADF"])),
    attempt("register with an io_uring", "sys_('io_uring_register', -1, 0, 0, 0)", EPERM, Reaches(Host, &["EINVAL", "EBADF"])),
    attempt("use the keyring", "sys_('keyctl', 0, -3, 1)", EPERM, Same(Apart)),
    attempt("add a key", "sys_('add_key', 'user', 'apus', b'x', 1, -2)", EPERM, Same(Apart)),
    attempt("ask for a key", "sys_('request_key', 'user', 'apus-none', 0, 0)", EPERM, Reaches(Apart, &["ENOKEY"])),
    attempt("handle its own page faults", "sys_('userfaultfd', 1)", EPERM, Same(Apart)),
    attempt("load a module", "sys_('init_module', 0, 0, '')", EPERM, Reaches(Root, &["ENOEXEC"])),
    attempt("load a module from a file", "sys_('finit_module', -1, '', 0)", EPERM, Reaches(Root, &["EBADF"])),
    attempt("remove a module", "sys_('delete_module', 'apus_none', 0)", EPERM, Reaches(Root, &["ENOENT"])),
    attempt("replace the kernel", "kexec()", EPERM, Reaches(Root, &["EINVAL"])),
    attempt("replace the kernel by a file", "sys_('kexec_file_load', -1, -1, 0, 0, 0xffff)", EPERM, Reaches(Root, &["EINVAL"])),
    attempt("restart the host", "sys_('reboot', 1, 2, 3, 0)", EPERM, Reaches(Root, &["EINVAL"])),
    attempt("read the kernel's log", "sys_('syslog', 10, 0, 0)", EPERM, Same(Root)),
    attempt("swap", "sys_('swapon', '/none', 0)", EPERM, Reaches(Root, &["ENOENT"])),
    attempt("account processes", "sys_('acct', '/none')", EPERM, Reaches(Root, &["ENOENT"])),
    attempt("set quotas", "sys_('quotactl', 0xffff, 0, 0, 0)", EPERM, Reaches(Root, &["EINVAL"])),
    attempt("set the time", "sys_('settimeofday', struct.pack('qq', -1, -1), 0)", EPERM, Reaches(Root, &["EINVAL"])),
    attempt("set a clock", "sys_('clock_settime', 0, struct.pack('qq', -1, -1))", EPERM, Reaches(Root, &["EINVAL"])),
    attempt("adjust the clock", "sys_('adjtimex', bytes(208)) >= 0", EPERM, Same(Host)),
    attempt("name the host", "sys_('sethostname', 'mine', 4)", EPERM, Same(Apart)),
    attempt("reach ports of the hardware", "sys_('ioperm', 0x80, 1, 1)", EPERM, Same(Root)),
    attempt("reach all ports of the hardware", "sys_('iopl', 3)", EPERM, Same(Root)),
    attempt("call by 32-bit numbers", "compat_call()", Die(31), Same(Host)),
    attempt("call by numbers of x32", "sys_(0x40000000 | 39)", Fail(&["ENOSYS"]), Impossible("kernels are seldom built with it")),

    // Privileges by files.
    attempt("become root", "os.setresuid(0, 0, 0)", Fail(&["EPERM", "EINVAL"]), Other(Root, "os.setresuid(0, 0, 0) is None")),
    attempt("join a group", "os.setgroups([0])", EPERM, Other(Root, "os.setgroups([0]) is None")),
    attempt("gain a user by a program's mode", "gain('/var/task/id_setuid', '-u') == str(os.getuid())", Be("true"), Other(Root, "[privileged_copies('/tmp'), as_nobody(gain, '/tmp/id_setuid', '-u') == '0'][1] or None")),
    attempt("gain capabilities by a program's attributes", "gained_capabilities('/var/task/cat_capable')", Be("false"), Other(Root, "[privileged_copies('/tmp'), as_nobody(gained_capabilities, '/tmp/cat_capable')][1]")),
    attempt("have capabilities", "[l.split()[1] for l in open('/proc/self/status') if l[:3] == 'Cap' and int(l.split()[1], 16)]", Be("[]"), Other(Root, "[l for l in open('/proc/self/status') if l[:6] == 'CapEff' and int(l.split()[1], 16)]")),

    // Devices, /proc and /sys.
    attempt("make a block device", "device(0o60000, 254, 0)", EPERM, Same(Root)),
    attempt("make a character device", "device(0o20000, 1, 1)", EPERM, Same(Root)),
    attempt("open a disk", "[d for d in os.listdir('/dev') if d not in ('fd', 'full', 'null', 'random', 'stderr', 'stdin', 'stdout', 'urandom', 'zero')]", Be("[]"), Other(Host, "len(os.listdir('/dev')) > 9")),
    attempt("open memory", "read('/dev/mem', 1)", ENOENT, Impossible("kernels guard it themselves")),
    attempt("read the kernel's memory", "os.path.exists('/proc/kcore') and len(read('/proc/kcore', 4)) or 0", Be("0"), Other(Root, "len(read('/proc/kcore', 4)) if os.path.exists('/proc/kcore') else 'not on every host'")),
    attempt("read the kernel's command line", "len(read('/proc/cmdline'))", Be("0"), Same(Host)),
    attempt("read the kernel's symbols", "len(read('/proc/kallsyms'))", Be("0"), Same(Host)),
    attempt("read the kernel's keys", "len(read('/proc/keys'))", Be("0"), Impossible("there may be none")),
    attempt("pull the emergency lever", "write('/proc/sysrq-trigger', '')", Fail(&["EACCES", "EPERM", "EROFS", "ENOENT"]), Other(Root, "os.access('/proc/sysrq-trigger', os.W_OK) if os.path.exists('/proc/sysrq-trigger') else 'not on every host'")),
    attempt("choose who handles core dumps", "write('/proc/sys/kernel/core_pattern', '|/tmp/x')", READ_ONLY, Other(Root, "os.access('/proc/sys/kernel/core_pattern', os.W_OK)")),
    attempt("choose who loads modules", "write('/proc/sys/kernel/modprobe', '/tmp/x')", Fail(&["EACCES", "EROFS", "ENOENT"]), Other(Root, "os.access('/proc/sys/kernel/modprobe', os.W_OK) if os.path.exists('/proc/sys/kernel/modprobe') else 'not on every host'")),
    attempt("set the kernel's network", "write('/proc/sys/net/ipv4/ip_forward', '1')", READ_ONLY, Same(Root)),
    attempt("set the kernel's host name", "write('/proc/sys/kernel/hostname', 'mine')", READ_ONLY, Same(Root)),
    attempt("set limits of shared memory", "write('/proc/sys/kernel/shmmax', '1')", READ_ONLY, Same(Root)),
    attempt("list the system's devices", "os.listdir('/sys')", ENOENT, Other(Host, "len(os.listdir('/sys')) > 0")),
    attempt("change its control group", "os.listdir('/sys/fs/cgroup')", ENOENT, Other(Host, "len(os.listdir('/sys/fs/cgroup')) > 0")),
    attempt("learn where its control group is", "[l for l in read('/proc/self/cgroup').split() if 'apus' in l]", Be("[]"), Other(Host, "[l for l in read('/proc/$NEIGHBOUR_PID/cgroup').split() if l]")),

    // Limits.
    attempt("fork without end", "fork_until(5000)", Fail(&["EAGAIN"]), Other(Host, "fork_until(1100)")),
    attempt("start threads without end", "threads_until(5000)", Say("can't start new thread"), Other(Host, "threads_until(1100)")),
    attempt("open files without end", "files_open(5000)", Fail(&["EMFILE"]), Other(Host, "[resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]),) * 2), files_open(3000)][1]")),
    attempt("fill the scratch space", "[fill('/tmp/big', 1 << 20, 15), fill('/tmp/more', 1 << 20, 2)]", Fail(&["ENOSPC"]), Other(Apart, "fill('/tmp/big', 1 << 20, 17)")),
    attempt("use the scratch space that there is", "[os.unlink('/tmp/big'), os.unlink('/tmp/more'), fill('/tmp/fits', 1 << 20, 15), os.unlink('/tmp/fits')][2]", Within(15 << 20, 15 << 20), Impossible("it succeeds")),
    attempt("swallow memory", "swallow(512)", KILLED, Other(Host, "swallow(160)")),
    attempt("swallow memory in a child", "swallow_in_child(512)", KILLED, Other(Host, "swallow(160)")),
    attempt("swallow memory as a file without a name", "swallow_memfd(512)", KILLED, Other(Host, "swallow_memfd(160)")),
    attempt("swallow memory as shared memory", "swallow_shm(512)", KILLED, Other(Apart, "swallow_shm(160)")),
];
