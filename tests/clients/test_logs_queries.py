"""Insights: queries through boto3 and the AWS CLI, their results and their errors, field by field."""

import json

from test_logs import NO_GROUP, arn, group, logs, now, put, refused, until  # noqa: F401


def start(logs, group, query, **more):
    arguments = {"logGroupName": group, "startTime": now() // 1000 - 3600, "endTime": now() // 1000 + 60, **more}
    return logs.start_query(queryString=query, **arguments)["queryId"]


def ask(logs, group, query, **more):
    """The rows of a query that completes, as dictionaries, and its statistics."""
    id = start(logs, group, query, **more)

    def look():
        answer = logs.get_query_results(queryId=id)
        return answer if answer["status"] not in ("Running", "Scheduled") else None

    answer = until(look)
    assert answer["status"] == "Complete" and answer["queryLanguage"] == "CWLI", answer
    return [{one["field"]: one["value"] for one in row} for row in answer["results"]], answer["statistics"]


LINES = [
    '{"level":"info","ms":10,"user":{"name":"ann"}}',
    '{"level":"error","ms":30,"user":{"name":"bob"}}',
    '{"level":"error","ms":20}',
    "GET /birds 404",
]


def test_a_query_reads_and_counts(logs, group):
    at = now()
    put(logs, group, *[(at + number, line) for number, line in enumerate(LINES)])
    rows, statistics = ask(logs, group, "fields @timestamp, @message | sort @timestamp asc")
    assert [row["@message"] for row in rows] == LINES
    assert all(set(row) == {"@timestamp", "@message", "@ptr"} for row in rows)
    assert statistics["recordsMatched"] == statistics["recordsScanned"] == 4.0
    assert statistics["bytesScanned"] == sum(len(line) + 26 for line in LINES)
    record = logs.get_log_record(logRecordPointer=rows[1]["@ptr"])["logRecord"]
    assert record["level"] == "error" and record["user.name"] == "bob" and record["@message"] == LINES[1]
    assert record["@log"].endswith(":" + group) and record["@logStream"] == "s"
    rows, statistics = ask(
        logs, group, "filter level = 'error' | stats count(*) as n, avg(ms) as mean, pct(ms, 50) as p by level"
    )
    assert rows == [{"level": "error", "n": "2", "mean": "25", "p": "25"}]
    assert statistics["recordsMatched"] == 2.0 and statistics["recordsScanned"] == 4.0
    rows, _ = ask(logs, group, 'parse @message "GET * *" as path, status | filter status = 404 | display path, status')
    assert [(row["path"], row["status"]) for row in rows] == [("/birds", "404")]
    rows, _ = ask(logs, group, "fields user.name as who | filter ispresent(who) | sort who desc | limit 1")
    assert [row["who"] for row in rows] == ["bob"]
    rows, _ = ask(logs, group, "stats count(*) as n by bin(1h)")
    assert sum(int(row["n"]) for row in rows) == 4
    rows, _ = ask(logs, group, "filter @message like /GET/", limit=5)
    assert [row["@message"] for row in rows] == [LINES[3]]


def test_a_query_spans_groups_and_times(logs, group):
    other = group + "-other"
    logs.create_log_group(logGroupName=other)
    logs.create_log_stream(logGroupName=other, logStreamName="s")
    at = now()
    put(logs, group, (at - 1_800_000, "old"), (at, "one"))
    put(logs, other, (at + 1, "two"))
    several = {"logGroupNames": [group, other], "startTime": at // 1000 - 60, "endTime": at // 1000 + 60}
    id = logs.start_query(queryString="fields @message, @log | sort @timestamp", **several)["queryId"]
    answer = until(lambda: (found := logs.get_query_results(queryId=id))["status"] == "Complete" and found)
    found = [[one["value"] for one in row][:2] for row in answer["results"]]
    assert found == [["one", f"000000000000:{group}"], ["two", f"000000000000:{other}"]]
    assert answer["statistics"]["logGroupsScanned"] == 2.0
    told = logs.describe_queries(logGroupName=other)["queries"]
    assert [one["queryId"] for one in told] == [id] and told[0]["status"] == "Complete"
    assert told[0]["queryString"] == "fields @message, @log | sort @timestamp" and told[0]["queryLanguage"] == "CWLI"
    assert logs.describe_queries(logGroupName=other, status="Running")["queries"] == []
    for _ in range(3):
        start(logs, group, "fields @message")
    first = logs.describe_queries(logGroupName=group, maxResults=2)
    rest = logs.describe_queries(logGroupName=group, maxResults=2, nextToken=first["nextToken"])
    assert len(first["queries"]) == len(rest["queries"]) == 2 and "nextToken" not in rest


def test_what_is_no_query_is_refused(logs, group):
    at = now() // 1000
    times = {"startTime": at - 60, "endTime": at}
    code, status, message = refused(logs.start_query, logGroupName=group, queryString="felds @message", **times)
    assert (code, status) == ("MalformedQueryException", 400) and "felds" in message
    code, status, message = refused(logs.start_query, logGroupName=group, queryString="unmask @message", **times)
    assert (code, status) == ("MalformedQueryException", 400) and "unmask" in message
    query = {"queryString": "fields @message"}
    assert refused(logs.start_query, logGroupName=group + "x", **query, **times) == NO_GROUP
    both = {"logGroupName": group, "logGroupNames": [group]}
    assert refused(logs.start_query, **both, **query, **times)[:2] == ("InvalidParameterException", 400)
    assert refused(logs.start_query, **query, **times)[:2] == ("InvalidParameterException", 400)
    backwards = {"startTime": at, "endTime": at - 60}
    assert refused(logs.start_query, logGroupName=group, **query, **backwards)[:2] == ("InvalidParameterException", 400)
    code, status, message = refused(logs.start_query, logGroupName=group, queryLanguage="SQL", **query, **times)
    assert (code, status) == ("NotImplementedException", 501) and "SQL" in message
    missing = "00000000-0000-4000-8000-000000000000"
    assert refused(logs.get_query_results, queryId=missing)[:2] == ("ResourceNotFoundException", 400)
    assert refused(logs.stop_query, queryId=missing)[:2] == ("ResourceNotFoundException", 400)
    id = start(logs, group, "fields @message")
    until(lambda: logs.get_query_results(queryId=id)["status"] == "Complete")
    code, status, message = refused(logs.stop_query, queryId=id)
    assert (code, status) == ("InvalidParameterException", 400) and id in message
    assert refused(logs.get_log_record, logRecordPointer="nonsense")[:2] == ("InvalidParameterException", 400)


def test_the_aws_cli_asks(aws, logs, group):
    put(logs, group, (now(), "from the command line"))
    arguments = ["--log-group-name", group, "--query-string", "fields @message", "--start-time", now() // 1000 - 60]
    started = aws.cli("logs", "start-query", *arguments, "--end-time", now() // 1000 + 60)
    id = json.loads(started.stdout)["queryId"]

    def look():
        answer = json.loads(aws.cli("logs", "get-query-results", "--query-id", id).stdout)
        return answer if answer["status"] == "Complete" else None

    assert {"field": "@message", "value": "from the command line"} in until(look)["results"][0]
