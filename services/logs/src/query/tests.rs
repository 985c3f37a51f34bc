//! Queries over rows, without a store.

use proptest::prelude::*;

use super::row::Row;
use super::{Query, RESULT_ROWS_MAX, Run};

/// Rows of messages, a second apart, the first at 12 o'clock; the result with the fields that matter joined.
fn ask(query: &str, messages: &[&str]) -> Vec<String> {
    let parsed = Query::parse(query).unwrap_or_else(|error| panic!("{query}: {error}"));
    let mut run = Run::new(&parsed, RESULT_ROWS_MAX);
    for (at, message) in messages.iter().enumerate().rev() {
        let time_ms = 1_700_049_600_000 + at as i64 * 1_000;
        let row = Row::event(time_ms, time_ms + 5, (*message).to_owned(), "s", "0:g");
        run.take(row).expect("few rows");
    }
    let shown = |row: Vec<(String, String)>| {
        row.into_iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
    };
    run.finish().into_iter().map(shown).collect()
}

#[track_caller]
fn check(query: &str, messages: &[&str], expected: &[&str]) {
    assert_eq!(ask(query, messages), expected, "{query}");
}

#[test]
fn fields_filter_sort_and_limit() {
    let lines = ["b 2", "a 1", "c 3"];
    check(
        "fields @timestamp, @message",
        &lines,
        &[
            "@timestamp=2023-11-15 12:00:02.000 @message=c 3",
            "@timestamp=2023-11-15 12:00:01.000 @message=a 1",
            "@timestamp=2023-11-15 12:00:00.000 @message=b 2",
        ],
    );
    check("fields @message | sort @message asc | limit 2", &lines, &["@message=a 1", "@message=b 2"]);
    check("fields @message | sort @timestamp | limit 1", &lines, &["@message=b 2"]);
    check("filter @message like /^[ab]/ | display @message", &lines, &["@message=a 1", "@message=b 2"]);
    check(
        "filter @message not like \"a\" and strlen(@message) = 3 | display @message | limit 1",
        &lines,
        &["@message=c 3"],
    );
    check("filter @message in [\"a 1\", 'x'] | display @logStream, @log", &lines, &["@logStream=s @log=0:g"]);
    check("# a remark\nfields toupper(@message) as loud\n| sort loud desc | limit 1", &lines, &["loud=C 3"]);
    check("fields @message | dedup @logStream", &lines, &["@message=c 3"]);
}

#[test]
fn json_fields_are_found() {
    let lines = [
        r#"{"level":"info","user":{"id":7,"name":"ann"},"tags":["x","y"],"ms":10.5}"#,
        r#"{"level":"error","user":{"id":8},"ms":20,"odd-name":1,"ok":true}"#,
        "plain",
    ];
    check("filter level = \"error\" | display user.id, ok", &lines, &["user.id=8 ok=1"]);
    check("filter user.id > 7.5 or tags.1 = 'y' | display user.id", &lines, &["user.id=8", "user.id=7"]);
    check("filter ispresent(`odd-name`) | display `odd-name` + 1 as more", &lines, &["more=2"]);
    check("filter not ispresent(level) | display @message", &lines, &["@message=plain"]);
    check("filter level != 'info' and ispresent(level) | display ms * 2 / 4 as half", &lines, &["half=10"]);
    // A field that is not there is not the same as anything.
    check("filter level != 'info' | display @message | limit 1", &lines, &["@message=plain"]);
    check("fields coalesce(user.name, 'nobody') as who | display who | limit 1", &lines, &["who=nobody"]);
    check(
        "filter ms >= 10 and ms < 20 | display concat(level, '-', user.name) as x",
        &lines,
        &["x=info-ann"],
    );
    check("fields (1 + 2) * 3 ^ 2 - -1 as n | display n | limit 1", &lines, &["n=28"]);
}

#[test]
fn stats_count_and_group() {
    let lines = ["{\"k\":\"a\",\"n\":1}", "{\"k\":\"b\",\"n\":2}", "{\"k\":\"a\",\"n\":4}", "{\"k\":\"a\"}"];
    check("stats count(*)", &lines, &["count(*)=4"]);
    check(
        "stats count(n) as c, sum(n), avg(n), min(n), max(n)",
        &lines,
        &["c=3 sum(n)=7 avg(n)=2.3333333333333335 min(n)=1 max(n)=4"],
    );
    check("stats count(*) as c by k | sort c desc", &lines, &["k=a c=3", "k=b c=1"]);
    check(
        "stats count_distinct(k) as d, pct(n, 50) as p, median(n), stddev(n) as s",
        &lines,
        &["d=2 p=2 median(n)=2 s=1.247219128924647"],
    );
    check("stats earliest(n) as e, latest(n) as l by k | sort k | limit 1", &lines, &["k=a e=1 l=4"]);
    check(
        "stats count(*) as c by bin(2s) | sort bin(2s) asc",
        &lines,
        &["bin(2s)=2023-11-15 12:00:00.000 c=2", "bin(2s)=2023-11-15 12:00:02.000 c=2"],
    );
    check("filter k = 'none' | stats count(*) as c, max(n) as m", &lines, &["c=0"]);
    check("filter k = 'none' | stats count(*) by k", &lines, &[]);
    check("stats count(*) as c by k | filter c > 1 | display k", &lines, &["k=a"]);
    check("stats sum(n) as t by k | stats max(t) as top", &lines, &["top=5"]);
}

