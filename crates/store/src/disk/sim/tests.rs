//! The simulated disk forgets what it may and keeps what it must.

use super::*;

const POINT: SyncPoint = SyncPoint::LogAppend;

fn read(disk: &SimDisk, name: &str) -> Option<Vec<u8>> {
    let file = disk.open(name, OpenMode::Existing).ok()?;
    let mut content = vec![0; file.size().ok()? as usize];
    file.read_at(0, &mut content).ok()?;
    Some(content)
}

fn create(disk: &SimDisk, name: &str, content: &[u8]) -> Arc<dyn DiskFile> {
    let file = disk.open(name, OpenMode::Create).expect("creates");
    file.write_at(0, content).expect("writes");
    file
}

/// What is left of a story after the power fails, over many seeds.
fn outcomes(story: impl Fn(&SimDisk)) -> std::collections::BTreeSet<Option<Vec<u8>>> {
    let after = |seed| {
        let disk = SimDisk::new(seed);
        story(&disk);
        disk.crash(Crash::PowerLoss);
        read(&disk, "file")
    };
    (0..300).map(after).collect()
}

#[test]
fn what_was_synced_stays() {
    let story = |disk: &SimDisk| {
        create(disk, "file", b"synced").sync(POINT).expect("syncs");
        disk.sync_dir("", POINT).expect("syncs");
    };
    assert_eq!(outcomes(story), [Some(b"synced".to_vec())].into());
}

#[test]
fn a_name_without_a_sync_of_its_folder_may_be_lost() {
    let story = |disk: &SimDisk| create(disk, "file", b"synced").sync(POINT).expect("syncs");
    assert_eq!(outcomes(story), [None, Some(b"synced".to_vec())].into());
}

#[test]
fn content_without_a_sync_may_be_lost_or_torn() {
    let found = outcomes(|disk| {
        create(disk, "file", b"old").sync(POINT).expect("syncs");
        disk.sync_dir("", POINT).expect("syncs");
        create(disk, "file", b"new");
    });
    let all = [&b"old"[..], b"new", b"nld", b"ned"].map(|content| Some(content.to_vec()));
    assert_eq!(found, all.into());
}

#[test]
fn a_rename_without_a_sync_is_whole_or_absent() {
    let found = outcomes(|disk| {
        create(disk, "file", b"old").sync(POINT).expect("syncs");
        create(disk, "other", b"new").sync(POINT).expect("syncs");
        disk.sync_dir("", POINT).expect("syncs");
        disk.rename("other", "file").expect("renames");
    });
    assert_eq!(found, [&b"old"[..], b"new"].map(|content| Some(content.to_vec())).into());
}

#[test]
fn a_killed_process_leaves_what_it_wrote_but_not_safely() {
    let disk = SimDisk::new(1);
    let file = create(&disk, "file", b"written");
    let _lock = disk.lock().expect("free");
    assert_eq!(disk.lock().expect_err("taken").kind(), io::ErrorKind::WouldBlock);
    disk.crash(Crash::Kill);
    assert_eq!(read(&disk, "file"), Some(b"written".to_vec()));
    assert!(file.write_at(0, b"ghost").is_err(), "the process is no more");
    disk.lock().expect("free again");
    let lost = |seed| {
        let disk = SimDisk::new(seed);
        create(&disk, "file", b"written");
        disk.crash(Crash::Kill);
        disk.crash(Crash::PowerLoss);
        read(&disk, "file").is_none()
    };
    assert!((0..20).any(lost));
}

#[test]
fn faults_come_when_they_were_asked_for() {
    let disk = SimDisk::new(1);
    let file = create(&disk, "file", b"1234");
    disk.set_capacity(Some(6));
    assert_eq!(file.write_at(4, b"567").expect_err("full").kind(), io::ErrorKind::StorageFull);
    file.write_at(2, b"3456").expect("fits");
    disk.fail_after(1, io::ErrorKind::Other);
    assert!(file.sync(POINT).is_err());
    file.sync(POINT).expect("once only");
    disk.power_off_after(2);
    file.write_at(0, b"x").expect("power is still on");
    assert!(file.write_at(1, b"y").is_err(), "it goes here");
    assert!(read(&disk, "file").is_none() && disk.sync_dir("", POINT).is_err(), "and stays off");
    disk.crash(Crash::Kill);
    assert!(read(&disk, "file").is_some());
}

#[test]
fn the_worst_of_each_kind_is_what_it_says() {
    let left = |loss| {
        let disk = SimDisk::new(1);
        create(&disk, "file", b"old").sync(POINT).expect("syncs");
        disk.sync_dir("", POINT).expect("syncs");
        create(&disk, "file", b"new").set_len(2).expect("cuts");
        create(&disk, "other", b"more");
        create(&disk, "third", b"");
        disk.crash(Crash::Worst(loss));
        ["file", "other", "third"]
            .map(|name| read(&disk, name).map(|content| String::from_utf8(content).expect("text")))
    };
    let text = |content: &str| Some(content.to_owned());
    assert_eq!(left(Loss::Everything), [text("old"), None, None]);
    assert_eq!(left(Loss::Reordered), [text("ol"), None, text("")]);
    assert_eq!(left(Loss::Content), [text("old"), text(""), text("")]);
    assert_eq!(left(Loss::Names), [text("ne"), None, None]);
    let [file, other, third] = left(Loss::Torn);
    assert_eq!((file, third), (text("new"), text("")), "a cut that is torn was not made");
    assert!(other.is_some_and(|content| content.len() <= 4));
}

#[test]
fn points_are_remembered_up_to_the_one_where_the_power_went() {
    let disk = SimDisk::new(1);
    disk.remember_points();
    disk.power_off_after(3);
    let file = create(&disk, "file", b"1");
    assert!(file.sync(POINT).is_err() && disk.remove("file").is_err());
    let acts = [Act::Create, Act::Write, Act::Sync(POINT)];
    assert_eq!(disk.points(), acts.map(|act| Point { act, name: "file".into() }));
}
