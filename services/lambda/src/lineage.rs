//! Recursion control: the trace of an invocation, and how often it has led to each function.
//!
//! A trace header says what began it and, in `Lineage`, which functions it went through: each by a hash of its name
//! and how often it was invoked before. SDKs within functions send the header on with every request, queues and topics keep it
//! with messages, and so a function that is led to again and again by its own doing is found out.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html>

use std::fmt::Write as _;

use apus_env::Env;
use apus_time::Timestamp;

use crate::function_name::FunctionId;

/// How often a trace may lead to a function: AWS says about so.
const HOPS_MAX: u32 = 16;
/// The functions that a lineage names, as on AWS.
const FUNCTIONS_MAX: usize = 16;
const LINEAGE: &str = "Lineage";
const ROOT: &str = "Root";

/// A trace header, read. What is not understood of it is passed on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Trace<'a> {
    root: Option<&'a str>,
    others: Vec<&'a str>,
    /// Hashes of functions, each with how often it was invoked before.
    lineage: Vec<(u32, u32)>,
}

impl<'a> Trace<'a> {
    fn parse(header: &'a str) -> Self {
        let mut trace = Self::default();
        for part in header.split(';').map(str::trim) {
            match part.split_once('=') {
                Some((ROOT, root)) if !root.is_empty() => trace.root = Some(root),
                Some((LINEAGE, lineage)) => trace.lineage.extend(lineage.split('|').filter_map(parse_hop)),
                Some(_) => trace.others.push(part),
                None => {}
            }
        }
        trace
    }

    /// How often it has led to that function.
    fn count(&self, hash: u32) -> u32 {
        let own = self.lineage.iter().find(|(function, _)| *function == hash);
        own.map_or(0, |(_, before)| before.saturating_add(1))
    }
}

fn parse_hop(hop: &str) -> Option<(u32, u32)> {
    let (hash, count) = hop.split_once(':')?;
    Some((u32::from_str_radix(hash, 16).ok()?, count.parse().ok()?))
}

/// Whether an invocation with that trace is one too many of its function.
pub(crate) fn is_recursive(trace: Option<&str>, function: &FunctionId) -> bool {
    trace.is_some_and(|trace| Trace::parse(trace).count(hash(function)) >= HOPS_MAX)
}

/// Of several traces the one that has led to that function most often: that of an event that is made of all of them.
pub(crate) fn longest<'a>(traces: impl Iterator<Item = &'a str>, function: &FunctionId) -> Option<&'a str> {
    let hash = hash(function);
    traces.max_by_key(|trace| Trace::parse(trace).count(hash))
}

/// The trace of an invocation that is made of one with that trace: what the function is given, and sends on. A root is made
/// up where there is none.
pub(crate) fn next(env: &Env, trace: Option<&str>, function: &FunctionId) -> String {
    let mut trace = Trace::parse(trace.unwrap_or_default());
    let own = hash(function);
    let count = trace.count(own);
    trace.lineage.retain(|(function, _)| *function != own);
    if trace.lineage.len() >= FUNCTIONS_MAX {
        // The one that was invoked the least, and of these the first: no loop goes through it yet.
        let least = trace.lineage.iter().enumerate().min_by_key(|(_, (_, count))| *count);
        if let Some((at, _)) = least {
            trace.lineage.remove(at);
        }
    }
    trace.lineage.push((own, count));
    let mut header = trace.root.map_or_else(
        || {
            let (root, parent) = (root(env.now(), env.random_u64(), env.random_u64()), env.random_u64());
            // Not sampled: nobody keeps traces. Older tracers ask for all three.
            format!("{ROOT}={root};Parent={parent:016x};Sampled=0")
        },
        |root| format!("{ROOT}={root}"),
    );
    for other in &trace.others {
        header.push(';');
        header.push_str(other);
    }
    let mut separator = format!(";{LINEAGE}=");
    for (function, count) in &trace.lineage {
        // Writing to a string cannot fail.
        let _ = write!(header, "{separator}{function:08x}:{count}");
        "|".clone_into(&mut separator);
    }
    header
}

/// `1-<seconds>-<96 random bits>`, in hexadecimal.
fn root(now: Timestamp, high: u64, low: u64) -> String {
    format!("1-{:08x}-{:08x}{low:016x}", now.as_secs(), high as u32)
}

/// FNV-1a of the function's ARN: a name for it among the few of a lineage, and no proof of anything.
fn hash(function: &FunctionId) -> u32 {
    const BASIS: u32 = 0x811c_9dc5;
    const PRIME: u32 = 0x0100_0193;
    let arn = function.arn().to_string();
    arn.bytes().fold(BASIS, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(PRIME))
}

#[cfg(test)]
mod tests {
    use apus_env::sim::Simulator;
    use apus_kernel::{AccountId, Region};

    use super::*;

    fn function(name: &str) -> FunctionId {
        FunctionId { account: AccountId::DEVELOPMENT, region: Region::default(), name: name.into() }
    }

    #[test]
    fn a_function_that_leads_to_itself_is_found_out_after_sixteen_invocations() {
        let env = Simulator::new(1).env();
        let mut trace: Option<String> = None;
        let mut ran = 0;
        while !is_recursive(trace.as_deref(), &function("one")) {
            trace = Some(next(&env, trace.as_deref(), &function("one")));
            // Another one between, which is as often in it.
            trace = Some(next(&env, trace.as_deref(), &function("two")));
            ran += 1;
        }
        assert_eq!(ran, 16);
        assert!(is_recursive(trace.as_deref(), &function("two")));
        assert!(!is_recursive(trace.as_deref(), &function("three")));
    }

    #[test]
    fn what_began_a_trace_stays_and_its_lineage_grows() {
        let env = Simulator::new(1).env();
        let (one, two) = (hash(&function("one")), hash(&function("two")));
        let check = |given: &str, expected: String| {
            assert_eq!(next(&env, Some(given), &function("one")), expected, "{given}");
        };
        check("Root=1-2-3", format!("Root=1-2-3;Lineage={one:08x}:0"));
        check("Root=1-2-3;Parent=4;Sampled=1", format!("Root=1-2-3;Parent=4;Sampled=1;Lineage={one:08x}:0"));
        let given = format!("Root=1;Lineage={one:08x}:3|{two:08x}:5");
        check(&given, format!("Root=1;Lineage={two:08x}:5|{one:08x}:4"));
        check("Root=1;Lineage=x:y|7|:;junk", format!("Root=1;Lineage={one:08x}:0"));
        let made = next(&env, Some("nonsense"), &function("one"));
        let parts: Vec<_> = made.split(';').collect();
        assert_eq!((parts.len(), parts[2]), (4, "Sampled=0"), "{made}");
        assert_eq!(
            (parts[0].len(), parts[1].len()),
            ("Root=1-".len() + 8 + 1 + 24, "Parent=".len() + 16),
            "{made}"
        );
    }

    #[test]
    fn a_lineage_is_bounded_and_forgets_who_was_there_least() {
        let env = Simulator::new(1).env();
        let mut trace = next(&env, Some("Root=1"), &function("busy"));
        for number in 0..100 {
            trace = next(&env, Some(&trace), &function("busy"));
            trace = next(&env, Some(&trace), &function(&format!("f{number}")));
        }
        let read = Trace::parse(&trace);
        assert_eq!(read.lineage.len(), FUNCTIONS_MAX);
        assert_eq!(read.count(hash(&function("busy"))), 101);
        assert!(trace.len() < 300, "{trace}");
    }
}
