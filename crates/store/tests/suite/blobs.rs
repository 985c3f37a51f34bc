//! Blobs: what is finished is there, what is not leaves nothing.

use apus_env::Env;
use apus_store::{BLOB_READ_MAX, BlobId, Store};
use bytes::Bytes;

pub(crate) async fn blobs_are_written_read_and_deleted(store: Store, env: Env) {
    let blobs = store.blobs();
    let pieces: Vec<Bytes> =
        (0..5u8).map(|number| vec![number; 1 + env.random_below(700_000) as usize].into()).collect();
    let whole = pieces.concat();
    let mut writer = blobs.create().await.expect("begins");
    for piece in pieces {
        writer.write(piece).await.expect("writes");
    }
    assert_eq!(writer.size(), whole.len() as u64);
    let id = writer.finish().await.expect("finishes");

    let reader = blobs.open_blob(id).await.expect("opens").expect("is there");
    assert_eq!(reader.size(), whole.len() as u64);
    assert_eq!(reader.read_all(whole.len()).await.expect("reads"), whole);
    assert!(reader.read_all(whole.len() - 1).await.is_err());
    for _ in 0..20 {
        let (offset, length) =
            (env.random_below(whole.len() as u64 + 9), env.random_below(2_000_000) as usize);
        let part = reader.read_at(offset, length).await.expect("reads");
        let start = whole.len().min(offset as usize);
        let end = whole.len().min(start + length.min(BLOB_READ_MAX));
        assert!(part == whole[start..end], "{offset} {length}");
    }

    let mut abandoned = blobs.create().await.expect("begins");
    abandoned.write("never finished".into()).await.expect("writes");
    drop(abandoned);
    assert_eq!(blobs.list().await.expect("lists"), [id]);
    assert_eq!(id.to_string().parse(), Ok(id));

    blobs.delete(id).await.expect("deletes");
    blobs.delete(id).await.expect("deletes again");
    assert_eq!(reader.read_all(whole.len()).await.expect("is still open"), whole);
    assert!(blobs.open_blob(id).await.expect("looks").is_none());
    assert!(blobs.open_blob(BlobId::from([7; 16])).await.expect("looks").is_none());
}
