"""Lambda: a function that leads to itself again and again is stopped, by whichever way it does so.

The functions call with boto3, which sends their trace on by itself.
"""

import json

import pytest
from lambda_functions import arn, create, invoke, refused, role, text  # noqa: F401
from test_lambda_sdk import unless_offline

# Each invocation tells the queue `runs`, and leads to the next in the way that its event names.
LOOP = """
import boto3, json, os

sqs, sns, functions = (boto3.client(name) for name in ("sqs", "sns", "lambda"))

def handle(event, context):
    records = event.get("Records")
    if records and "body" in records[0]:
        (record,) = records
        event = json.loads(record["body"])
        event = json.loads(event["Message"]) if "Message" in event else event
    elif records:
        event = json.loads(records[0]["Sns"]["Message"])
    event["number"] += 1
    sqs.send_message(QueueUrl=event["runs"], MessageBody=os.environ["_X_AMZN_TRACE_ID"])
    if event["number"] < event["most"]:
        body = json.dumps(event)
        if event["way"] == "sqs":
            sqs.send_message(QueueUrl=event["to"], MessageBody=body)
        elif event["way"] == "sns":
            sns.publish(TopicArn=event["to"], Message=body)
        elif event["way"] == "event":
            functions.invoke(FunctionName=context.function_name, InvocationType="Event", Payload=body)
        elif event["way"] == "sync":
            try:
                answer = functions.invoke(FunctionName=context.function_name, Payload=body)
                return json.load(answer["Payload"])
            except functions.exceptions.RecursiveInvocationException as error:
                return str(error)
    return event["number"]
"""
MOST = 20


def lineages(aws, runs):
    """What the invocations said of themselves, until no more comes."""
    found = []
    sqs = aws.client("sqs")
    while True:
        messages = sqs.receive_message(QueueUrl=runs, MaxNumberOfMessages=10).get("Messages", [])
        if not messages:
            return found
        for message in messages:
            found.append(message["Body"])
            sqs.delete_message(QueueUrl=runs, ReceiptHandle=message["ReceiptHandle"])


def counts(traces):
    """The counters in the lineages, and that all are of one trace."""
    assert len({trace.split(";")[0] for trace in traces}) == 1
    return sorted(int(trace.rsplit(":", 1)[1]) for trace in traces)


@pytest.fixture
def loop(aws, create, role, name):  # noqa: F811
    policy = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": ["sqs:*", "sns:*", "lambda:*"], "Resource": "*"}]}
    aws.client("iam").put_role_policy(RoleName=role.split("/")[-1], PolicyName="all", PolicyDocument=json.dumps(policy))
    sqs = aws.client("sqs")
    queue = {which: sqs.create_queue(QueueName=f"{name}-{which}")["QueueUrl"] for which in ("runs", "dead")}
    dead = f"arn:aws:sqs:us-east-1:000000000000:{name}-dead"
    create(LOOP, Timeout=10, MemorySize=512, DeadLetterConfig={"TargetArn": dead})
    event = {"runs": queue["runs"], "most": MOST, "number": MOST, "way": "none"}
    unless_offline(invoke(aws, name, event))
    (trace,) = lineages(aws, queue["runs"])
    assert counts([trace]) == [0] and "Root=1-" in trace, trace
    return {"runs": queue["runs"], "dead": queue["dead"], "event": {**event, "number": 0}, "dead_arn": dead}


def dead_letter(aws, loop):
    """The message that is left over, once it is there."""
    (message,) = aws.client("sqs").receive_message(
        QueueUrl=loop["dead"], WaitTimeSeconds=20, MessageAttributeNames=["All"])["Messages"]
    return message


def test_a_function_that_sends_to_its_own_queue(aws, loop, name):
    sqs, client = aws.client("sqs"), aws.client("lambda")
    redrive = json.dumps({"deadLetterTargetArn": loop["dead_arn"], "maxReceiveCount": 1})
    own = sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "10", "RedrivePolicy": redrive})["QueueUrl"]
    client.create_event_source_mapping(
        FunctionName=name, EventSourceArn=f"arn:aws:sqs:us-east-1:000000000000:{name}", BatchSize=1)
    sqs.send_message(QueueUrl=own, MessageBody=json.dumps({**loop["event"], "way": "sqs", "to": own}))
    assert json.loads(dead_letter(aws, loop)["Body"])["number"] == 16
    assert counts(lineages(aws, loop["runs"])) == list(range(16))
    client.put_function_recursion_config(FunctionName=name, RecursiveLoop="Allow")
    sqs.send_message(QueueUrl=own, MessageBody=json.dumps({**loop["event"], "way": "sqs", "to": own}))
    seen = []
    while len(seen) < MOST:
        seen += lineages(aws, loop["runs"])
    assert counts(seen) == list(range(MOST))


