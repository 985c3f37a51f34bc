"""SQS's queues as a whole: attributes, tags, policies, purges, dead letters and what moves them back."""

import json
import time

import pytest
from sqs_calls import ACCOUNT, MISSING, arn, by_query, counts, drain, refused, refused_by_query

STRANGER = "111122223333"


@pytest.fixture
def sqs(aws):
    return aws.client("sqs")


@pytest.fixture
def queue(sqs, name):
    return sqs.create_queue(QueueName=name)["QueueUrl"]


def attributes(sqs, queue, *names):
    return sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=list(names or ["All"]))["Attributes"]


def test_attributes_are_set_and_read_back(aws, sqs, queue, name):
    defaults = attributes(sqs, queue)
    created = int(defaults.pop("CreatedTimestamp"))
    assert created == int(defaults.pop("LastModifiedTimestamp")) and abs(created - time.time()) < 3600
    assert defaults == {
        "QueueArn": arn(name), "VisibilityTimeout": "30", "DelaySeconds": "0", "MessageRetentionPeriod": "345600",
        "MaximumMessageSize": "1048576", "ReceiveMessageWaitTimeSeconds": "0", "SqsManagedSseEnabled": "true",
        "ApproximateNumberOfMessages": "0", "ApproximateNumberOfMessagesNotVisible": "0",
        "ApproximateNumberOfMessagesDelayed": "0"}
    given = {"VisibilityTimeout": "7", "DelaySeconds": "1", "MessageRetentionPeriod": "60", "MaximumMessageSize": "1024",
             "ReceiveMessageWaitTimeSeconds": "3", "SqsManagedSseEnabled": "false",
             "RedriveAllowPolicy": '{"redrivePermission":"denyAll"}'}
    sqs.set_queue_attributes(QueueUrl=queue, Attributes=given)
    assert attributes(sqs, queue, *given) == given
    assert "Attributes" not in sqs.get_queue_attributes(QueueUrl=queue)
    assert "Attributes" not in sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["Policy"])
    status, text = by_query(aws, Action="GetQueueAttributes", QueueUrl=queue, **{"AttributeName.1": "DelaySeconds"})
    assert status == 200 and "<Attribute><Name>DelaySeconds</Name><Value>1</Value></Attribute>" in text, text
    for given, expected in (
        ({"Colour": "red"}, ("InvalidAttributeName", 400, "Unknown Attribute Colour.")),
        ({"QueueArn": "x"}, ("InvalidAttributeName", 400, "Unknown Attribute QueueArn.")),
        ({"FifoQueue": "true"}, ("InvalidAttributeName", 400, "Unknown Attribute FifoQueue.")),
        ({"DelaySeconds": "901"}, ("InvalidAttributeValue", 400, "Invalid value for the parameter DelaySeconds.")),
    ):
        assert refused(sqs.set_queue_attributes, QueueUrl=queue, Attributes=given) == expected
        [(attribute, value)] = given.items()
        assert refused_by_query(aws, Action="SetQueueAttributes", QueueUrl=queue,
                                **{"Attribute.1.Name": attribute, "Attribute.1.Value": value}) == expected
    assert refused(sqs.set_queue_attributes, QueueUrl=queue + "x", Attributes={"DelaySeconds": "1"}) == MISSING
    assert refused(sqs.get_queue_attributes, QueueUrl=queue + "x", AttributeNames=["All"]) == MISSING
    assert refused(sqs.get_queue_attributes, QueueUrl=queue, AttributeNames=["Colour"]) == (
        "InvalidAttributeName", 400, "Unknown Attribute Colour.")


def test_the_counts_tell_what_is_visible_in_flight_and_delayed(sqs, queue):
    for number in range(12):
        sqs.send_message(QueueUrl=queue, MessageBody=str(number), DelaySeconds=900 if number % 4 == 0 else 0)
    assert counts(sqs, queue) == (9, 0, 3)
    got = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=5)["Messages"]
    assert counts(sqs, queue) == (4, 5, 3)
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=got[0]["ReceiptHandle"])
    assert counts(sqs, queue) == (4, 4, 3)


