//! The system calls that a sandbox may not make, as a filter shaped like a binary search tree: a linear
//! list of the same length costs more than twice as much at each start. Knows numbers and flags only.
#![allow(unsafe_code)]

use std::io;

use libc::{c_long, sock_filter};

/// Why a call ends as it does.
#[derive(Clone, Copy)]
enum Rule {
    /// Not permitted.
    Deny,
    /// Not there: the caller falls back to an older call that can be judged by its flags.
    Absent,
    /// Not permitted with any of these bits in its first argument.
    DenyBits(u32),
    /// Only these values of its first argument; others are an unsupported address family.
    Families(&'static [u32]),
}

const NAMESPACE_FLAGS: u32 = (libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET) as u32;

/// What programs need: others, such as `AF_VSOCK`, would lead around the network namespace.
const FAMILIES: &[u32] =
    &[libc::AF_UNIX as u32, libc::AF_INET as u32, libc::AF_INET6 as u32, libc::AF_NETLINK as u32];

/// Newer than the bindings.
const SYS_OPEN_TREE_ATTR: c_long = 467;

const RULES: &[(c_long, Rule)] = &[
    // mounts and roots
    (libc::SYS_mount, Rule::Deny),
    (libc::SYS_umount2, Rule::Deny),
    (libc::SYS_pivot_root, Rule::Deny),
    (libc::SYS_chroot, Rule::Deny),
    (libc::SYS_open_tree, Rule::Deny),
    (SYS_OPEN_TREE_ATTR, Rule::Deny),
    (libc::SYS_move_mount, Rule::Deny),
    (libc::SYS_fsopen, Rule::Deny),
    (libc::SYS_fsconfig, Rule::Deny),
    (libc::SYS_fsmount, Rule::Deny),
    (libc::SYS_fspick, Rule::Deny),
    (libc::SYS_mount_setattr, Rule::Deny),
    (libc::SYS_swapon, Rule::Deny),
    (libc::SYS_swapoff, Rule::Deny),
    (libc::SYS_quotactl, Rule::Deny),
    (libc::SYS_quotactl_fd, Rule::Deny),
    (libc::SYS_name_to_handle_at, Rule::Deny),
    (libc::SYS_open_by_handle_at, Rule::Deny),
    (libc::SYS_fanotify_init, Rule::Deny),
    // namespaces
    (libc::SYS_unshare, Rule::Deny),
    (libc::SYS_setns, Rule::Deny),
    (libc::SYS_clone, Rule::DenyBits(NAMESPACE_FLAGS)),
    (libc::SYS_clone3, Rule::Absent),
    // other processes
    (libc::SYS_ptrace, Rule::Deny),
    (libc::SYS_process_vm_readv, Rule::Deny),
    (libc::SYS_process_vm_writev, Rule::Deny),
    (libc::SYS_kcmp, Rule::Deny),
    (libc::SYS_pidfd_getfd, Rule::Deny),
    (libc::SYS_migrate_pages, Rule::Deny),
    (libc::SYS_move_pages, Rule::Deny),
    // the kernel itself
    (libc::SYS_init_module, Rule::Deny),
    (libc::SYS_finit_module, Rule::Deny),
    (libc::SYS_delete_module, Rule::Deny),
    (libc::SYS_kexec_load, Rule::Deny),
    (libc::SYS_reboot, Rule::Deny),
    (libc::SYS_bpf, Rule::Deny),
    (libc::SYS_perf_event_open, Rule::Deny),
    (libc::SYS_userfaultfd, Rule::Deny),
    (libc::SYS_io_uring_setup, Rule::Deny),
    (libc::SYS_io_uring_enter, Rule::Deny),
    (libc::SYS_io_uring_register, Rule::Deny),
    (libc::SYS_keyctl, Rule::Deny),
    (libc::SYS_add_key, Rule::Deny),
    (libc::SYS_request_key, Rule::Deny),
    (libc::SYS_syslog, Rule::Deny),
    (libc::SYS_acct, Rule::Deny),
    (libc::SYS_vhangup, Rule::Deny),
    (libc::SYS_settimeofday, Rule::Deny),
    (libc::SYS_clock_settime, Rule::Deny),
    (libc::SYS_clock_adjtime, Rule::Deny),
    (libc::SYS_adjtimex, Rule::Deny),
    (libc::SYS_sethostname, Rule::Deny),
    (libc::SYS_setdomainname, Rule::Deny),
    (libc::SYS_nfsservctl, Rule::Deny),
    (libc::SYS_lookup_dcookie, Rule::Deny),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_kexec_file_load, Rule::Deny),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_iopl, Rule::Deny),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_ioperm, Rule::Deny),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_uselib, Rule::Deny),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS__sysctl, Rule::Deny),
    // the network
    (libc::SYS_socket, Rule::Families(FAMILIES)),
    (libc::SYS_socketpair, Rule::Families(FAMILIES)),
];

#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: u32 = 0xC000_003E;
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: u32 = 0xC000_00B7;

const ALLOW: sock_filter = statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW);

/// Where `struct seccomp_data` keeps things.
const OFFSET_NUMBER: u32 = 0;
const OFFSET_ARCHITECTURE: u32 = 4;
const OFFSET_FIRST_ARGUMENT_LOW: u32 = 16;

const fn statement(code: u32, k: u32) -> sock_filter {
    sock_filter { code: code as u16, jt: 0, jf: 0, k }
}

const fn jump(condition: u32, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter { code: (libc::BPF_JMP | condition | libc::BPF_K) as u16, jt, jf, k }
}