#[test]
fn parse_takes_apart() {
    let lines = ["user=ann, method:GET, latency := 12", "other"];
    check(
        "parse @message \"user=*, method:*, latency := *\" as user, method, latency | filter latency > 5 | display user, method, latency",
        &lines,
        &["user=ann method=GET latency=12"],
    );
    check("parse /user=(?<who>\\w+)/ | filter ispresent(who) | display who", &lines, &["who=ann"]);
    check("parse 'method:*,' as m | stats count(m) as c", &lines, &["c=1"]);
}

#[test]
fn what_lambda_writes_has_fields() {
    let report = "REPORT RequestId: r-1\tDuration: 2.50 ms\tBilled Duration: 3 ms\tMemory Size: 128 MB\tMax Memory Used: 40 MB\t";
    check(
        "filter @type = \"REPORT\" | stats max(@duration) as d, max(@billedDuration) as b, max(@maxMemoryUsed / 1000 / 1000) as m by @requestId",
        &["START RequestId: r-1 Version: 1", report, "END RequestId: r-1", "hello RequestId: x"],
        &["@requestId=r-1 d=2.5 b=3 m=40"],
    );
}

#[test]
fn what_is_no_query_is_refused() {
    for query in [
        "",
        "   # only this",
        "feilds @message",
        "fields",
        "fields @message |",
        "fields @message x",
        "limit 0",
        "limit x",
        "limit 10001",
        "filter",
        "filter a =",
        "filter a like b",
        "filter a not 1",
        "filter (a = 1",
        "filter a in [1",
        "filter \"open",
        "filter a like /[/",
        "filter nosuch(a)",
        "filter strlen()",
        "stats",
        "stats median()",
        "stats nosuch(a)",
        "stats pct(a)",
        "stats pct(a, 101)",
        "stats count(*) by bin(5x)",
        "parse @message \"* *\" as a",
        "parse @message /x/",
        "sort",
        "unmask @message",
    ] {
        if query == "fields @message |" {
            // AWS too takes a bar at the end.
            assert!(Query::parse(query).is_ok());
            continue;
        }
        assert!(Query::parse(query).is_err(), "{query}");
    }
    let deep = format!("filter {}a{}", "(".repeat(5_000), ")".repeat(5_000));
    assert!(Query::parse(&deep).is_err());
    assert!(Query::parse(&format!("filter {}a", "not ".repeat(5_000))).is_err());
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused_and_never_breaks(
        query in "(fields|filter|stats|sort|parse|display|dedup)? ?[a-cé@0-9 ().,|=<>+*/^%'\"`\\[\\]-]{0,40}",
        message in "[{}\"a-cé:,0-9 ]{0,30}",
    ) {
        if Query::parse(&query).is_ok() {
            ask(&query, &[&message, "{\"a\":1,\"b\":{\"c\":\"x\"}}"]);
        }
    }

    #[test]
    fn figures_are_those_of_the_numbers(numbers in prop::collection::vec(-1_000_i32..1_000, 1..30)) {
        let lines: Vec<_> = numbers.iter().map(|n| format!("{{\"n\":{n},\"odd\":{}}}", n % 2 != 0)).collect();
        let lines: Vec<_> = lines.iter().map(String::as_str).collect();
        let (sum, count) = (numbers.iter().sum::<i32>(), numbers.len());
        let (min, max) = (numbers.iter().min().unwrap(), numbers.iter().max().unwrap());
        let expected = format!("s={sum} c={count} l={min} h={max}");
        prop_assert_eq!(ask("stats sum(n) as s, count(*) as c, min(n) as l, max(n) as h", &lines), [expected]);
        let odd = numbers.iter().filter(|n| *n % 2 != 0).count();
        prop_assert_eq!(ask("filter odd | stats count(*) as c", &lines), [format!("c={odd}")]);
        let mut sorted = numbers.clone();
        sorted.sort_unstable();
        let expected: Vec<_> = sorted.iter().take(5).map(|n| format!("n={n}")).collect();
        prop_assert_eq!(ask("display n | sort n asc | limit 5", &lines), expected);
    }
}
