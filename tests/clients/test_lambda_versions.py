"""Lambda: code and configuration change, versions keep what they were, aliases lead to them."""

import base64
import hashlib
import json
import threading
import urllib.error
import urllib.request

import pytest
from botocore.exceptions import ClientError
from lambda_functions import arn, create, invoke, package, refused, role, text  # noqa: F401

STALE = (
    "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve "
    "the latest Revision Id"
)
NOT_SEEN = "00000000-0000-4000-8000-000000000000"


def says(answer):
    """The source of a function that answers so."""
    return f"import os\ndef handle(event, context):\n    return [{answer!r}, context.function_version]\n"


# How a function stands, which its making and its updates change.
STANDING = {"State", "StateReason", "StateReasonCode", "LastUpdateStatus", "LastUpdateStatusReason",
            "LastUpdateStatusReasonCode"}


def sha(code):
    return base64.b64encode(hashlib.sha256(code).digest()).decode()


def run(aws, name, **arguments):
    answer = invoke(aws, name, {}, **arguments)
    assert "FunctionError" not in answer, answer
    payload = json.loads(answer["Payload"])
    assert payload[1] == answer["ExecutedVersion"]
    return payload[0], answer["ExecutedVersion"]


def test_code_is_updated(aws, create, name):
    made = create(says("one"))
    client = aws.client("lambda")
    assert run(aws, name) == ("one", "$LATEST")
    code = package(says("two"))
    dry = client.update_function_code(FunctionName=name, ZipFile=code, DryRun=True, RevisionId=made["RevisionId"])
    assert (dry["CodeSha256"], dry["CodeSize"]) == (sha(code), len(code))
    assert client.get_function_configuration(FunctionName=name)["CodeSha256"] == made["CodeSha256"]
    assert run(aws, name) == ("one", "$LATEST")

    updated = client.update_function_code(FunctionName=arn(name), ZipFile=code, RevisionId=made["RevisionId"])
    assert updated.pop("ResponseMetadata")["HTTPStatusCode"] == 200
    changed = {"CodeSha256", "CodeSize", "RevisionId", "LastModified", *STANDING}
    assert (updated["CodeSha256"], updated["CodeSize"]) == (sha(code), len(code))
    assert updated["RevisionId"] != made["RevisionId"]
    assert updated["LastModified"] >= made["LastModified"]
    same = {key: value for key, value in made.items() if key not in changed}
    assert same == {key: value for key, value in updated.items() if key not in changed}
    assert (updated["State"], updated["LastUpdateStatus"]) == ("Active", "InProgress")
    assert updated["LastUpdateStatusReason"] == "The function is being created."
    assert updated["LastUpdateStatusReasonCode"] == "Creating"
    for waiter in ("function_updated", "function_updated_v2", "function_active", "function_active_v2"):
        client.get_waiter(waiter).wait(FunctionName=name)
    assert run(aws, name) == ("two", "$LATEST")

    error = text("PreconditionFailedException", 412, STALE, client.update_function_code,
                 FunctionName=name, ZipFile=code, RevisionId=made["RevisionId"])
    assert error["Type"] == "User"
    text("PreconditionFailedException", 412, STALE, client.update_function_code,
         FunctionName=name, ZipFile=code, RevisionId=made["RevisionId"], DryRun=True)
    text("ResourceNotFoundException", 404, f"Function not found: {arn(name + 'x')}", client.update_function_code,
         FunctionName=name + "x", ZipFile=code)
    text("InvalidParameterValueException", 400,
         "Could not unzip uploaded file. Please check your file, then try to upload again.",
         client.update_function_code, FunctionName=name, ZipFile=b"no zip")
    text("InvalidParameterValueException", 400, "Please provide a source for function code.",
         client.update_function_code, FunctionName=name)
    other = {"x86_64": "arm64", "arm64": "x86_64"}[made["Architectures"][0]]
    error = refused("NotImplementedException", 501, client.update_function_code,
                    FunctionName=name, ZipFile=code, Architectures=[other])
    assert other in error["Error"]["Message"]
    assert run(aws, name) == ("two", "$LATEST")


