//! A crash at every point: a short story is told again for each change that the disk makes in it, and cut there.
//!
//! By default each point is cut with everything lost that was not synced, and every third in each of the other ways,
//! so that each way visits every kind of change. `APUS_SIM_CUTS=N` cuts every point of the stories of N seeds in every
//! way, and `APUS_SIM_CUT_OPERATIONS` makes the stories longer.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use apus_sim::{Cut, CutEnding, Plot, tell_cut};
use apus_store::disk::{Act, Crash, Loss, Point, SyncPoint};
use common::scratch;

/// The story that is told by default: one in which everything happens that [`KINDS`] names.
const PLOT: Plot = Plot { seed: 1, operations: 40, lost_sync: None };
/// Fewer points than any such story has.
const POINTS_MIN: usize = 120;
/// In ways other than the worst, one of so many points is cut by default.
const STEP: u64 = 3;
/// Of so many points, one has its recovery cut at each of its own.
const RECOVERIES_STEP: usize = 60;
/// The same when everything is asked for.
const RECOVERIES_STEP_ALL: usize = 8;
/// Fewer changes than any recovery makes.
const RECOVERY_MIN: usize = 10;
const WORST: Crash = Crash::Worst(Loss::Everything);
/// The ways that show a lost sync soonest.
const LOSSES: [Crash; 3] = [WORST, Crash::Worst(Loss::Reordered), Crash::Worst(Loss::Content)];

/// What must have been hit by a cut in every way: making the store, commits, the turn of the log, checkpoints into
/// the base, blobs made and deleted, and a recovery.
const KINDS: [(Act, Part); 26] = [
    (Act::Create, Part::Format),
    (Act::Write, Part::Format),
    (Act::Sync(SyncPoint::FormatFile), Part::Format),
    (Act::Rename, Part::Format),
    (Act::SyncDir(SyncPoint::FormatDir), Part::Folder),
    (Act::CreateDir, Part::Blob),
    (Act::Create, Part::NewBase),
    (Act::SetLen, Part::NewBase),
    (Act::Write, Part::NewBase),
    (Act::Sync(SyncPoint::Base), Part::NewBase),
    (Act::Rename, Part::Base),
    (Act::Write, Part::Base),
    (Act::Sync(SyncPoint::Base), Part::Base),
    (Act::Create, Part::Log),
    (Act::SetLen, Part::Log),
    (Act::Write, Part::Log),
    (Act::Sync(SyncPoint::LogCreate), Part::Log),
    (Act::SyncDir(SyncPoint::LogDir), Part::Folder),
    (Act::Sync(SyncPoint::LogAppend), Part::Log),
    (Act::Sync(SyncPoint::LogRecover), Part::Log),
    (Act::Remove, Part::Log),
    (Act::Create, Part::Blob),
    (Act::Write, Part::Blob),
    (Act::Sync(SyncPoint::BlobFile), Part::Blob),
    (Act::Rename, Part::Blob),
    (Act::SyncDir(SyncPoint::BlobDir), Part::Blob),
];

/// A part of the data directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Folder,
    Format,
    NewBase,
    Base,
    Log,
    Blob,
}

fn kind(point: &Point) -> (Act, Part) {
    let part = match point.name.as_str() {
        "" => Part::Folder,
        "format" | "format.tmp" => Part::Format,
        "base.new" => Part::NewBase,
        "base" => Part::Base,
        name if name.starts_with("log-") => Part::Log,
        name if name.starts_with("blobs") => Part::Blob,
        name => panic!("the store has a part that is not known here: {name}"),
    };
    (point.act, part)
}

/// What an enumeration went through.
#[derive(Debug, Default)]
struct Sum {
    cuts: u64,
    crashes: u64,
    calls: u64,
}

impl Sum {
    fn add(&mut self, ending: &CutEnding) {
        self.cuts += 1;
        self.crashes += ending.crashes;
        self.calls += ending.tally.values().flatten().sum::<u64>();
    }
}