def test_tags_come_and_go(aws, sqs, name):
    queue = sqs.create_queue(QueueName=name, tags={"team": "birds"})["QueueUrl"]
    sqs.tag_queue(QueueUrl=queue, Tags={"stage": "test", "team": "swifts"})
    assert sqs.list_queue_tags(QueueUrl=queue)["Tags"] == {"stage": "test", "team": "swifts"}
    sqs.untag_queue(QueueUrl=queue, TagKeys=["stage", "unknown"])
    status, text = by_query(aws, Action="ListQueueTags", QueueUrl=queue)
    assert status == 200 and "<Tag><Key>team</Key><Value>swifts</Value></Tag>" in text, text
    sqs.untag_queue(QueueUrl=queue, TagKeys=["team"])
    assert "Tags" not in sqs.list_queue_tags(QueueUrl=queue)
    expected = ("InvalidParameterValue", 400, "Tag key 'aws:x' is not valid.")
    assert refused(sqs.tag_queue, QueueUrl=queue, Tags={"aws:x": "1"}) == expected
    assert refused_by_query(aws, Action="TagQueue", QueueUrl=queue, **{"Tags.1.Key": "aws:x", "Tags.1.Value": "1"}) == expected
    many = {f"k{number}": "x" for number in range(51)}
    assert refused(sqs.tag_queue, QueueUrl=queue, Tags=many)[:2] == ("InvalidParameterValue", 400)
    for call, arguments in ((sqs.tag_queue, {"Tags": {"a": "b"}}), (sqs.untag_queue, {"TagKeys": ["a"]}),
                            (sqs.list_queue_tags, {})):
        assert refused(call, QueueUrl=queue + "x", **arguments) == MISSING


def test_permissions_are_statements_of_the_policy(aws, sqs, queue, name):
    sqs.add_permission(QueueUrl=queue, Label="send", AWSAccountIds=[STRANGER], Actions=["SendMessage"])
    policy = json.loads(attributes(sqs, queue, "Policy")["Policy"])
    assert policy == {
        "Version": "2012-10-17", "Id": arn(name) + "/SQSDefaultPolicy",
        "Statement": [{"Sid": "send", "Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{STRANGER}:root"},
                       "Action": "SQS:SendMessage", "Resource": arn(name)}]}
    stranger = aws.client("sqs", access_key=STRANGER)
    assert stranger.send_message(QueueUrl=queue, MessageBody="from afar")["MessageId"]
    code, status, message = refused(stranger.receive_message, QueueUrl=queue)
    assert (code, status) == ("AccessDenied", 403) and "sqs:ReceiveMessage" in message, message
    refusal = "Value send for parameter Label is invalid. Reason: "
    assert refused(sqs.add_permission, QueueUrl=queue, Label="send", AWSAccountIds=[STRANGER], Actions=["*"]) == (
        "InvalidParameterValue", 400, refusal + "Already exists.")
    sqs.remove_permission(QueueUrl=queue, Label="send")
    assert "Attributes" not in sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["Policy"])
    assert refused(stranger.send_message, QueueUrl=queue, MessageBody="x")[:2] == ("AccessDenied", 403)
    expected = ("InvalidParameterValue", 400, refusal + "can't find label on existing policy.")
    assert refused(sqs.remove_permission, QueueUrl=queue, Label="send") == expected
    assert refused_by_query(aws, Action="RemovePermission", QueueUrl=queue, Label="send") == expected
    for arguments, reason in (
        ({"Actions": ["DeleteQueue"]}, "Only the queue owner is allowed to invoke this action."),
        ({"Actions": ["Frobnicate"]}, "Please refer to the appropriate WSDL for a list of valid actions."),
        ({"AWSAccountIds": ["1"]}, "Unable to verify."),
    ):
        arguments = {"Label": "x", "AWSAccountIds": [STRANGER], "Actions": ["*"], **arguments}
        code, status, message = refused(sqs.add_permission, QueueUrl=queue, **arguments)
        assert (code, status) == ("InvalidParameterValue", 400) and message.endswith(reason), message
    arguments = {"Label": "x", "AWSAccountIds": [STRANGER], "Actions": ["SendMessage"] * 8}
    expected = ("OverLimit", 400, "8 Actions were found, maximum allowed is 7.")
    assert refused(sqs.add_permission, QueueUrl=queue, **arguments) == expected
    assert refused(sqs.add_permission, QueueUrl=queue + "x", **{**arguments, "Actions": ["*"]}) == MISSING
    assert refused(sqs.remove_permission, QueueUrl=queue + "x", Label="x") == MISSING


