"""Lambda: functions, versions and aliases have policies of their own, and those decide."""

import json

from lambda_functions import arn, create, invoke, package, refused, role, text  # noqa: F401
from conftest import ACCOUNT, REGION

OTHER = "123456789012"
NOT_SEEN = "00000000-0000-4000-8000-000000000000"
STALE = (
    "The RevisionId provided does not match the latest RevisionId. Call the GetPolicy API to retrieve the latest "
    "RevisionId"
)


def test_permissions_are_added_shown_and_removed(aws, create, name):
    made = create()
    client = aws.client("lambda")
    source = f"arn:aws:s3:::{name}"
    added = client.add_permission(
        FunctionName=name, StatementId="bucket", Action="lambda:InvokeFunction", Principal="s3.amazonaws.com",
        SourceArn=source, SourceAccount=ACCOUNT, RevisionId=made["RevisionId"])
    assert added["ResponseMetadata"]["HTTPStatusCode"] == 201
    statement = {
        "Sid": "bucket",
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "lambda:InvokeFunction",
        "Resource": arn(name),
        "Condition": {"StringEquals": {"AWS:SourceAccount": ACCOUNT}, "ArnLike": {"AWS:SourceArn": source}},
    }
    assert json.loads(added["Statement"]) == statement
    shown = client.get_policy(FunctionName=arn(name))
    assert json.loads(shown["Policy"]) == {"Version": "2012-10-17", "Id": "default", "Statement": [statement]}
    assert shown["RevisionId"] == client.get_function_configuration(FunctionName=name)["RevisionId"]
    assert shown["RevisionId"] != made["RevisionId"]
    everybody = client.add_permission(
        FunctionName=name, StatementId="all", Action="lambda:InvokeFunctionUrl", Principal="*",
        FunctionUrlAuthType="NONE", PrincipalOrgID="o-0123456789", EventSourceToken="token")
    assert json.loads(everybody["Statement"]) == {
        "Sid": "all",
        "Effect": "Allow",
        "Principal": "*",
        "Action": "lambda:InvokeFunctionUrl",
        "Resource": arn(name),
        "Condition": {"StringEquals": {
            "aws:PrincipalOrgID": "o-0123456789",
            "lambda:EventSourceToken": "token",
            "lambda:FunctionUrlAuthType": "NONE",
        }},
    }
    sids = [one["Sid"] for one in json.loads(client.get_policy(FunctionName=name)["Policy"])["Statement"]]
    assert sids == ["bucket", "all"]
    removed = client.remove_permission(FunctionName=name, StatementId="bucket")
    assert removed["ResponseMetadata"]["HTTPStatusCode"] == 204
    client.remove_permission(FunctionName=name, StatementId="all")
    text("ResourceNotFoundException", 404, "The resource you requested does not exist.", client.get_policy,
         FunctionName=name)