def test_code_can_be_downloaded_for_a_while(aws, create, name):
    create(says("one"), Publish=True)
    client = aws.client("lambda")
    codes = {"1": package(says("one")), "$LATEST": package(says("two"))}
    client.update_function_code(FunctionName=name, ZipFile=codes["$LATEST"])
    for qualifier, code in codes.items():
        location = client.get_function(FunctionName=name, Qualifier=qualifier)["Code"]["Location"]
        assert location.startswith(aws.endpoint)
        with urllib.request.urlopen(location) as answer:
            assert (answer.read(), answer.headers["content-type"]) == (code, "application/zip")
    layer = package(files={"python/a.py": "a = 1"})
    made = client.publish_layer_version(LayerName=name, Content={"ZipFile": layer})
    for content in (
        made["Content"],
        client.get_layer_version(LayerName=name, VersionNumber=1)["Content"],
        client.get_layer_version_by_arn(Arn=made["LayerVersionArn"])["Content"],
    ):
        with urllib.request.urlopen(content["Location"]) as answer:
            assert answer.read() == layer

    def refused_download(url, status):
        with pytest.raises(urllib.error.HTTPError) as error:
            urllib.request.urlopen(url)
        assert error.value.code == status

    refused_download(location.replace("Expires=1", "Expires=2"), 403)
    refused_download(location.split("?")[0], 403)
    client.update_function_code(FunctionName=name, ZipFile=package(says("three")))
    # What nobody needs goes after the commit that lets go of it.
    gone = False
    while not gone:
        try:
            urllib.request.urlopen(location).close()
        except urllib.error.HTTPError as error:
            gone = error.code == 404
            assert gone


def test_code_is_updated_from_a_bucket(aws, create, name):
    create(says("one"))
    s3 = aws.client("s3", s3={"addressing_style": "path"})
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="code.zip", Body=package(says("bucket")))
    aws.client("lambda").update_function_code(FunctionName=name, S3Bucket=name, S3Key="code.zip")
    assert run(aws, name) == ("bucket", "$LATEST")
    error = refused("InvalidParameterValueException", 400, aws.client("lambda").update_function_code,
                    FunctionName=name, S3Bucket=name, S3Key="none.zip")
    assert "S3 Error Code: NoSuchKey." in error["Error"]["Message"]


def test_configuration_is_updated(aws, create, name):
    source = "import os\ndef handle(event, context):\n    return [os.environ.get('A'), context.memory_limit_in_mb]\n"
    made = create(source, Environment={"Variables": {"A": "a"}}, Description="first", Timeout=5)
    client = aws.client("lambda")
    assert json.loads(invoke(aws, name)["Payload"]) == ["a", "128"]
    updated = client.update_function_configuration(
        FunctionName=name, MemorySize=192, Environment={"Variables": {"A": "b"}}, RevisionId=made["RevisionId"])
    updated.pop("ResponseMetadata")
    changed = {"MemorySize", "Environment", "RevisionId", "LastModified", *STANDING}
    assert (updated["MemorySize"], updated["Environment"]) == (192, {"Variables": {"A": "b"}})
    assert {k: v for k, v in made.items() if k not in changed} == {
        k: v for k, v in updated.items() if k not in changed}
    client.get_waiter("function_updated").wait(FunctionName=name)
    assert json.loads(invoke(aws, name)["Payload"]) == ["b", "192"]
    shown = client.get_function_configuration(FunctionName=name)
    shown.pop("ResponseMetadata")
    assert {**shown, "LastUpdateStatus": "InProgress"} == {
        k: v for k, v in updated.items() if not k.startswith("LastUpdateStatusReason")}
    emptied = client.update_function_configuration(FunctionName=name, Environment={"Variables": {}}, Description="")
    assert ("Environment" in emptied, emptied["Description"]) == (False, "")
    assert json.loads(invoke(aws, name)["Payload"]) == [None, "192"]

    update = client.update_function_configuration
    text("PreconditionFailedException", 412, STALE, update, FunctionName=name, RevisionId=made["RevisionId"])
    text("ResourceNotFoundException", 404, f"Function not found: {arn(name + 'x')}", update, FunctionName=name + "x")
    text("InvalidParameterValueException", 400, "The role defined for the function cannot be assumed by Lambda.",
         update, FunctionName=name, Role=made["Role"] + "-missing")
    refused("ValidationException", 400, update, FunctionName=name, Timeout=901)
    error = refused("InvalidParameterValueException", 400, update, FunctionName=name,
                    Environment={"Variables": {"AWS_REGION": "x"}})
    assert "Reserved keys" in error["Error"]["Message"]
    refused("NotImplementedException", 501, update, FunctionName=name, TracingConfig={"Mode": "Active"})