def statement(effect, principal, action, queue_name, **more):
    return {"Effect": effect, "Principal": principal, "Action": action, "Resource": arn(queue_name), **more}


def test_a_policy_lets_strangers_in_and_shuts_anybody_out(aws, sqs, queue, name):
    def set_policy(*statements):
        policy = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
        sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
        assert attributes(sqs, queue, "Policy") == {"Policy": policy}

    stranger, other = aws.client("sqs", access_key=STRANGER), aws.client("sqs", access_key="444455556666")
    set_policy(statement("Allow", {"AWS": STRANGER}, "sqs:*", name))
    stranger.send_message(QueueUrl=queue, MessageBody="x")
    assert stranger.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=ACCOUNT)["QueueUrl"] == queue
    assert len(drain(stranger, queue)) == 1
    assert refused(other.send_message, QueueUrl=queue, MessageBody="x")[:2] == ("AccessDenied", 403)
    # What is the owner's alone, no policy gives away.
    for call, arguments in (
        (stranger.delete_queue, {}), (stranger.set_queue_attributes, {"Attributes": {"DelaySeconds": "1"}}),
        (stranger.tag_queue, {"Tags": {"a": "b"}}), (stranger.list_queue_tags, {}),
        (stranger.add_permission, {"Label": "x", "AWSAccountIds": [STRANGER], "Actions": ["*"]}),
    ):
        assert refused(call, QueueUrl=queue, **arguments)[:2] == ("AccessDenied", 403)
    # A condition that no request fulfils, and a denial that meets the owner's own root.
    elsewhere = {"Condition": {"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}}
    set_policy(statement("Allow", "*", "sqs:SendMessage", name, **elsewhere),
               statement("Deny", "*", "sqs:ReceiveMessage", name))
    assert refused(stranger.send_message, QueueUrl=queue, MessageBody="x")[:2] == ("AccessDenied", 403)
    sqs.send_message(QueueUrl=queue, MessageBody="x")
    code, status, message = refused(sqs.receive_message, QueueUrl=queue)
    assert (code, status) == ("AccessDenied", 403)
    assert "with an explicit deny in a resource-based policy" in message, message
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": ""})
    assert len(drain(sqs, queue)) == 1
    for bad in ("x", "{}", '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow"}]}'):
        code, status, message = refused(sqs.set_queue_attributes, QueueUrl=queue, Attributes={"Policy": bad})
        assert (code, status) == ("InvalidAttributeValue", 400)
        assert message.startswith("Invalid value for the parameter Policy."), message


def test_a_role_needs_its_policies_or_the_queues(aws, sqs, queue, name):
    iam, sts = aws.client("iam"), aws.client("sts")
    trust = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}]}
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    granted = sts.assume_role(RoleArn=role, RoleSessionName="session")["Credentials"]
    session = aws.client("sqs", access_key=granted["AccessKeyId"], secret=granted["SecretAccessKey"],
                         token=granted["SessionToken"])
    code, status, message = refused(session.send_message, QueueUrl=queue, MessageBody="x")
    assert (code, status) == ("AccessDenied", 403) and "sqs:SendMessage" in message
    policy = {"Version": "2012-10-17", "Statement": [statement("Allow", {"AWS": role}, "sqs:SendMessage", name)]}
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": json.dumps(policy)})
    assert session.send_message(QueueUrl=queue, MessageBody="x")["MessageId"]
    assert refused(session.receive_message, QueueUrl=queue)[:2] == ("AccessDenied", 403)


def test_a_purge_empties_the_queue_once_a_minute(aws, sqs, queue, name):
    for number in range(30):
        sqs.send_message(QueueUrl=queue, MessageBody=str(number))
    got = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, VisibilityTimeout=0)["Messages"]
    assert len(got) == 10
    sqs.purge_queue(QueueUrl=queue)
    assert counts(sqs, queue) == (0, 0, 0)
    assert "Messages" not in sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=1)
    sqs.send_message(QueueUrl=queue, MessageBody="after")
    assert [message["Body"] for message in drain(sqs, queue)] == ["after"]
    message = f"Only one PurgeQueue operation on {name} is allowed every 60 seconds."
    code = "AWS.SimpleQueueService.PurgeQueueInProgress"
    assert refused(sqs.purge_queue, QueueUrl=queue) == (code, 400, message)
    assert refused_by_query(aws, Action="PurgeQueue", QueueUrl=queue) == (code, 403, message)
    assert refused(sqs.purge_queue, QueueUrl=queue + "x") == MISSING


