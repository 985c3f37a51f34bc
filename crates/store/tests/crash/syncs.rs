//! Negative controls: each named sync, left out, is missed within a known number of lives.

use apus_store::disk::SyncPoint;

use super::assert_is_needed;
use super::world::Lives;

macro_rules! needed {
    ($($test:ident: $point:ident, $lives:ident, $seeds:literal;)*) => {
        $(
            #[test]
            fn $test() {
                assert_is_needed(SyncPoint::$point, Lives::$lives, $seeds);
            }
        )*

        #[test]
        fn no_sync_is_left_out_of_this_list() {
            assert_eq!([$(SyncPoint::$point),*], SyncPoint::ALL);
        }
    };
}

needed! {
    the_format_file_is_synced: FormatFile, Short, 400;
    the_format_files_name_is_synced: FormatDir, Short, 400;
    frames_are_synced: LogAppend, Long, 20;
    segment_headers_are_synced: LogCreate, Short, 400;
    segment_names_are_synced: LogDir, Long, 20;
    what_recovery_found_is_synced: LogRecover, Long, 150;
    checkpoints_are_synced: Base, Long, 20;
    blobs_are_synced: BlobFile, Long, 20;
    blob_names_are_synced: BlobDir, Long, 20;
}