def test_versions_keep_what_they_were(aws, create, name):
    made = create(says("one"), Publish=True, Description="first")
    assert (made["Version"], made["FunctionArn"]) == ("1", arn(name, "1"))
    client = aws.client("lambda")
    latest = client.get_function_configuration(FunctionName=name)
    assert (latest["Version"], latest["FunctionArn"]) == ("$LATEST", arn(name))
    again = client.publish_version(FunctionName=name)
    assert again["ResponseMetadata"]["HTTPStatusCode"] == 201
    assert (again["Version"], again["RevisionId"]) == ("1", made["RevisionId"])

    code = package(says("two"))
    updated = client.update_function_code(FunctionName=name, ZipFile=code)
    text("PreconditionFailedException", 412, STALE, client.publish_version, FunctionName=name, RevisionId=NOT_SEEN)
    text("InvalidParameterValueException", 400,
         f"CodeSHA256 ({made['CodeSha256']}) is different from current CodeSHA256 in $LATEST ({sha(code)}). Please "
         "try again with the CodeSHA256 in $LATEST.",
         client.publish_version, FunctionName=name, CodeSha256=made["CodeSha256"])
    second = client.publish_version(
        FunctionName=name, CodeSha256=sha(code), RevisionId=updated["RevisionId"], Description="second")
    assert (second["Version"], second["FunctionArn"], second["Description"]) == ("2", arn(name, "2"), "second")
    assert second["RevisionId"] not in (updated["RevisionId"], made["RevisionId"])
    assert client.get_function_configuration(FunctionName=name)["Description"] == "first"
    third = client.update_function_code(FunctionName=name, ZipFile=package(says("three")), Publish=True)
    assert (third["Version"], third["FunctionArn"]) == ("3", arn(name, "3"))
    text("ResourceNotFoundException", 404, f"Function not found: {arn(name + 'x')}", client.publish_version,
         FunctionName=name + "x")

    for qualified, arguments, answer in (
        (name, {}, ("three", "$LATEST")),
        (name, {"Qualifier": "1"}, ("one", "1")),
        (f"{name}:2", {}, ("two", "2")),
        (arn(name, "3"), {}, ("three", "3")),
        (f"{arn(name).split(':', 4)[4]}:1", {}, ("one", "1")),
        (name, {"Qualifier": "$LATEST"}, ("three", "$LATEST")),
    ):
        assert run(aws, qualified, **arguments) == answer
    shown = client.get_function(FunctionName=name, Qualifier="2")["Configuration"]
    assert (shown["Version"], shown["FunctionArn"], shown["CodeSha256"]) == ("2", arn(name, "2"), sha(code))

    pages = client.get_paginator("list_versions_by_function").paginate(
        FunctionName=name, PaginationConfig={"PageSize": 2})
    listed = [one for page in pages for one in page["Versions"]]
    assert [one["Version"] for one in listed] == ["$LATEST", "1", "2", "3"]
    assert [one["FunctionArn"] for one in listed] == [arn(name, one["Version"]) for one in listed]
    assert [one["Description"] for one in listed] == ["first", "first", "second", "first"]
    pages = client.get_paginator("list_functions").paginate(FunctionVersion="ALL", PaginationConfig={"PageSize": 2})
    everything = [one["FunctionArn"] for page in pages for one in page["Functions"] if one["FunctionName"] == name]
    assert everything == [one["FunctionArn"] for one in listed]
    refused("InvalidParameterValueException", 400, client.list_versions_by_function, FunctionName=name, Marker="?")
    text("ResourceNotFoundException", 404, f"Function not found: {arn(name + 'x')}",
         client.list_versions_by_function, FunctionName=name + "x")

    assert client.delete_function(FunctionName=name, Qualifier="2")["ResponseMetadata"]["HTTPStatusCode"] == 204
    gone = f"Function not found: {arn(name, '2')}"
    text("ResourceNotFoundException", 404, gone, client.get_function, FunctionName=name, Qualifier="2")
    text("ResourceNotFoundException", 404, gone, client.invoke, FunctionName=name, Qualifier="2")
    text("ResourceNotFoundException", 404, gone, client.delete_function, FunctionName=name, Qualifier="2")
    assert run(aws, f"{name}:1") == ("one", "1")
    # Numbers never come back, not even with the function.
    client.delete_function(FunctionName=name)
    text("ResourceNotFoundException", 404, f"Function not found: {arn(name, '1')}", client.invoke,
         FunctionName=name, Qualifier="1")
    assert create(says("four"), Publish=True)["Version"] == "4"