def test_a_deleted_queue_is_gone_and_its_name_rests(aws, sqs, queue, name):
    sqs.send_message(QueueUrl=queue, MessageBody="x")
    sqs.delete_queue(QueueUrl=queue)
    for call, arguments in (
        (sqs.delete_queue, {}), (sqs.send_message, {"MessageBody": "x"}), (sqs.receive_message, {}),
        (sqs.purge_queue, {}), (sqs.get_queue_attributes, {}),
    ):
        assert refused(call, QueueUrl=queue, **arguments) == MISSING
    assert "QueueUrls" not in sqs.list_queues(QueueNamePrefix=name)
    message = "You must wait 60 seconds after deleting a queue before you can create another with the same name."
    code = "AWS.SimpleQueueService.QueueDeletedRecently"
    assert refused(sqs.create_queue, QueueName=name) == (code, 400, message)
    assert refused_by_query(aws, Action="CreateQueue", QueueName=name) == (code, 400, message)


def redrive(dead, count=1):
    return {"RedrivePolicy": json.dumps({"deadLetterTargetArn": dead, "maxReceiveCount": str(count)})}


@pytest.fixture
def dead(sqs, name):
    return sqs.create_queue(QueueName=name + "-dead")["QueueUrl"]


@pytest.fixture
def source(sqs, name, dead):
    """A queue that gives each message one chance, visible again at once."""
    given = {"VisibilityTimeout": "0", **redrive(arn(name + "-dead"))}
    return sqs.create_queue(QueueName=name, Attributes=given)["QueueUrl"]


def die(sqs, source, dead, *bodies):
    """Has messages die of being received too often."""
    for body in bodies:
        sqs.send_message(QueueUrl=source, MessageBody=body)
    for _ in range(2 * len(bodies)):
        sqs.receive_message(QueueUrl=source, MaxNumberOfMessages=10)
    assert counts(sqs, source) == (0, 0, 0)
    assert counts(sqs, dead) == (len(bodies), 0, 0)


def test_messages_that_nobody_handles_become_dead_letters(sqs, source, dead, name):
    value = {"k": {"DataType": "String", "StringValue": "v"}}
    sent = sqs.send_message(QueueUrl=source, MessageBody="poison", MessageAttributes=value)
    [message] = sqs.receive_message(QueueUrl=source)["Messages"]
    assert message["MessageId"] == sent["MessageId"]
    assert "Messages" not in sqs.receive_message(QueueUrl=source)
    [message] = sqs.receive_message(
        QueueUrl=dead, WaitTimeSeconds=20, MessageAttributeNames=["All"], MessageSystemAttributeNames=["All"],
    )["Messages"]
    assert (message["MessageId"], message["Body"]) == (sent["MessageId"], "poison")
    assert message["MessageAttributes"] == value
    assert message["Attributes"]["DeadLetterQueueSourceArn"] == arn(name)
    assert sqs.list_dead_letter_source_queues(QueueUrl=dead)["queueUrls"] == [source]
    assert sqs.list_dead_letter_source_queues(QueueUrl=source)["queueUrls"] == []
    sqs.set_queue_attributes(QueueUrl=source, Attributes={"RedrivePolicy": ""})
    assert sqs.list_dead_letter_source_queues(QueueUrl=dead)["queueUrls"] == []
    assert refused(sqs.list_dead_letter_source_queues, QueueUrl=dead + "x") == MISSING
    code, status, _ = refused(sqs.list_dead_letter_source_queues, QueueUrl=dead, MaxResults=0)
    assert (code, status) == ("InvalidParameterValue", 400)