const fn load(offset: u32) -> sock_filter {
    statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset)
}

const fn refuse(errno: i32) -> sock_filter {
    statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ERRNO | errno as u32)
}

/// The filter, assembled once per spawner.
pub(crate) fn filter() -> Vec<sock_filter> {
    let mut rules: Vec<(u32, Rule)> = RULES.iter().map(|(number, rule)| (*number as u32, *rule)).collect();
    rules.sort_by_key(|(number, _)| *number);
    let mut program = vec![
        load(OFFSET_ARCHITECTURE),
        jump(libc::BPF_JEQ, ARCHITECTURE, 1, 0),
        statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_KILL_PROCESS),
        load(OFFSET_NUMBER),
    ];
    if cfg!(target_arch = "x86_64") {
        // The x32 variants of calls have this bit, and would pass a filter that knows the others only.
        program.extend([jump(libc::BPF_JSET, 0x4000_0000, 0, 1), refuse(libc::ENOSYS)]);
    }
    tree(&rules, &mut program);
    program
}

fn tree(rules: &[(u32, Rule)], program: &mut Vec<sock_filter>) {
    if let [(number, rule)] = rules {
        let body = leaf(*rule);
        program.push(jump(libc::BPF_JEQ, *number, 0, body.len() as u8));
        program.extend(body);
        program.push(ALLOW);
        return;
    }
    let (low, high) = rules.split_at(rules.len() / 2);
    let mut left = Vec::new();
    tree(low, &mut left);
    let distance =
        u8::try_from(left.len()).expect("half of the rules fit one jump; the test of this file sees to it");
    program.push(jump(libc::BPF_JGE, high[0].0, distance, 0));
    program.extend(left);
    tree(high, program);
}

fn leaf(rule: Rule) -> Vec<sock_filter> {
    match rule {
        Rule::Deny => vec![refuse(libc::EPERM)],
        Rule::Absent => vec![refuse(libc::ENOSYS)],
        Rule::DenyBits(bits) => {
            vec![
                load(OFFSET_FIRST_ARGUMENT_LOW),
                jump(libc::BPF_JSET, bits, 0, 1),
                refuse(libc::EPERM),
                ALLOW,
            ]
        }
        Rule::Families(families) => {
            let mut body = vec![load(OFFSET_FIRST_ARGUMENT_LOW)];
            for family in families {
                body.extend([jump(libc::BPF_JEQ, *family, 0, 1), ALLOW]);
            }
            body.push(refuse(libc::EAFNOSUPPORT));
            body
        }
    }
}

/// Binds the filter to this process for good; `no_new_privs` must be set.
pub(crate) fn install(filter: &[sock_filter]) -> io::Result<()> {
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_ptr().cast_mut() };
    // SAFETY: `program` and the instructions that it points to outlive the call, which copies them.
    let result = unsafe {
        libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, std::ptr::from_ref(&program))
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs the filter as the kernel would, on one call.
    fn verdict(filter: &[sock_filter], number: c_long, argument: u32) -> u32 {
        let mut at = 0;
        let mut accumulator = 0;
        loop {
            let instruction = filter[at];
            at += 1;
            let code = u32::from(instruction.code);
            match code & 0x07 {
                libc::BPF_LD => {
                    accumulator = match instruction.k {
                        OFFSET_NUMBER => number as u32,
                        OFFSET_ARCHITECTURE => ARCHITECTURE,
                        OFFSET_FIRST_ARGUMENT_LOW => argument,
                        other => panic!("reads at {other}"),
                    }
                }
                libc::BPF_JMP => {
                    let holds = match code & 0xf0 {
                        libc::BPF_JEQ => accumulator == instruction.k,
                        libc::BPF_JGE => accumulator >= instruction.k,
                        libc::BPF_JSET => accumulator & instruction.k != 0,
                        other => panic!("jumps by {other:x}"),
                    };
                    at += usize::from(if holds { instruction.jt } else { instruction.jf });
                }
                libc::BPF_RET => return instruction.k,
                other => panic!("class {other:x}"),
            }
        }
    }

    #[test]
    fn every_call_gets_the_verdict_of_its_rule_and_no_other() {
        let filter = filter();
        for number in 0..600 {
            let rule = RULES.iter().find(|(ruled, _)| *ruled == number).map(|(_, rule)| *rule);
            let expected = |argument: u32| match rule {
                None => libc::SECCOMP_RET_ALLOW,
                Some(Rule::Deny) => libc::SECCOMP_RET_ERRNO | libc::EPERM as u32,
                Some(Rule::Absent) => libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32,
                Some(Rule::DenyBits(bits)) if argument & bits != 0 => {
                    libc::SECCOMP_RET_ERRNO | libc::EPERM as u32
                }
                Some(Rule::Families(families)) if !families.contains(&argument) => {
                    libc::SECCOMP_RET_ERRNO | libc::EAFNOSUPPORT as u32
                }
                Some(_) => libc::SECCOMP_RET_ALLOW,
            };
            for argument in [0, 1, 2, 10, 16, 40, libc::CLONE_NEWUSER as u32, libc::CLONE_VM as u32] {
                assert_eq!(
                    verdict(&filter, number, argument),
                    expected(argument),
                    "call {number} with {argument:#x}"
                );
            }
        }
        assert_ne!(verdict(&filter, 0x4000_0000 | libc::SYS_ptrace, 0), libc::SECCOMP_RET_ALLOW);
    }
}