def test_permissions_that_cannot_be(aws, create, name):
    create(Publish=True)
    client = aws.client("lambda")
    add, remove = client.add_permission, client.remove_permission
    good = {"FunctionName": name, "StatementId": "one", "Action": "lambda:InvokeFunction", "Principal": OTHER}
    none = "No policy is associated with the given resource."
    text("ResourceNotFoundException", 404, none, remove, FunctionName=name, StatementId="one")
    add(**good)
    text("ResourceConflictException", 409,
         "The statement id (one) provided already exists. Please provide a new statement id, or remove the existing "
         "statement.", add, **good)
    text("PreconditionFailedException", 412, STALE, add, **{**good, "StatementId": "two"}, RevisionId=NOT_SEEN)
    text("PreconditionFailedException", 412, STALE, remove, FunctionName=name, StatementId="one", RevisionId=NOT_SEEN)
    text("ResourceNotFoundException", 404, "Statement two is not found in resource policy.", remove,
         FunctionName=name, StatementId="two")
    for principal in ("nobody", "12345", f"arn:aws:iam::{OTHER}:role/*"):
        text("InvalidParameterValueException", 400,
             "The provided principal was invalid. Please check the principal and try again.", add,
             **{**good, "StatementId": "two", "Principal": principal})
    text("InvalidParameterValueException", 400, "We currently do not support adding policies for $LATEST.", add,
         **good, Qualifier="$LATEST")
    text("InvalidParameterValueException", 400,
         "FunctionUrlAuthType is only supported for lambda:InvokeFunctionUrl action", add,
         **{**good, "StatementId": "two"}, FunctionUrlAuthType="NONE")
    text("InvalidParameterValueException", 400, "SourceArn must not contain a policy variable (${).", add,
         **{**good, "StatementId": "two"}, SourceArn="arn:aws:s3:::${")
    odd = 'arn:aws:s3:::a"b\\c*?}'
    added = add(**{**good, "StatementId": "odd"}, SourceArn=odd)
    assert json.loads(added["Statement"])["Condition"] == {"ArnLike": {"AWS:SourceArn": odd}}
    assert json.loads(invoke(aws, name, 1)["Payload"]) == 1
    for missing, qualifier in ((name, "7"), (name, "live"), (name + "x", None)):
        extra = {"Qualifier": qualifier} if qualifier else {}
        text("ResourceNotFoundException", 404, f"Function not found: {arn(missing, qualifier)}", add,
             **{**good, "FunctionName": missing}, **extra)
        text("ResourceNotFoundException", 404, none, remove, FunctionName=missing, StatementId="one", **extra)
        text("ResourceNotFoundException", 404, "The resource you requested does not exist.", client.get_policy,
             FunctionName=missing, **extra)
    refused("ValidationException", 400, add, **{**good, "Action": "sqs:SendMessage"})
    last = {}
    for number in range(200):
        try:
            add(**{**good, "StatementId": f"{'x' * 90}{number}"})
        except client.exceptions.PolicyLengthExceededException as error:
            last = error.response
            break
    assert last["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert last["Error"]["Message"].endswith("is bigger than the limit (20480).")


def test_another_account_is_let_in_by_the_policy_of_what_it_names(aws, create, name):
    create("def handle(event, context):\n    return context.invoked_function_arn\n", Publish=True)
    client, other = aws.client("lambda"), aws.client("lambda", access_key=OTHER)
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")

    def may(call=other.invoke, **arguments):
        try:
            answer = call(**arguments)
        except other.exceptions.ClientError as error:
            assert error.response["Error"]["Code"] == "AccessDeniedException", error.response
            assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 403
            return error.response["Error"]["Message"]
        return json.loads(answer["Payload"].read()) if "Payload" in answer else True

    denied = (
        f"User: arn:aws:iam::{OTHER}:root is not authorized to perform: lambda:InvokeFunction on resource: "
        f"{arn(name)} because no resource-based policy allows the lambda:InvokeFunction action"
    )
    assert may(FunctionName=arn(name)) == denied
    permission = {"StatementId": "other", "Action": "lambda:InvokeFunction", "Principal": OTHER}
    client.add_permission(FunctionName=name, Qualifier="live", **permission)
    assert may(FunctionName=arn(name, "live")) == arn(name, "live")
    assert may(FunctionName=arn(name)) == denied
    assert "no resource-based policy" in may(FunctionName=arn(name, "1"))
    assert "no resource-based policy" in may(call=other.get_function, FunctionName=arn(name, "live"))
    client.add_permission(FunctionName=name, **permission)
    client.add_permission(FunctionName=name, StatementId="read", Action="lambda:GetFunction", Principal=OTHER)
    assert may(FunctionName=arn(name)) == arn(name)
    assert may(FunctionName=f"{ACCOUNT}:function:{name}") == arn(name)
    assert may(call=other.get_function, FunctionName=arn(name)) is True
    assert "no resource-based policy" in may(FunctionName=arn(name, "1"))
    client.remove_permission(FunctionName=name, StatementId="other")
    assert "not authorized to perform: lambda:InvokeFunction" in may(FunctionName=arn(name))
    client.delete_alias(FunctionName=name, Name="live")
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    assert "no resource-based policy" in may(FunctionName=arn(name, "live"))


def test_a_role_is_let_in_by_a_functions_policy(aws, create, name):
    """A role without policies of its own, in the function's account."""
    create()
    iam, client = aws.client("iam"), aws.client("lambda")
    trust = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}]}
    caller = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    keys = aws.client("sts").assume_role(RoleArn=caller, RoleSessionName="caller")["Credentials"]
    session = aws.client("lambda", access_key=keys["AccessKeyId"], secret=keys["SecretAccessKey"],
                         token=keys["SessionToken"])
    error = refused("AccessDeniedException", 403, session.invoke, FunctionName=name)
    assert "not authorized to perform: lambda:InvokeFunction on resource" in error["Error"]["Message"]
    client.add_permission(FunctionName=name, StatementId="role", Action="lambda:InvokeFunction", Principal=caller)
    assert json.loads(session.invoke(FunctionName=name)["Payload"].read()) == {}
    refused("AccessDeniedException", 403, session.delete_function, FunctionName=name)
    refused("AccessDeniedException", 403, session.update_function_code, FunctionName=name, ZipFile=package())
    # Who may not ask learns nothing of what is there.
    refused("AccessDeniedException", 403, session.get_function, FunctionName=name + "x")
    client.remove_permission(FunctionName=name, StatementId="role")
    refused("AccessDeniedException", 403, session.invoke, FunctionName=name)


def test_the_cli_adds_and_removes(aws, create, name):
    create()
    added = aws.cli("lambda", "add-permission", "--function-name", name, "--statement-id", "one",
                    "--action", "lambda:InvokeFunction", "--principal", "sns.amazonaws.com")
    assert json.loads(json.loads(added.stdout)["Statement"])["Principal"] == {"Service": "sns.amazonaws.com"}
    shown = json.loads(aws.cli("lambda", "get-policy", "--function-name", name).stdout)
    assert json.loads(shown["Policy"])["Statement"][0]["Resource"] == f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"
    aws.cli("lambda", "remove-permission", "--function-name", name, "--statement-id", "one")
    assert aws.cli("lambda", "get-policy", "--function-name", name, check=False).returncode != 0