def test_what_a_redrive_policy_may_not_be(aws, sqs, queue, dead, name):
    fifo = sqs.create_queue(QueueName=name + ".fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    assert fifo
    for policy, reason in (
        ("x", "Redrive policy is not a valid JSON map."),
        ('{"maxReceiveCount": 1}', "Redrive policy does not contain mandatory attribute: deadLetterTargetArn."),
        (redrive(arn(name + "-dead"), 1001)["RedrivePolicy"],
         "Invalid value for maxReceiveCount: 1001, valid values are from 1 to 1000 both inclusive."),
        (redrive(arn("nobody-made-it"))["RedrivePolicy"], "Dead letter target does not exist."),
        (redrive(arn(name + ".fifo"))["RedrivePolicy"], "Dead-letter queue must be same type of queue as the source."),
    ):
        code, status, message = refused(sqs.set_queue_attributes, QueueUrl=queue, Attributes={"RedrivePolicy": policy})
        assert (code, status) == ("InvalidParameterValue", 400)
        assert message.startswith("Value ") and message.endswith(" for parameter RedrivePolicy is invalid. Reason: " + reason)
    allow = {"redrivePermission": "byQueue", "sourceQueueArns": [arn("somebody-else")]}
    sqs.set_queue_attributes(QueueUrl=dead, Attributes={"RedriveAllowPolicy": json.dumps(allow)})
    code, status, message = refused(sqs.set_queue_attributes, QueueUrl=queue, Attributes=redrive(arn(name + "-dead")))
    assert (code, status) == ("InvalidParameterValue", 400) and "RedriveAllowPolicy" in message
    allow["sourceQueueArns"].append(arn(name))
    sqs.set_queue_attributes(QueueUrl=dead, Attributes={"RedriveAllowPolicy": json.dumps(allow)})
    sqs.set_queue_attributes(QueueUrl=queue, Attributes=redrive(arn(name + "-dead")))


def until(condition):
    """Asks until it holds; a bound against a hang, no measurement."""
    deadline = time.monotonic() + 60
    while not (found := condition()):
        assert time.monotonic() < deadline
    return found


def task(sqs, source_arn):
    return sqs.list_message_move_tasks(SourceArn=source_arn)["Results"][0]


def test_dead_letters_are_moved_back(aws, sqs, source, dead, name):
    die(sqs, source, dead, "a", "b", "c")
    sqs.set_queue_attributes(QueueUrl=source, Attributes={"VisibilityTimeout": "30"})
    handle = sqs.start_message_move_task(SourceArn=arn(name + "-dead"))["TaskHandle"]
    done = until(lambda: (found := task(sqs, arn(name + "-dead")))["Status"] != "RUNNING" and found)
    started = done.pop("StartedTimestamp")
    assert abs(started / 1000 - time.time()) < 3600
    assert done == {
        "Status": "COMPLETED", "SourceArn": arn(name + "-dead"), "ApproximateNumberOfMessagesMoved": 3,
        "ApproximateNumberOfMessagesToMove": 3}
    assert sorted(message["Body"] for message in drain(sqs, source)) == ["a", "b", "c"]
    assert counts(sqs, dead) == (0, 0, 0)
    code = "AWS.SimpleQueueService.UnsupportedOperation"
    message = "Only active message movement tasks can be cancelled."
    assert refused(sqs.cancel_message_move_task, TaskHandle=handle) == (code, 400, message)
    assert refused_by_query(aws, Action="CancelMessageMoveTask", TaskHandle=handle) == (code, 400, message)


def test_a_slow_move_is_cancelled(sqs, source, dead, name):
    other = sqs.create_queue(QueueName=name + "-other")["QueueUrl"]
    die(sqs, source, dead, "a", "b", "c")
    asked = {"SourceArn": arn(name + "-dead"), "DestinationArn": arn(name + "-other"), "MaxNumberOfMessagesPerSecond": 1}
    handle = sqs.start_message_move_task(**asked)["TaskHandle"]
    message = "There is already a task running. Only one active task is allowed for a source queue arn at a given time."
    assert refused(sqs.start_message_move_task, **asked) == ("InvalidParameterValue", 400, message)
    [moved] = sqs.receive_message(QueueUrl=other, WaitTimeSeconds=20)["Messages"]
    running = task(sqs, arn(name + "-dead"))
    assert running["TaskHandle"] == handle and running["MaxNumberOfMessagesPerSecond"] == 1
    assert running["DestinationArn"] == arn(name + "-other")
    count = sqs.cancel_message_move_task(TaskHandle=handle)["ApproximateNumberOfMessagesMoved"]
    assert 1 <= count <= 3 and moved["Body"] == "a"
    assert task(sqs, arn(name + "-dead"))["Status"] == "CANCELLED"
    assert counts(sqs, dead)[0] == 3 - count


def test_who_moves_must_be_allowed_to_take_and_to_send(aws, sqs, source, dead, name):
    trust = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}]}
    iam = aws.client("iam")
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    granted = aws.client("sts").assume_role(RoleArn=role, RoleSessionName="session")["Credentials"]
    session = aws.client("sqs", access_key=granted["AccessKeyId"], secret=granted["SecretAccessKey"],
                         token=granted["SessionToken"])
    actions = []
    for action in ("StartMessageMoveTask", "ReceiveMessage", "DeleteMessage", "SendMessage"):
        code, status, message = refused(session.start_message_move_task, SourceArn=arn(name + "-dead"))
        assert (code, status) == ("AccessDenied", 403) and f"sqs:{action}" in message, message
        actions.append(f"sqs:{action}")
        policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]}
        iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=json.dumps(policy))
    assert session.start_message_move_task(SourceArn=arn(name + "-dead"))["TaskHandle"]