def test_aliases_lead_to_versions(aws, create, name):
    create(says("one"), Publish=True)
    client = aws.client("lambda")
    client.update_function_code(FunctionName=name, ZipFile=package(says("two")), Publish=True)
    made = client.create_alias(FunctionName=name, Name="live", FunctionVersion="1", Description="what users see")
    assert made.pop("ResponseMetadata")["HTTPStatusCode"] == 201
    revision = made.pop("RevisionId")
    assert made == {
        "AliasArn": arn(name, "live"),
        "Name": "live",
        "FunctionVersion": "1",
        "Description": "what users see",
    }
    shown = client.get_alias(FunctionName=arn(name), Name="live")
    assert (shown["AliasArn"], shown["RevisionId"]) == (made["AliasArn"], revision)
    assert run(aws, name, Qualifier="live") == ("one", "1")
    assert run(aws, arn(name, "live")) == ("one", "1")
    configuration = client.get_function_configuration(FunctionName=name, Qualifier="live")
    assert (configuration["Version"], configuration["FunctionArn"]) == ("1", arn(name, "live"))

    updated = client.update_alias(FunctionName=name, Name="live", FunctionVersion="2", RevisionId=revision)
    assert (updated["FunctionVersion"], updated["Description"]) == ("2", "what users see")
    assert updated["RevisionId"] != revision
    assert run(aws, f"{name}:live") == ("two", "2")
    weighted = client.update_alias(
        FunctionName=name, Name="live", RoutingConfig={"AdditionalVersionWeights": {"1": 1.0}})
    assert weighted["RoutingConfig"] == {"AdditionalVersionWeights": {"1": 1.0}}
    assert run(aws, f"{name}:live") == ("one", "1")
    client.create_alias(FunctionName=name, Name="next", FunctionVersion="$LATEST")
    client.create_alias(FunctionName=name, Name="old", FunctionVersion="1")

    def names(**arguments):
        pages = client.get_paginator("list_aliases").paginate(
            FunctionName=name, PaginationConfig={"PageSize": 1}, **arguments)
        return [alias["Name"] for page in pages for alias in page["Aliases"]]

    assert names() == ["live", "next", "old"]
    assert names(FunctionVersion="1") == ["live", "old"]
    assert names(FunctionVersion="2") == ["live"]
    in_use = "Unable to delete version because the following aliases reference it: [live, old]"
    text("ResourceConflictException", 409, in_use, client.delete_function, FunctionName=name, Qualifier="1")
    text("InvalidParameterValueException", 400, "Deletion of aliases is not currently supported.",
         client.delete_function, FunctionName=name, Qualifier="live")
    plain = client.update_alias(FunctionName=name, Name="live", RoutingConfig={})
    assert "RoutingConfig" not in plain
    for _ in range(2):
        assert client.delete_alias(FunctionName=name, Name="old")["ResponseMetadata"]["HTTPStatusCode"] == 204
    client.delete_function(FunctionName=name, Qualifier="1")
    text("ResourceNotFoundException", 404, f"Function not found: {arn(name, 'old')}", client.invoke,
         FunctionName=name, Qualifier="old")


