//! Lambda's quotas that the model does not hold (it has the wider ones of managed instances).

/// `MemorySize`, in MB.
pub(crate) const MEMORY_MB_MAX: i32 = 10_240;
/// `MemorySize` where none is given, in MB.
pub(crate) const MEMORY_MB_DEFAULT: i32 = 128;
/// `Timeout`, in seconds.
pub(crate) const TIMEOUT_SECS_MAX: i32 = 900;
/// `Timeout` where none is given, in seconds.
pub(crate) const TIMEOUT_SECS_DEFAULT: i32 = 3;
/// `EphemeralStorage`, in MB.
pub(crate) const TMP_MB_MAX: i32 = 10_240;
/// `EphemeralStorage` where none is given, in MB.
pub(crate) const TMP_MB_DEFAULT: i32 = 512;
/// All code of an account in a region, in bytes.
pub(crate) const CODE_BYTES_TOTAL: i64 = 80_530_636_800;
/// Tags of one function.
pub(crate) const TAGS_MAX: usize = 50;
/// Functions in one answer of `ListFunctions`, however many were asked for.
pub(crate) const PAGE_MAX: usize = 50;
/// An event of a synchronous invocation, in bytes.
pub(crate) const PAYLOAD_BYTES_MAX: usize = 6_291_456;
/// A client context as it is sent, in bytes.
pub(crate) const CLIENT_CONTEXT_BYTES_MAX: usize = 3_583;
/// What `LogResult` shows of the log's end, in bytes before they are encoded.
pub(crate) const LOG_TAIL_BYTES: usize = 4_096;
/// An event of an asynchronous invocation, in bytes.
pub(crate) const EVENT_BYTES_MAX: usize = 1_048_576;