def test_what_a_move_may_not_be(aws, sqs, source, dead, name):
    gone = "The resource that you specified for the {} parameter doesn't exist."
    missing = ("ResourceNotFoundException", 400, gone.format("SourceArn"))
    assert refused(sqs.start_message_move_task, SourceArn=arn("nobody-made-it")) == missing
    assert refused(sqs.list_message_move_tasks, SourceArn=arn("nobody-made-it")) == missing
    assert refused_by_query(aws, Action="ListMessageMoveTasks", SourceArn=arn("nobody-made-it")) == (
        "ResourceNotFoundException", 404, gone.format("SourceArn"))
    assert refused(sqs.start_message_move_task, SourceArn=arn(name)) == (
        "InvalidParameterValue", 400, "Source queue must be configured as a Dead Letter Queue.")
    own = {"SourceArn": arn(name + "-dead")}
    assert refused(sqs.start_message_move_task, **own, DestinationArn=arn("nobody-made-it")) == (
        "ResourceNotFoundException", 400, gone.format("DestinationArn"))
    code, status, _ = refused(sqs.start_message_move_task, **own, MaxNumberOfMessagesPerSecond=501)
    assert (code, status) == ("InvalidParameterValue", 400)
    code, status, _ = refused(sqs.list_message_move_tasks, **own, MaxResults=11)
    assert (code, status) == ("InvalidParameterValue", 400)
    assert "Results" not in sqs.list_message_move_tasks(**own)
    code, status, _ = refused(sqs.cancel_message_move_task, TaskHandle="nonsense")
    assert (code, status) == ("InvalidParameterValue", 400)
    # Nobody sent this one to die: without a destination nobody knows where it came from.
    sqs.send_message(QueueUrl=dead, MessageBody="x")
    sqs.start_message_move_task(**own)
    failed = until(lambda: (found := task(sqs, arn(name + "-dead")))["Status"] != "RUNNING" and found)
    assert (failed["Status"], failed["FailureReason"]) == ("FAILED", "CouldNotDetermineMessageSource")
    assert counts(sqs, dead) == (1, 0, 0)


def test_the_cli_makes_changes_and_deletes_a_queue(aws, name):
    def cli(*arguments):
        text = aws.cli("sqs", *arguments).stdout
        return json.loads(text) if text else None

    queue = cli("create-queue", "--queue-name", name, "--attributes", "DelaySeconds=0", "--tags", "a=b")["QueueUrl"]
    cli("set-queue-attributes", "--queue-url", queue, "--attributes", "VisibilityTimeout=5")
    got = cli("get-queue-attributes", "--queue-url", queue, "--attribute-names", "VisibilityTimeout")
    assert got == {"Attributes": {"VisibilityTimeout": "5"}}
    assert cli("list-queue-tags", "--queue-url", queue) == {"Tags": {"a": "b"}}
    sent = cli("send-message-batch", "--queue-url", queue, "--entries", "Id=a,MessageBody=x", "Id=b,MessageBody=y")
    assert [one["Id"] for one in sent["Successful"]] == ["a", "b"]
    cli("purge-queue", "--queue-url", queue)
    assert cli("receive-message", "--queue-url", queue) is None
    cli("delete-queue", "--queue-url", queue)
    refusal = aws.cli("sqs", "get-queue-url", "--queue-name", name, check=False)
    assert refusal.returncode != 0 and "AWS.SimpleQueueService.NonExistentQueue" in refusal.stderr
