//! The order of bytes is the order of values, and what goes in comes out.

use apus_time::Timestamp;
use proptest::prelude::*;

use super::*;

type Row = (String, Vec<u8>, i64, u64, Timestamp, bool, Nested<(String, i64)>);

fn time() -> impl Strategy<Value = Timestamp> {
    any::<i64>().prop_map(Timestamp::from_micros)
}

/// Values that often share a beginning or differ by little.
fn row() -> impl Strategy<Value = Row> {
    let text = || "[a\u{0}\u{1}é\u{10ffff}]{0,3}";
    let bytes = proptest::collection::vec(prop_oneof![Just(0u8), Just(1), Just(255), any::<u8>()], 0..4);
    let int = || prop_oneof![-300i64..300, any::<i64>(), Just(i64::MIN), Just(i64::MAX)];
    let nested = (text(), int()).prop_map(Nested);
    (text(), bytes, int(), any::<u64>(), time(), any::<bool>(), nested)
}

fn encoded(row: &Row) -> Vec<u8> {
    pack((&row.0, &row.1, row.2, row.3, row.4, row.5, Nested((&row.6.0.0, row.6.0.1))))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rows_keep_their_order_and_come_back(a in row(), b in row()) {
        prop_assert_eq!(encoded(&a).cmp(&encoded(&b)), a.cmp(&b));
        prop_assert_eq!(unpack::<Row>(&encoded(&a)), Ok(a));
    }

    #[test]
    fn integers_of_both_kinds_share_one_line(a in any::<i64>(), shift in 0u32..64, b in any::<u64>(), cut in 0u32..64) {
        let (a, b) = (a >> shift, b >> cut);
        prop_assert_eq!(pack((a,)).cmp(&pack((b,))), i128::from(a).cmp(&i128::from(b)));
        prop_assert_eq!(unpack::<(i64,)>(&pack((a,))), Ok((a,)));
        prop_assert_eq!(unpack::<(u64,)>(&pack((b,))), Ok((b,)));
    }

    #[test]
    fn hostile_bytes_are_refused_or_read_as_their_only_encoding(bytes in proptest::collection::vec(any::<u8>(), 0..24)) {
        if let Ok((text, number, flag)) = unpack::<(String, i64, bool)>(&bytes) {
            prop_assert_eq!(pack((text, number, flag)), bytes);
        } else if let Ok((number,)) = unpack::<(u64,)>(&bytes) {
            prop_assert_eq!(pack((number,)), bytes);
        }
    }
}

#[test]
fn a_tuple_is_a_prefix_of_those_that_go_on() {
    let short = pack(("queue", 7u64));
    assert!(pack(("queue", 7u64, "message")).starts_with(&short));
    // `7` is no prefix of `71` nor `que` of `queue`: elements end where they end.
    assert!(!pack(("queue", 71u64)).starts_with(&short));
    assert!(!pack(("queue",)).starts_with(&pack(("que",))));
}

#[test]
fn the_wrong_kind_says_what_was_expected() {
    let error = unpack::<(u64,)>(&pack(("seven",))).expect_err("a string is no integer");
    assert_eq!(error.to_string(), "expected an integer, found `\\x11seven\\x00`");
    assert!(unpack::<(String,)>(&pack(("a", "b"))).is_err());
    assert!(unpack::<(u8,)>(&pack((256u64,))).is_err());
    assert!(unpack::<(u64,)>(&pack((-1i64,))).is_err());
}
