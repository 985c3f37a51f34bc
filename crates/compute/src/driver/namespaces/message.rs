//! What the platform, the spawner and a sandbox's first process say to each other: one CBOR value per
//! packet of a Unix socket, with descriptors beside it.

use minicbor::{Decode, Encode};

use super::network::NetworkPlan;
use crate::driver::{Level, SandboxSpec};

/// The longest packet: a specification is a few kilobytes, its variables at most four.
pub(super) const PACKET_BYTES_MAX: usize = 128 * 1024;
/// The most descriptors beside a packet.
pub(super) const DESCRIPTORS_MAX: usize = 8;

/// The first packet from the platform: how this spawner works.
#[derive(Clone, Debug, Encode, Decode)]
pub(super) struct Hello {
    /// An empty directory on which roots are assembled, each in a mount namespace of its own.
    #[n(0)]
    pub root_mount_point: String,
    /// The control groups' common part, such as `apus/1f2e3d`.
    #[n(1)]
    pub cgroup_name: String,
    /// The user and group of slot 0.
    #[n(2)]
    pub uid_base: u32,
    /// What network namespaces are furnished with.
    #[n(3)]
    pub network: NetworkPlan,
    /// How many network namespaces and control groups are kept ready.
    #[n(4)]
    pub spares: u32,
    /// How many sandboxes there may be at once.
    #[n(5)]
    pub sandboxes_max: u32,
    /// How sandboxes are isolated.
    #[n(6)]
    pub level: Level,
    /// Whether processors are bounded even when they are idle.
    #[n(7)]
    pub hard_cpu_limits: bool,
    /// Whether every sandbox has a user of its own on the host.
    #[n(8)]
    pub own_users: bool,
}

/// From the platform to the spawner.
#[derive(Encode, Decode)]
pub(super) enum Request {
    /// Start a sandbox. Beside it: the control socket, the output pipe and, if it has companions, theirs, for the
    /// sandbox's side.
    #[n(0)]
    Start {
        /// The name that later packets use; never used twice.
        #[n(0)]
        id: u64,
        /// Which user and control group it gets; free again once reaped.
        #[n(1)]
        slot: u32,
        /// What to start.
        #[n(2)]
        spec: Box<SandboxSpec>,
    },
    /// End a sandbox.
    #[n(1)]
    Kill {
        /// Which.
        #[n(0)]
        id: u64,
    },
}

/// From the spawner to the platform.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) enum Report {
    /// Nothing was started.
    #[n(0)]
    Refused {
        /// Which.
        #[n(0)]
        id: u64,
        /// Why.
        #[n(1)]
        why: String,
    },
    /// No process and no control group of the sandbox is left.
    #[n(1)]
    Reaped {
        /// Which.
        #[n(0)]
        id: u64,
        /// Whether the kernel killed for want of memory.
        #[n(1)]
        out_of_memory: bool,
        /// The most memory that it used, where measured.
        #[n(2)]
        memory_peak_bytes: Option<u64>,
    },
}

/// From a sandbox's first process to the platform.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) enum Signal {
    /// The sandbox stands. Beside it: the outlets of its network.
    #[n(0)]
    Ready,
    /// The sandbox could not be built.
    #[n(1)]
    Failed {
        /// At what, and the kernel's reason.
        #[n(0)]
        why: String,
        /// Whose fault it is.
        #[n(1)]
        fault: Fault,
    },
    /// A program ended, with this wait status.
    #[n(2)]
    Exited {
        /// As `waitpid` gives it.
        #[n(0)]
        wait_status: i32,
        /// Which of the companions it is, unless it is the program itself.
        #[n(1)]
        companion: Option<u32>,
    },
    /// The program was started, after its companions.
    #[n(3)]
    Begun,
    /// Beside it: a socket of the sandbox's network, if there is one.
    #[n(4)]
    Socket,
}

/// Why a program does not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub(super) enum Fault {
    /// The host refused something.
    #[n(0)]
    Host,
    /// The program cannot be executed.
    #[n(1)]
    Program,
    /// A companion cannot be executed.
    #[n(2)]
    Companion,
}

/// From the platform to a sandbox's first process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub(super) enum Command {
    /// Start the program, whose companions have come far enough. [`Signal::Begun`] follows, or [`Signal::Failed`].
    #[n(0)]
    Begin,
    /// Ask the program to end.
    #[n(1)]
    Terminate,
    /// End the program.
    #[n(2)]
    Kill,
    /// Make a TCP socket. [`Signal::Socket`] follows.
    #[n(3)]
    Socket,
}

/// The longest packet to a first process.
pub(super) const COMMAND_BYTES_MAX: usize = 64;