def test_aliases_that_cannot_be(aws, create, name):
    create(Publish=True)
    client = aws.client("lambda")
    client.update_function_code(FunctionName=name, ZipFile=package(says("two")), Publish=True)
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    make = client.create_alias
    good = {"FunctionName": name, "Name": "other", "FunctionVersion": "1"}
    text("ResourceConflictException", 409, f"Alias already exists: {arn(name, 'live')}", make,
         **{**good, "Name": "live"})
    text("ResourceNotFoundException", 404, f"Function not found: {arn(name, '9')}", make,
         **{**good, "FunctionVersion": "9"})
    text("ResourceNotFoundException", 404, f"Function not found: {arn(name + 'x')}", make,
         **{**good, "FunctionName": name + "x"})
    for bad in ("12", "a.b"):
        error = refused("ValidationException", 400, make, **{**good, "Name": bad})
        assert "(?!^[0-9]+$)([a-zA-Z0-9-_]+)" in error["Error"]["Message"]

    def weights(version="1", **shares):
        shares = {key.strip("v"): share for key, share in shares.items()}
        return {**good, "FunctionVersion": version, "RoutingConfig": {"AdditionalVersionWeights": shares}}

    for arguments, code, status, message in (
        (weights(v1=0.5), "InvalidParameterValueException", 400,
         "Invalid function version 1. Function version 1 is already included in routing configuration."),
        (weights("$LATEST", v1=0.5), "InvalidParameterValueException", 400,
         "$LATEST is not supported for an alias pointing to more than 1 version"),
        (weights(v2=0.5, v3=0.5), "InvalidParameterValueException", 400,
         "Number of items in AdditionalVersionWeights cannot be greater than 1"),
        (weights(v9=0.5), "ResourceNotFoundException", 404, f"Function not found: {arn(name, '9')}"),
    ):
        text(code, status, message, make, **arguments)
    raw = aws.client("lambda", parameter_validation=False)
    refused("ValidationException", 400, raw.create_alias, **weights(v2=1.5))
    text("ResourceNotFoundException", 404, f"Cannot find alias arn: {arn(name, 'none')}", client.get_alias,
         FunctionName=name, Name="none")
    text("ResourceNotFoundException", 404, f"Alias not found: {arn(name, 'none')}", client.update_alias,
         FunctionName=name, Name="none")
    text("PreconditionFailedException", 412, STALE, client.update_alias, FunctionName=name, Name="live",
         RevisionId=NOT_SEEN)
    text("ResourceNotFoundException", 404, f"Function not found: {arn(name, '9')}", client.update_alias,
         FunctionName=name, Name="live", FunctionVersion="9")
    for call, arguments in ((client.get_alias, {"Name": "live"}), (client.delete_alias, {"Name": "live"}),
                            (client.update_alias, {"Name": "live"}), (client.list_aliases, {})):
        text("ResourceNotFoundException", 404, f"Function not found: {arn(name + 'x')}", call,
             FunctionName=name + "x", **arguments)


def test_an_update_under_load_drops_no_call(aws, create, name):
    create(says("0"))
    codes = [package(says(str(number))) for number in range(1, 6)]
    done = threading.Event()
    answers, failures = [], []

    def work(client):
        while not done.is_set():
            try:
                answer = client.invoke(FunctionName=name)
                assert "FunctionError" not in answer
                answers.append(json.loads(answer["Payload"].read())[0])
            except (ClientError, AssertionError) as error:
                failures.append(error)

    threads = [threading.Thread(target=work, args=(aws.client("lambda"),)) for _ in range(8)]
    for thread in threads:
        thread.start()
    client = aws.client("lambda")
    for number, code in enumerate(codes, 1):
        client.update_function_code(FunctionName=name, ZipFile=code, Publish=number % 2 == 0)
        # Whoever asks after the update is answered by the new code.
        assert run(aws, name)[0] == str(number)
    done.set()
    for thread in threads:
        thread.join()
    assert failures == []
    assert {"0", "5"} <= {*answers, "5"}
    print(f"\n{len(answers)} calls during {len(codes)} updates, none dropped")


def test_the_cli_publishes_and_points(aws, create, name, tmp_path):
    create(says("one"))
    archive = tmp_path / "code.zip"
    archive.write_bytes(package(says("two")))

    def cli(command, *arguments):
        return json.loads(aws.cli("lambda", command, "--function-name", name, *arguments).stdout or "null")

    assert cli("publish-version")["Version"] == "1"
    assert cli("update-function-code", "--zip-file", f"fileb://{archive}", "--publish")["Version"] == "2"
    assert cli("update-function-configuration", "--timeout", 9)["Timeout"] == 9
    aws.cli("lambda", "wait", "function-updated-v2", "--function-name", name)
    routed = cli("create-alias", "--name", "live", "--function-version", "1",
                 "--routing-config", "AdditionalVersionWeights={2=0.25}")
    assert routed["RoutingConfig"] == {"AdditionalVersionWeights": {"2": 0.25}}
    assert cli("get-alias", "--name", "live")["FunctionVersion"] == "1"
    assert [one["Version"] for one in cli("list-versions-by-function")["Versions"]] == ["$LATEST", "1", "2"]
    assert [one["Name"] for one in cli("list-aliases")["Aliases"]] == ["live"]
    cli("update-alias", "--name", "live", "--function-version", "2", "--routing-config", "{}")
    cli("delete-alias", "--name", "live")