fn setting(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

/// The stories to tell, and whether all of each.
fn plots() -> (Vec<Plot>, bool) {
    let operations = setting("APUS_SIM_CUT_OPERATIONS").unwrap_or(PLOT.operations);
    let seeds = setting("APUS_SIM_CUTS");
    let plots = (0..seeds.unwrap_or(1)).map(|more| Plot { seed: PLOT.seed + more, operations, ..PLOT });
    (plots.collect(), seeds.is_some())
}

/// The points of a story that nobody cuts.
fn points(plot: Plot) -> Vec<Point> {
    let whole = tell_cut(plot, None, scratch());
    assert_eq!(whole.violations, Vec::<String>::new(), "{plot:?}");
    assert!(whole.points.len() >= POINTS_MIN, "{plot:?} has {} points", whole.points.len());
    for service in ["iam", "lambda", "s3", "sqs"] {
        let done = |(call, counts): (&String, &[u64; 3])| call.starts_with(service) && counts[0] > 0;
        assert!(whole.tally.iter().any(done), "{plot:?}: nothing is done with {service}: {:?}", whole.tally);
    }
    whole.points
}

/// Tells a story up to a cut; it must be the same story, and nothing may be wrong with what is left.
fn assert_sound(plot: Plot, cut: Cut, points: &[Point]) -> CutEnding {
    let ending = catch_unwind(AssertUnwindSafe(|| tell_cut(plot, Some(cut), scratch())))
        .unwrap_or_else(|_| panic!("{plot:?}, {cut:?}: a panic"));
    assert_eq!(ending.violations, Vec::<String>::new(), "{plot:?}, {cut:?}, {:?}", ending.points.last());
    assert_eq!(ending.points, points[..cut.at as usize], "{plot:?}, {cut:?}: another story");
    ending
}

/// Of each kind of point one in `step`, and at least one. Ways begin elsewhere, so that together they leave little out.
fn sample(points: &[Point], step: u64, crash: Crash) -> Vec<u64> {
    let offset = Crash::ALL.iter().position(|one| *one == crash).unwrap_or_default() as u64;
    let mut by_kind = BTreeMap::<(Act, Part), Vec<u64>>::new();
    for (at, point) in (1..).zip(points) {
        by_kind.entry(kind(point)).or_default().push(at);
    }
    let some = |of: Vec<u64>| {
        let first = (offset % step).min(of.len() as u64 - 1);
        of.into_iter().skip(first as usize).step_by(step as usize)
    };
    by_kind.into_values().flat_map(some).collect()
}

/// Cuts at every point, or at one of so many, in one way.
fn cut_everywhere(crash: Crash) {
    let (plots, all) = plots();
    let step = if all || crash == WORST { 1 } else { STEP };
    let mut hit = BTreeMap::<(Act, Part), u64>::new();
    let mut sum = Sum::default();
    for plot in plots {
        let points = points(plot);
        for at in sample(&points, step, crash) {
            let ending = assert_sound(plot, Cut { at, crash, again: None }, &points);
            *hit.entry(kind(&points[at as usize - 1])).or_default() += 1;
            sum.add(&ending);
        }
    }
    let missed: Vec<_> = KINDS.iter().filter(|kind| !hit.contains_key(kind)).collect();
    assert!(missed.is_empty(), "no cut hit {missed:?}; tell a story in which they happen");
    println!("{crash:?}: {sum:?}, {} kinds of points", hit.len());
}

macro_rules! ways {
    ($($test:ident: $crash:expr;)*) => {
        $(
            #[test]
            fn $test() {
                cut_everywhere($crash);
            }
        )*

        #[test]
        fn no_way_is_left_out_of_this_list() {
            assert_eq!([$($crash),*], Crash::ALL);
        }
    };
}

ways! {
    a_kill_at_every_point: Crash::Kill;
    a_loss_of_power_as_the_dice_fall: Crash::PowerLoss;
    everything_is_lost_that_was_not_synced: Crash::Worst(Loss::Everything);
    what_is_newest_is_torn: Crash::Worst(Loss::Torn);
    what_is_newest_alone_is_kept: Crash::Worst(Loss::Reordered);
    names_are_kept_without_content: Crash::Worst(Loss::Content);
    content_is_kept_without_names: Crash::Worst(Loss::Names);
}

/// The recovery is a story of its own, with points of its own.
#[test]
fn the_power_goes_again_at_every_point_of_a_recovery() {
    let (plots, all) = plots();
    let step = if all { RECOVERIES_STEP_ALL } else { RECOVERIES_STEP };
    let mut sum = Sum::default();
    let mut hit = BTreeSet::new();
    for plot in plots {
        let points = points(plot);
        for (number, at) in (step as u64..=points.len() as u64).step_by(step).enumerate() {
            // The recovery of a store that keeps much, and of one that has lost much.
            let crash = [Crash::Kill, WORST, Crash::Worst(Loss::Torn)][number % 3];
            // Odd and even ones differ in who recovers first; here it must be the start.
            let whole = Cut { at, crash, again: Some(1) };
            let count = recovery_points(plot, whole, &points);
            assert!(count.len() >= RECOVERY_MIN, "{whole:?}: a recovery of {} changes", count.len());
            for again in 1..=count.len() as u64 {
                let ending = assert_sound(plot, Cut { again: Some(again), ..whole }, &points);
                assert_eq!(ending.recovery, count[..again as usize], "{whole:?}: another recovery");
                sum.add(&ending);
            }
            hit.extend(count.iter().map(kind));
        }
    }
    let settling = (Act::Sync(SyncPoint::LogRecover), Part::Log);
    assert!(hit.contains(&settling), "no recovery found anything in the log");
    println!("in recoveries: {sum:?}, {} kinds of points", hit.len());
}

/// The changes of a whole recovery.
fn recovery_points(plot: Plot, cut: Cut, points: &[Point]) -> Vec<Point> {
    assert_sound(plot, Cut { again: Some(u64::MAX), ..cut }, points).recovery
}

/// Each named sync, left out, is found by cutting the same story: so the enumeration would see a lost one.
#[test]
fn every_lost_sync_is_found() {
    // What a recovery settles is safe soon, by the next checkpoint: see below.
    for lost in SyncPoint::ALL.into_iter().filter(|lost| *lost != SyncPoint::LogRecover) {
        let plot = Plot { lost_sync: Some(lost), ..PLOT };
        // A lost sync tells the second day otherwise, so these are the points of its own story.
        let whole = AssertUnwindSafe(|| tell_cut(plot, None, scratch()).points);
        // The loss of power between its days may be enough; the base's library may panic over what it finds then.
        let Ok(points) = catch_unwind(whole) else {
            println!("{lost:?}: a panic on the second day, without a cut");
            continue;
        };
        // Before the first of them, the story is that of a sound disk.
        let syncs = |point: &Point| point.act == Act::Sync(lost) || point.act == Act::SyncDir(lost);
        let first = points.iter().position(syncs).expect("the story makes every sync") as u64 + 1;
        let mut cuts =
            (first..=points.len() as u64).flat_map(|at| LOSSES.map(|crash| Cut { at, crash, again: None }));
        let found = cuts.find_map(|cut| {
            let told = AssertUnwindSafe(|| tell_cut(plot, Some(cut), scratch()).violations);
            // The base's library may panic over what it finds.
            let violations = catch_unwind(told).unwrap_or_else(|_| vec!["a panic".to_owned()]);
            violations.first().map(|first| (cut, first.clone()))
        });
        let (cut, what) = found.unwrap_or_else(|| panic!("nobody misses the sync {lost:?}"));
        println!("{lost:?}: {cut:?}: {what}");
    }
}

/// A killed process leaves a frame that was never synced; what the recovery reads of it must last through the next cut.
#[test]
fn a_lost_sync_of_what_a_recovery_found_is_found() {
    let points = points(PLOT);
    let frame = (Act::Sync(SyncPoint::LogAppend), Part::Log);
    let unsynced = (2..=points.len() as u64).filter(|at| kind(&points[*at as usize - 1]) == frame);
    let plot = Plot { lost_sync: Some(SyncPoint::LogRecover), ..PLOT };
    let mut cuts = unsynced.take(4).flat_map(|sync| {
        let whole = Cut { at: sync - 1, crash: Crash::Kill, again: Some(u64::MAX) };
        let count = recovery_points(PLOT, whole, &points).len() as u64;
        (1..=count).map(move |again| Cut { again: Some(again), ..whole })
    });
    let found = cuts.find_map(|cut| Some((cut, tell_cut(plot, Some(cut), scratch()).violations.pop()?)));
    println!("{:?}", found.expect("nobody misses what a recovery found"));
}
