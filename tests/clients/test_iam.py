"""IAM: roles, their policies, and what sessions of them may do."""

import datetime
import json
import re

import pytest
from botocore.exceptions import ClientError

ACCOUNT = "000000000000"


def document(*statements):
    """A policy of these statements."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


TRUST = document({"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"})


def statement(effect, action, resource="*", **more):
    """A statement of an identity policy."""
    return {"Effect": effect, "Action": action, "Resource": resource, **more}


def refused(code, status, call, **arguments):
    """Calls, expects that error, and returns its message."""
    with pytest.raises(ClientError) as error:
        call(**arguments)
    response = error.value.response
    found = (response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"])
    assert found == (code, status), response
    return response["Error"]["Message"]


def create(iam, name, trust=TRUST, **arguments):
    """A role."""
    return iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust), **arguments)["Role"]


class Worker:
    """A role with inline policies, and a session of it."""

    def __init__(self, aws, name, *policies, **arguments):
        self.aws, self.name, self.iam = aws, name, aws.client("iam")
        self.role = create(self.iam, name, **arguments)
        for number, policy in enumerate(policies):
            self.put(f"policy-{number}", policy)
        sts = aws.client("sts")
        self.session = sts.assume_role(RoleArn=self.role["Arn"], RoleSessionName="work")["Credentials"]
        self.arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}/work"

    def put(self, name, policy):
        self.iam.put_role_policy(RoleName=self.name, PolicyName=name, PolicyDocument=json.dumps(policy))

    def client(self, service, **config):
        keys = (self.session["AccessKeyId"], self.session["SecretAccessKey"], self.session["SessionToken"])
        return self.aws.client(service, *keys, **config)


def test_a_role_is_kept_as_it_was_given(aws, name):
    iam = aws.client("iam")
    before = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    made = create(
        iam,
        name,
        Path="/a/b/",
        Description="does things, <quickly> & well",
        MaxSessionDuration=7200,
        Tags=[{"Key": "team", "Value": "a"}],
    )
    role = iam.get_role(RoleName=name)["Role"]
    assert made == role
    assert role["Arn"] == f"arn:aws:iam::{ACCOUNT}:role/a/b/{name}"
    assert (role["Path"], role["RoleName"], role["MaxSessionDuration"]) == ("/a/b/", name, 7200)
    assert re.fullmatch("AROA[A-Z2-7]{17}", role["RoleId"])
    assert role["Description"] == "does things, <quickly> & well"
    assert role["Tags"] == [{"Key": "team", "Value": "a"}]
    assert before <= role["CreateDate"] <= datetime.datetime.now(datetime.timezone.utc)
    # boto3 undoes the percent-encoding that documents travel in.
    assert role["AssumeRolePolicyDocument"] == TRUST


def test_documents_travel_percent_encoded(aws, name):
    iam = aws.client("iam")
    raw = []
    iam.meta.events.register("after-call.iam.GetRole", lambda http_response, **_: raw.append(http_response.text))
    create(iam, name)
    iam.get_role(RoleName=name)
    assert "<AssumeRolePolicyDocument>%7B%22Version%22%3A%20%222012-10-17%22%2C%20" in raw[0], raw[0]


def test_the_cli_makes_and_shows_a_role(aws, name):
    made = aws.cli("iam", "create-role", "--role-name", name, "--assume-role-policy-document", json.dumps(TRUST))
    assert json.loads(made.stdout)["Role"]["RoleName"] == name
    shown = json.loads(aws.cli("iam", "get-role", "--role-name", name).stdout)["Role"]
    assert shown["AssumeRolePolicyDocument"] == TRUST


def test_accounts_have_their_own_roles(aws, name):
    create(aws.client("iam"), name)
    other = aws.client("iam", access_key="123456789012")
    message = refused("NoSuchEntity", 404, other.get_role, RoleName=name)
    assert message == f"The role with name {name} cannot be found."
    assert create(other, name)["Arn"] == f"arn:aws:iam::123456789012:role/{name}"


def test_roles_are_told_apart_by_more_than_case(aws, name):
    iam = aws.client("iam")
    create(iam, name)
    document = json.dumps(TRUST)
    upper = name.upper()
    message = refused(
        "EntityAlreadyExists", 409, iam.create_role, RoleName=upper, AssumeRolePolicyDocument=document
    )
    assert message == f"Role with name {upper} already exists."


def test_a_role_goes_after_its_policies(aws, name):
    iam = aws.client("iam")
    create(iam, name)
    policy = json.dumps(document(statement("Allow", "sqs:*")))
    iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=policy)
    message = refused("DeleteConflict", 409, iam.delete_role, RoleName=name)
    assert message == "Cannot delete entity, must delete policies first."
    iam.delete_role_policy(RoleName=name, PolicyName="own")
    message = refused("NoSuchEntity", 404, iam.delete_role_policy, RoleName=name, PolicyName="own")
    assert message == "The role policy with name own cannot be found."
    iam.delete_role(RoleName=name)
    missing = f"The role with name {name} cannot be found."
    assert refused("NoSuchEntity", 404, iam.delete_role, RoleName=name) == missing
    assert refused("NoSuchEntity", 404, iam.get_role, RoleName=name) == missing
    assert refused("NoSuchEntity", 404, iam.list_role_policies, RoleName=name) == missing


def test_inline_policies_are_read_back(aws, name):
    iam = aws.client("iam")
    create(iam, name)
    for policy, action in (("b", "sqs:*"), ("a", "s3:*"), ("a", "s3:GetObject")):
        text = json.dumps(document(statement("Allow", action)))
        iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=text)
    policy = iam.get_role_policy(RoleName=name, PolicyName="a")
    assert policy["PolicyDocument"] == document(statement("Allow", "s3:GetObject"))
    assert (policy["RoleName"], policy["PolicyName"]) == (name, "a")
    listed = iam.list_role_policies(RoleName=name)
    assert (listed["PolicyNames"], listed["IsTruncated"]) == (["a", "b"], False)
    first = iam.list_role_policies(RoleName=name, MaxItems=1)
    assert (first["PolicyNames"], first["IsTruncated"]) == (["a"], True)
    second = iam.list_role_policies(RoleName=name, MaxItems=1, Marker=first["Marker"])
    assert (second["PolicyNames"], second["IsTruncated"]) == (["b"], False)


def test_roles_are_listed_page_by_page(aws, name):
    iam = aws.client("iam")
    names = [f"{name}-{number}" for number in range(5)]
    for each in names:
        create(iam, each, Path=f"/{name}/")
    pages = iam.get_paginator("list_roles").paginate(PathPrefix=f"/{name}/", PaginationConfig={"PageSize": 2})
    pages = [[role["RoleName"] for role in page["Roles"]] for page in pages]
    assert pages == [names[:2], names[2:4], names[4:]]
    message = refused("ValidationError", 400, iam.list_roles, Marker="no page's")
    assert message == "Invalid Marker."


def test_a_trust_policy_is_replaced(aws, name):
    iam = aws.client("iam")
    create(iam, name)
    trust = document({"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"})
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(trust))
    assert iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"] == trust


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"Version": "2012-10-17"}',
        json.dumps(document({"Effect": "Perhaps", "Action": "sqs:*", "Resource": "*"})),
        json.dumps(document({"Effect": "Allow", "Resource": "*"})),
    ],
)
def test_documents_must_be_policies(aws, name, text):
    iam = aws.client("iam")
    create(iam, name)
    for call, arguments in (
        (iam.put_role_policy, {"RoleName": name, "PolicyName": "own", "PolicyDocument": text}),
        (iam.update_assume_role_policy, {"RoleName": name, "PolicyDocument": text}),
        (iam.create_role, {"RoleName": name + "-2", "AssumeRolePolicyDocument": text}),
    ):
        assert refused("MalformedPolicyDocument", 400, call, **arguments)


def test_trust_policies_and_inline_policies_are_not_mistaken_for_each_other(aws, name):
    iam = aws.client("iam")
    create(iam, name)
    inline = json.dumps(document(statement("Allow", "sqs:*")))
    refused("MalformedPolicyDocument", 400, iam.update_assume_role_policy, RoleName=name, PolicyDocument=inline)
    arguments = {"RoleName": name, "PolicyName": "own", "PolicyDocument": json.dumps(TRUST)}
    refused("MalformedPolicyDocument", 400, iam.put_role_policy, **arguments)


def test_policies_have_their_bounds(aws, name):
    iam = aws.client("iam")
    create(iam, name)

    def put(policy, length):
        padding = [f"arn:aws:sqs:us-east-1:{ACCOUNT}:{'q' * 70}{number}" for number in range(length // 110)]
        text = json.dumps(document(statement("Allow", "sqs:*", padding)))
        return {"RoleName": name, "PolicyName": policy, "PolicyDocument": text}

    iam.put_role_policy(**put("one", 5_000))
    iam.put_role_policy(**put("two", 4_000))
    message = refused("LimitExceeded", 409, iam.put_role_policy, **put("three", 4_000))
    assert message == f"Maximum policy size of 10240 bytes exceeded for role {name}"
    iam.put_role_policy(**put("one", 4_000))
    trust = json.dumps({**TRUST, "Id": "i" * 2048})
    message = refused("LimitExceeded", 409, iam.update_assume_role_policy, RoleName=name, PolicyDocument=trust)
    assert message == "Cannot exceed quota for ACLSizePerRole: 2048"
    # White space is not counted.
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(TRUST) + " " * 4096)


@pytest.mark.parametrize(
    "arguments",
    [
        {"RoleName": "with space"},
        {"RoleName": "r" * 65},
        {"Path": "no-slashes"},
        {"MaxSessionDuration": 3599},
        {"MaxSessionDuration": 43201},
        {"Description": "d" * 1001},
    ],
)
def test_what_the_model_forbids(aws, name, arguments):
    iam = aws.client("iam", parameter_validation=False)
    arguments = {"RoleName": name, "AssumeRolePolicyDocument": json.dumps(TRUST), **arguments}
    message = refused("ValidationError", 400, iam.create_role, **arguments)
    assert message.startswith("1 validation error detected: Value "), message


def test_what_is_not_supported_is_refused_by_name(aws, name):
    iam = aws.client("iam")
    arguments = {"RoleName": name, "AssumeRolePolicyDocument": json.dumps(TRUST)}
    boundary = "arn:aws:iam::aws:policy/ReadOnlyAccess"
    message = refused("NotImplemented", 501, iam.create_role, PermissionsBoundary=boundary, **arguments)
    assert message == "Apus does not support CreateRole with PermissionsBoundary yet."
    create(iam, name)
    message = refused("NotImplemented", 501, iam.attach_role_policy, RoleName=name, PolicyArn=boundary)
    assert "iam:AttachRolePolicy" in message


def test_a_session_may_do_what_its_role_allows_and_nothing_else(aws, name):
    queue = f"arn:aws:sqs:us-east-1:{ACCOUNT}:{name}"
    url = aws.client("sqs").create_queue(QueueName=name)["QueueUrl"]
    other = aws.client("sqs").create_queue(QueueName=name + "-other")["QueueUrl"]
    sqs = Worker(aws, name, document(statement("Allow", "sqs:SendMessage", queue))).client("sqs")
    sqs.send_message(QueueUrl=url, MessageBody="allowed")
    for call, arguments in (
        (sqs.send_message, {"QueueUrl": other, "MessageBody": "denied"}),
        (sqs.receive_message, {"QueueUrl": url}),
        (sqs.create_queue, {"QueueName": name + "-new"}),
    ):
        with pytest.raises(ClientError) as error:
            call(**arguments)
        response = error.value.response
        assert "AccessDenied" in response["Error"]["Code"], response
        assert response["ResponseMetadata"]["HTTPStatusCode"] in (400, 403)


def test_only_put_object_on_one_bucket(aws, name):
    s3 = aws.client("s3")
    s3.create_bucket(Bucket=name)
    s3.create_bucket(Bucket=name + "-other")
    worker = Worker(aws, name, document(statement("Allow", "s3:PutObject", f"arn:aws:s3:::{name}/*")))
    theirs = worker.client("s3")
    theirs.put_object(Bucket=name, Key="in", Body=b"allowed")
    refused("AccessDenied", 403, theirs.put_object, Bucket=name + "-other", Key="in", Body=b"denied")
    refused("AccessDenied", 403, theirs.get_object, Bucket=name, Key="in")
    refused("AccessDenied", 403, theirs.delete_object, Bucket=name, Key="in")
    refused("AccessDenied", 403, theirs.list_objects_v2, Bucket=name)
    refused("AccessDenied", 403, theirs.list_buckets)


def test_without_policies_nothing_is_allowed_but_to_ask_who_one_is(aws, name):
    worker = Worker(aws, name)
    assert worker.client("sts").get_caller_identity()["Arn"] == worker.arn
    message = refused("AccessDenied", 403, worker.client("iam").get_role, RoleName=name)
    resource = f"arn:aws:iam::{ACCOUNT}:role/{name}"
    start = f"User: {worker.arn} is not authorized to perform: iam:GetRole on resource: {resource} "
    assert message.startswith(start + "because no identity-based policy allows the iam:GetRole action")


def test_a_denial_says_what_would_have_allowed_it(aws, name):
    worker = Worker(aws, name, document(statement("Allow", "iam:GetRole", f"arn:aws:iam::{ACCOUNT}:role/another")))
    message = refused("AccessDenied", 403, worker.client("iam").get_role, RoleName=name)
    reason, _, hint = message.partition(" action. ")
    assert reason.endswith("because no identity-based policy allows the iam:GetRole")
    assert hint, message


def test_deny_beats_allow(aws, name):
    allow = document(statement("Allow", "*"))
    deny = document(statement("Deny", "iam:Delete*", f"arn:aws:iam::{ACCOUNT}:role/x/*"))
    worker = Worker(aws, name, allow, deny, Path="/x/")
    iam = worker.client("iam")
    assert iam.get_role(RoleName=name)["Role"]["RoleName"] == name
    message = refused("AccessDenied", 403, iam.delete_role, RoleName=name)
    assert message.startswith(f"User: {worker.arn} is not authorized to perform: iam:DeleteRole on resource: ")
    assert f"role/x/{name} with an explicit deny in an identity-based policy" in message


def test_an_unknown_action_grants_nothing(aws, name):
    actions = ["iam:Get", "iam:GetRoles", "iamx:GetRole", "nothing:AtAll"]
    iam = Worker(aws, name, document(statement("Allow", actions))).client("iam")
    refused("AccessDenied", 403, iam.get_role, RoleName=name)


def test_conditions(aws, name):
    region = {"Condition": {"StringEquals": {"aws:RequestedRegion": "eu-central-1"}}}
    worker = Worker(aws, name, document(statement("Allow", "iam:GetRole", **region)))
    refused("AccessDenied", 403, worker.client("iam").get_role, RoleName=name)
    worker.client("iam", region="eu-central-1").get_role(RoleName=name)


def test_changes_count_at_once(aws, name):
    worker = Worker(aws, name)
    iam = worker.client("iam")
    for _ in range(3):
        refused("AccessDenied", 403, iam.get_role, RoleName=name)
        worker.put("own", document(statement("Allow", "iam:GetRole")))
        iam.get_role(RoleName=name)
        worker.iam.delete_role_policy(RoleName=name, PolicyName="own")


def test_a_role_made_anew_is_another(aws, name):
    worker = Worker(aws, name)
    worker.iam.delete_role(RoleName=name)
    create(worker.iam, name)
    worker.put("own", document(statement("Allow", "iam:*")))
    refused("AccessDenied", 403, worker.client("iam").get_role, RoleName=name)
    again = worker.aws.client("sts").assume_role(RoleArn=worker.role["Arn"], RoleSessionName="work")["Credentials"]
    keys = (again["AccessKeyId"], again["SecretAccessKey"], again["SessionToken"])
    assert aws.client("iam", *keys).get_role(RoleName=name)["Role"]["RoleName"] == name


def test_roles_survive_a_restart(launch, tmp_path, name):
    first = launch(tmp_path / "data")
    role = create(first.client("iam"), name)
    policy = json.dumps(document(statement("Allow", "sqs:*")))
    first.client("iam").put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=policy)
    first.kill()
    iam = launch(tmp_path / "data").client("iam")
    assert iam.get_role(RoleName=name)["Role"] == role
    assert iam.list_role_policies(RoleName=name)["PolicyNames"] == ["own"]
