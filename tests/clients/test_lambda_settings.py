"""Lambda: tags, quotas, and settings that tools write and read back."""

import json

import pytest
from lambda_functions import arn, create, refused, role, text  # noqa: F401
from conftest import ACCOUNT, REGION

NO_FUNCTION = "The function doesn't exist."


def test_tags_are_set_shown_and_removed(aws, create, name):
    create(Tags={"team": "one"})
    client = aws.client("lambda")
    tagged = client.tag_resource(Resource=arn(name), Tags={"team": "two", "stage": "ä"})
    assert tagged["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert client.list_tags(Resource=arn(name))["Tags"] == {"team": "two", "stage": "ä"}
    assert client.get_function(FunctionName=name)["Tags"] == {"team": "two", "stage": "ä"}
    untagged = client.untag_resource(Resource=arn(name), TagKeys=["team", "none"])
    assert untagged["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert client.list_tags(Resource=arn(name))["Tags"] == {"stage": "ä"}
    client.untag_resource(Resource=arn(name), TagKeys=["stage"])
    assert client.list_tags(Resource=arn(name))["Tags"] == {}
    assert "Tags" not in client.get_function(FunctionName=name)


def test_tags_that_cannot_be(aws, create, name):
    create()
    client = aws.client("lambda")
    calls = ((client.tag_resource, {"Tags": {"a": "b"}}), (client.untag_resource, {"TagKeys": ["a"]}),
             (client.list_tags, {}))
    qualified = "Tags on function aliases and versions are not supported. Please specify a function ARN."
    for call, arguments in calls:
        text("ResourceNotFoundException", 404, f"Function not found: {arn(name + 'x')}", call,
             Resource=arn(name + "x"), **arguments)
        text("InvalidParameterValueException", 400, qualified, call, Resource=arn(name, "live"), **arguments)
        refused("ValidationException", 400, call, Resource=name, **arguments)
        mapping = f"arn:aws:lambda:{REGION}:{ACCOUNT}:event-source-mapping:00000000-0000-4000-8000-000000000000"
        refused("ResourceNotFoundException", 404, call, Resource=mapping, **arguments)
        signing = f"arn:aws:lambda:{REGION}:{ACCOUNT}:code-signing-config:csc-0123456789abcdef0"
        refused("NotImplementedException", 501, call, Resource=signing, **arguments)
    many = {str(number): "" for number in range(50)}
    client.tag_resource(Resource=arn(name), Tags=many)
    text("InvalidParameterValueException", 400, "Number of tags exceeds resource tag limit.", client.tag_resource,
         Resource=arn(name), Tags={"one": "more"})
    text("InvalidParameterValueException", 400, "An error occurred and the request cannot be processed.",
         client.tag_resource, Resource=arn(name), Tags={})
    refused("InvalidParameterValueException", 400, client.tag_resource, Resource=arn(name), Tags={"aws:x": "y"})
    raw = aws.client("lambda", parameter_validation=False)
    refused("ValidationException", 400, raw.tag_resource, Resource=arn(name), Tags={"x" * 129: ""})
    assert client.list_tags(Resource=arn(name))["Tags"] == many


def test_the_account_has_quotas_and_uses_some(aws, create, name):
    client = aws.client("lambda", region="eu-central-1")
    made = client.get_account_settings()
    assert made["AccountLimit"] == {
        "TotalCodeSize": 80530636800,
        "CodeSizeUnzipped": 262144000,
        "CodeSizeZipped": 52428800,
        "ConcurrentExecutions": 1000,
        "UnreservedConcurrentExecutions": 1000,
    }
    assert made["AccountUsage"] == {"TotalCodeSize": 0, "FunctionCount": 0}
    client = aws.client("lambda")
    before = client.get_account_settings()
    size = create(Publish=True)["CodeSize"]
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=5)
    after = client.get_account_settings()
    used = {key: after["AccountUsage"][key] - before["AccountUsage"][key] for key in after["AccountUsage"]}
    assert used == {"TotalCodeSize": 2 * size, "FunctionCount": 1}
    unreserved = [one["AccountLimit"]["UnreservedConcurrentExecutions"] for one in (before, after)]
    assert unreserved[0] - unreserved[1] == 5


def test_recursion_is_kept(aws, create, name):
    create()
    client = aws.client("lambda")
    assert client.get_function_recursion_config(FunctionName=name)["RecursiveLoop"] == "Terminate"
    put = client.put_function_recursion_config(FunctionName=name, RecursiveLoop="Allow")
    assert put["RecursiveLoop"] == "Allow"
    assert client.get_function_recursion_config(FunctionName=name)["RecursiveLoop"] == "Allow"
    missing = f"Function not found: {arn(name + 'x')}"
    text("ResourceNotFoundException", 404, missing, client.get_function_recursion_config, FunctionName=name + "x")
    text("ResourceNotFoundException", 404, missing, client.put_function_recursion_config, FunctionName=name + "x",
         RecursiveLoop="Allow")
    refused("ValidationException", 400, client.put_function_recursion_config, FunctionName=name, RecursiveLoop="x")


def test_runtime_management_is_kept_by_version(aws, create, name):
    create(Publish=True)
    client = aws.client("lambda")
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")

    def shown(**arguments):
        answer = client.get_runtime_management_config(FunctionName=name, **arguments)
        answer.pop("ResponseMetadata")
        return answer

    assert shown() == {"UpdateRuntimeOn": "Auto", "FunctionArn": arn(name)}
    put = client.put_runtime_management_config(FunctionName=name, Qualifier="1", UpdateRuntimeOn="FunctionUpdate")
    assert (put["UpdateRuntimeOn"], put["FunctionArn"]) == ("FunctionUpdate", arn(name, "1"))
    assert shown(Qualifier="1") == {"UpdateRuntimeOn": "FunctionUpdate", "FunctionArn": arn(name, "1")}
    assert shown()["UpdateRuntimeOn"] == "Auto"
    refused("InvalidParameterValueException", 400, client.get_runtime_management_config, FunctionName=name,
            Qualifier="live")
    text("ResourceNotFoundException", 404, f"Function not found: {arn(name, '7')}",
         client.put_runtime_management_config, FunctionName=name, Qualifier="7", UpdateRuntimeOn="Auto")
    error = refused("NotImplementedException", 501, client.put_runtime_management_config, FunctionName=name,
                    UpdateRuntimeOn="Manual", RuntimeVersionArn=f"arn:aws:lambda:{REGION}::runtime:{'0' * 64}")
    assert "UpdateRuntimeOn Manual" in error["Error"]["Message"]


def test_no_signature_is_asked_for(aws, create, name):
    create()
    client = aws.client("lambda")
    shown = client.get_function_code_signing_config(FunctionName=name)
    assert (shown["CodeSigningConfigArn"], shown["FunctionName"]) == ("", name)
    text("ResourceNotFoundException", 404, f"Function not found: {arn(name + 'x')}",
         client.get_function_code_signing_config, FunctionName=name + "x")


def test_event_invoke_configurations_are_kept(aws, create, role, name):
    create(Publish=True)
    client = aws.client("lambda")
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    queue = f"arn:aws:sqs:{REGION}:{ACCOUNT}:failed"
    aws.client("iam").put_role_policy(RoleName=role.split("/")[-1], PolicyName="tell", PolicyDocument=json.dumps({
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": queue}]}))
    none = f"The function {arn(name, '$LATEST')} doesn't have an EventInvokeConfig"
    for call in (client.get_function_event_invoke_config, client.delete_function_event_invoke_config):
        text("ResourceNotFoundException", 404, none, call, FunctionName=name)
    text("ResourceNotFoundException", 404, none, client.update_function_event_invoke_config, FunctionName=name,
         MaximumRetryAttempts=1)
    put = client.put_function_event_invoke_config(
        FunctionName=name, MaximumRetryAttempts=0, DestinationConfig={"OnFailure": {"Destination": queue}})
    assert put.pop("ResponseMetadata")["HTTPStatusCode"] == 200
    assert put.pop("LastModified")
    assert put == {
        "FunctionArn": arn(name, "$LATEST"),
        "MaximumRetryAttempts": 0,
        "DestinationConfig": {"OnSuccess": {}, "OnFailure": {"Destination": queue}},
    }
    updated = client.update_function_event_invoke_config(FunctionName=name, MaximumEventAgeInSeconds=60)
    assert (updated["MaximumRetryAttempts"], updated["MaximumEventAgeInSeconds"]) == (0, 60)
    assert updated["DestinationConfig"]["OnFailure"] == {"Destination": queue}
    replaced = client.put_function_event_invoke_config(FunctionName=name, MaximumEventAgeInSeconds=21600)
    assert "MaximumRetryAttempts" not in replaced
    assert replaced["DestinationConfig"] == {"OnSuccess": {}, "OnFailure": {}}
    shown = client.get_function_event_invoke_config(FunctionName=name)
    assert (shown["FunctionArn"], shown["MaximumEventAgeInSeconds"]) == (arn(name, "$LATEST"), 21600)
    for qualifier in ("live", "1"):
        client.put_function_event_invoke_config(FunctionName=name, Qualifier=qualifier, MaximumRetryAttempts=2)
    pages = client.get_paginator("list_function_event_invoke_configs").paginate(
        FunctionName=name, PaginationConfig={"PageSize": 1})
    listed = [one["FunctionArn"] for page in pages for one in page["FunctionEventInvokeConfigs"]]
    assert sorted(listed) == sorted(arn(name, qualifier) for qualifier in ("$LATEST", "1", "live"))
    client.delete_alias(FunctionName=name, Name="live")
    text("ResourceNotFoundException", 404, f"The function {arn(name, 'live')} doesn't have an EventInvokeConfig",
         client.get_function_event_invoke_config, FunctionName=name, Qualifier="live")
    deleted = client.delete_function_event_invoke_config(FunctionName=name, Qualifier="1")
    assert deleted["ResponseMetadata"]["HTTPStatusCode"] == 204


@pytest.mark.parametrize("verb", ["put", "update"])
def test_event_invoke_configurations_that_cannot_be(aws, create, name, verb):
    create()
    client = aws.client("lambda")
    client.put_function_event_invoke_config(FunctionName=name, MaximumRetryAttempts=1)
    call = getattr(client, f"{verb}_function_event_invoke_config")
    text("InvalidParameterValueException", 400,
         "You must specify at least one of error handling or destination setting.", call, FunctionName=name)
    for arguments in ({"FunctionName": name + "x"}, {"FunctionName": name, "Qualifier": "live"}):
        text("ResourceNotFoundException", 404, NO_FUNCTION, call, **arguments, MaximumRetryAttempts=1)
    bad = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/x"
    text("InvalidParameterValueException", 400, f"The destination ARN {bad} is invalid.", call, FunctionName=name,
         DestinationConfig={"OnSuccess": {"Destination": bad}})
    text("InvalidParameterValueException", 400, "You can't specify the function as a destination for itself.", call,
         FunctionName=name, DestinationConfig={"OnSuccess": {"Destination": arn(name)}})
    raw = getattr(aws.client("lambda", parameter_validation=False), f"{verb}_function_event_invoke_config")
    refused("ValidationException", 400, raw, FunctionName=name, MaximumRetryAttempts=3)
    refused("ValidationException", 400, raw, FunctionName=name, MaximumEventAgeInSeconds=59)
    text("ResourceNotFoundException", 404, NO_FUNCTION, client.list_function_event_invoke_configs,
         FunctionName=name + "x")


def test_the_cli_reads_settings_back(aws, create, name):
    create()
    aws.cli("lambda", "tag-resource", "--resource", arn(name), "--tags", "team=one")
    assert json.loads(aws.cli("lambda", "list-tags", "--resource", arn(name)).stdout) == {"Tags": {"team": "one"}}
    aws.cli("lambda", "put-function-event-invoke-config", "--function-name", name, "--maximum-retry-attempts", 1)
    shown = aws.cli("lambda", "get-function-event-invoke-config", "--function-name", name)
    assert json.loads(shown.stdout)["MaximumRetryAttempts"] == 1
    assert json.loads(aws.cli("lambda", "get-account-settings").stdout)["AccountLimit"]["ConcurrentExecutions"] == 1000