def test_a_function_that_invokes_itself(aws, loop, name):
    client = aws.client("lambda")
    client.invoke(FunctionName=name, InvocationType="Event", Payload=json.dumps({**loop["event"], "way": "event"}))
    message = dead_letter(aws, loop)
    assert json.loads(message["Body"])["number"] == 16
    attributes = {key: value["StringValue"] for key, value in message["MessageAttributes"].items()}
    assert attributes["ErrorCode"] == "400" and "recursive loop" in attributes["ErrorMessage"], attributes
    assert counts(lineages(aws, loop["runs"])) == list(range(16))


def test_a_function_that_publishes_to_its_own_topic(aws, loop, name):
    sns, client = aws.client("sns"), aws.client("lambda")
    topic = sns.create_topic(Name=name)["TopicArn"]
    client.add_permission(FunctionName=name, StatementId="sns", Action="lambda:InvokeFunction",
                          Principal="sns.amazonaws.com", SourceArn=topic)
    sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=arn(name))
    sns.publish(TopicArn=topic, Message=json.dumps({**loop["event"], "way": "sns", "to": topic}))
    event = json.loads(dead_letter(aws, loop)["Body"])
    assert json.loads(event["Records"][0]["Sns"]["Message"])["number"] == 16
    assert counts(lineages(aws, loop["runs"])) == list(range(16))


def test_through_a_topic_and_a_queue(aws, loop, name):
    sqs, sns, client = aws.client("sqs"), aws.client("sns"), aws.client("lambda")
    topic = sns.create_topic(Name=name)["TopicArn"]
    queue_arn = f"arn:aws:sqs:us-east-1:000000000000:{name}"
    redrive = json.dumps({"deadLetterTargetArn": loop["dead_arn"], "maxReceiveCount": 1})
    allow = {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": queue_arn}]}
    sqs.create_queue(QueueName=name, Attributes={
        "VisibilityTimeout": "10", "RedrivePolicy": redrive, "Policy": json.dumps(allow)})
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue_arn)
    client.create_event_source_mapping(FunctionName=name, EventSourceArn=queue_arn, BatchSize=1)
    sns.publish(TopicArn=topic, Message=json.dumps({**loop["event"], "way": "sns", "to": topic}))
    assert json.loads(json.loads(dead_letter(aws, loop)["Body"])["Message"])["number"] == 16
    assert counts(lineages(aws, loop["runs"])) == list(range(16))


def test_a_caller_who_waits_is_told(aws, loop, name):
    answer = json.loads(invoke(aws, name, {**loop["event"], "way": "sync", "most": 3})["Payload"])
    assert answer == 3
    traces = lineages(aws, loop["runs"])
    assert counts(traces) == [0, 1, 2]
    lineage = traces[0].split("Lineage=")[1].split(":")[0]
    client = aws.client("lambda")
    given = f"Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1;Lineage={lineage}:"
    trace = []
    client.meta.events.register(
        "before-call.lambda.*", lambda params, **_: params["headers"].update({"X-Amzn-Trace-Id": trace[-1]}))
    message = ("Lambda has detected your function being invoked in a recursive loop with other Amazon Web Services "
               "resources and stopped your function's invocation.")
    payload = json.dumps({**loop["event"], "number": MOST})
    trace.append(given + "15")
    for call, event in ((client.invoke, {"Payload": payload}), (client.invoke_with_response_stream, {"Payload": payload})):
        error = text("RecursiveInvocationException", 400, message, call, FunctionName=name, **event)
        assert error["Type"] == "User"
    trace.append(given + "14")
    assert json.load(client.invoke(FunctionName=name, Payload=payload)["Payload"]) == MOST + 1
    assert lineages(aws, loop["runs"]) == [given + "15"]
    trace.append(given + "15")
    client.put_function_recursion_config(FunctionName=name, RecursiveLoop="Allow")
    assert json.load(client.invoke(FunctionName=name, Payload=payload)["Payload"]) == MOST + 1
    client.put_function_recursion_config(FunctionName=name, RecursiveLoop="Terminate")
    refused("RecursiveInvocationException", 400, client.invoke, FunctionName=name, Payload=payload)
