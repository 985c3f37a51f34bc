"""Lambda: layers are published, shown, shared, deleted, and found at /opt."""

import base64
import hashlib
import json

import pytest
from lambda_functions import arn, create, invoke, package, refused, role, text  # noqa: F401
from conftest import ACCOUNT, REGION

OTHER = "123456789012"
NOT_SEEN = "00000000-0000-4000-8000-000000000000"
GONE = "The resource you requested does not exist."

READS = """
import pathlib
import tools

def handle(event, context):
    return [tools.ANSWER, sorted(str(path) for path in pathlib.Path("/opt").rglob("*") if path.is_file())]
"""


def layer_arn(name, number=None):
    return f"arn:aws:lambda:{REGION}:{ACCOUNT}:layer:{name}" + (f":{number}" if number else "")


def tools(answer, **files):
    return package(files={"python/tools.py": f"ANSWER = {answer!r}\n", **files})


@pytest.fixture
def publish(aws, name):
    """Publishes versions of a layer, which are deleted after the test."""
    client = aws.client("lambda")
    made = []

    def make(content, layer=name, **arguments):
        answer = client.publish_layer_version(LayerName=layer, Content={"ZipFile": content}, **arguments)
        made.append((layer, answer["Version"]))
        return answer

    yield make
    for layer, number in made:
        client.delete_layer_version(LayerName=layer, VersionNumber=number)


def test_layers_are_published_shown_listed_and_deleted(aws, publish, name):
    client = aws.client("lambda")
    content = tools("one")
    made = publish(content, Description="first", CompatibleRuntimes=["python3.11", "python3.12"],
                   CompatibleArchitectures=["x86_64"], LicenseInfo="MIT")
    assert made.pop("ResponseMetadata")["HTTPStatusCode"] == 201
    assert made.pop("CreatedDate").endswith("+0000")
    assert made["Content"].pop("Location").startswith(f"{aws.endpoint}/_apus/code/")
    expected = {
        "Content": {"CodeSha256": base64.b64encode(hashlib.sha256(content).digest()).decode(),
                    "CodeSize": len(content)},
        "LayerArn": layer_arn(name),
        "LayerVersionArn": layer_arn(name, 1),
        "Description": "first",
        "Version": 1,
        "CompatibleRuntimes": ["python3.11", "python3.12"],
        "CompatibleArchitectures": ["x86_64"],
        "LicenseInfo": "MIT",
    }
    assert made == expected
    for shown in (client.get_layer_version(LayerName=name, VersionNumber=1),
                  client.get_layer_version(LayerName=layer_arn(name), VersionNumber=1),
                  client.get_layer_version_by_arn(Arn=layer_arn(name, 1))):
        shown["Content"].pop("Location")
        assert expected.items() <= shown.items()
    second = publish(tools("two"), CompatibleRuntimes=["python3.12"])
    assert (second["Version"], second["Description"]) == (2, "")
    pages = client.get_paginator("list_layer_versions").paginate(LayerName=name, PaginationConfig={"PageSize": 1})
    assert [one["Version"] for page in pages for one in page["LayerVersions"]] == [2, 1]
    for arguments, versions in (({"CompatibleRuntime": "python3.11"}, [1]), ({"CompatibleRuntime": "python3.12"}, [2, 1]),
                                ({"CompatibleArchitecture": "x86_64"}, [1]), ({"CompatibleRuntime": "nodejs22.x"}, [])):
        listed = client.list_layer_versions(LayerName=name, **arguments)["LayerVersions"]
        assert [one["Version"] for one in listed] == versions
    pages = client.get_paginator("list_layers").paginate(PaginationConfig={"PageSize": 1})
    own = [one for page in pages for one in page["Layers"] if one["LayerName"] == name]
    assert [(one["LayerArn"], one["LatestMatchingVersion"]["Version"]) for one in own] == [(layer_arn(name), 2)]
    fit = client.list_layers(CompatibleRuntime="python3.11")["Layers"]
    assert [one["LatestMatchingVersion"]["Version"] for one in fit if one["LayerName"] == name] == [1]
    for _ in range(2):
        deleted = client.delete_layer_version(LayerName=name, VersionNumber=2)
        assert deleted["ResponseMetadata"]["HTTPStatusCode"] == 204
    text("ResourceNotFoundException", 404, GONE, client.get_layer_version, LayerName=name, VersionNumber=2)
    text("ResourceNotFoundException", 404, GONE, client.get_layer_version_by_arn, Arn=layer_arn(name, 2))
    # Numbers never come back.
    assert publish(tools("three"))["Version"] == 3


def test_functions_find_their_layers_at_opt(aws, create, publish, name):
    client = aws.client("lambda")
    one = publish(tools("one", **{"a.txt": "a", "shared.txt": "low"}))["LayerVersionArn"]
    other = publish(package(files={"b.txt": "b", "shared.txt": "high"}), layer=f"{name}-b")["LayerVersionArn"]
    made = create(READS, Layers=[one, other], Publish=True)
    assert [layer["Arn"] for layer in made["Layers"]] == [one, other]
    assert made["Layers"][0]["CodeSize"] == client.get_layer_version_by_arn(Arn=one)["Content"]["CodeSize"]
    files = ["/opt/a.txt", "/opt/b.txt", "/opt/python/tools.py", "/opt/shared.txt"]
    found = json.loads(invoke(aws, name)["Payload"])
    assert [found[0], [path for path in found[1] if not path.endswith(".pyc")]] == ["one", files]
    two = publish(tools("two"))["LayerVersionArn"]
    updated = client.update_function_configuration(FunctionName=name, Layers=[two])
    assert [layer["Arn"] for layer in updated["Layers"]] == [two]
    assert json.loads(invoke(aws, name)["Payload"])[0] == "two"
    # What is deleted stays for those that use it.
    for layer in (one, two, other):
        client.delete_layer_version(LayerName=layer.rsplit(":", 1)[0], VersionNumber=int(layer.rsplit(":", 1)[1]))
    client.update_function_configuration(FunctionName=name, Timeout=9)
    assert json.loads(invoke(aws, name)["Payload"])[0] == "two"
    assert json.loads(invoke(aws, f"{name}:1")["Payload"])[0] == "one"
    client.update_function_configuration(FunctionName=name, Layers=[two])
    text("InvalidParameterValueException", 400, f"Layer version {one} does not exist.",
         client.update_function_configuration, FunctionName=name, Layers=[one])
    emptied = client.update_function_configuration(FunctionName=name, Layers=[])
    assert "Layers" not in emptied
    assert json.loads(invoke(aws, name)["Payload"])["errorType"] == "Runtime.ImportModuleError"


def test_layers_that_cannot_be(aws, create, publish, name):
    client = aws.client("lambda")
    text("InvalidParameterValueException", 400,
         "Could not unzip uploaded file. Please check your file, then try to upload again.",
         client.publish_layer_version, LayerName=name, Content={"ZipFile": b"no zip"})
    refused("InvalidParameterValueException", 400, client.publish_layer_version, LayerName=name, Content={})
    refused("ValidationException", 400, client.publish_layer_version, LayerName="a.b",
            Content={"ZipFile": tools("x")})
    one, two = (publish(tools(answer))["LayerVersionArn"] for answer in ("one", "two"))
    many = [publish(tools("x"), layer=f"{name}-{number}")["LayerVersionArn"] for number in range(6)]
    text("InvalidParameterValueException", 400, "Cannot reference more than 5 layers.", create, Layers=many)
    error = refused("InvalidParameterValueException", 400, create, Layers=[one, two])
    assert error["Error"]["Message"].startswith("Two different versions of the same layer are not allowed")
    missing = layer_arn(name, 99)
    text("InvalidParameterValueException", 400, f"Layer version {missing} does not exist.", create, Layers=[missing])
    zeros = package(files={"zeros": b"\0" * 200_000_000})
    big = publish(zeros, layer=f"{name}-big")["LayerVersionArn"]
    create(Layers=[big])
    error = refused("InvalidParameterValueException", 400, client.update_function_code, FunctionName=name,
                    ZipFile=package(files={"handler.py": "", "zeros": b"\0" * 62_144_001}))
    assert error["Error"]["Message"] == (
        "Function code combined with layers exceeds the maximum allowed size of 262144000 bytes. The actual size is "
        "262144001 bytes.")


def test_layer_permissions(aws, create, publish, name):
    client, other = aws.client("lambda"), aws.client("lambda", access_key=OTHER)
    made = publish(tools("one"))["LayerVersionArn"]
    version = {"LayerName": name, "VersionNumber": 1}
    refused("AccessDeniedException", 403, other.get_layer_version_by_arn, Arn=made)
    text("ResourceNotFoundException", 404, "No policy is associated with the given resource.",
         client.get_layer_version_policy, **version)
    permission = {**version, "StatementId": "other", "Action": "lambda:GetLayerVersion", "Principal": OTHER}
    added = client.add_layer_version_permission(**permission)
    assert added["ResponseMetadata"]["HTTPStatusCode"] == 201
    statement = {
        "Sid": "other",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{OTHER}:root"},
        "Action": "lambda:GetLayerVersion",
        "Resource": made,
    }
    assert json.loads(added["Statement"]) == statement
    policy = client.get_layer_version_policy(**version)
    assert json.loads(policy["Policy"]) == {"Version": "2012-10-17", "Id": "default", "Statement": [statement]}
    assert policy["RevisionId"] == added["RevisionId"]
    assert other.get_layer_version_by_arn(Arn=made)["Version"] == 1
    refused("AccessDeniedException", 403, other.delete_layer_version, LayerName=layer_arn(name), VersionNumber=1)
    refused("ResourceConflictException", 409, client.add_layer_version_permission, **permission)
    refused("PreconditionFailedException", 412, client.add_layer_version_permission,
            **{**permission, "StatementId": "two"}, RevisionId=NOT_SEEN)
    refused("ResourceNotFoundException", 404, client.remove_layer_version_permission, **version, StatementId="two")
    for call, arguments in ((client.add_layer_version_permission, permission),
                            (client.remove_layer_version_permission, {**version, "StatementId": "other"}),
                            (client.get_layer_version_policy, version)):
        text("ResourceNotFoundException", 404, f"Layer version {layer_arn(name, 9)} does not exist.", call,
             **{**arguments, "VersionNumber": 9})
    removed = client.remove_layer_version_permission(**version, StatementId="other", RevisionId=policy["RevisionId"])
    assert removed["ResponseMetadata"]["HTTPStatusCode"] == 204
    refused("AccessDeniedException", 403, other.get_layer_version_by_arn, Arn=made)


def test_layers_and_versions_survive_the_end_of_the_platform(launch, name):
    from test_lambda import RUNTIME, TRUST

    instance = launch()
    iam, client = instance.client("iam"), instance.client("lambda")
    made_role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    layer = client.publish_layer_version(LayerName=name, Content={"ZipFile": tools("one")})["LayerVersionArn"]
    client.create_function(FunctionName=name, Runtime=RUNTIME, Role=made_role, Handler="handler.handle",
                           Code={"ZipFile": package(READS)}, Layers=[layer], Publish=True)
    client.delete_layer_version(LayerName=name, VersionNumber=1)
    client.update_function_code(FunctionName=name, ZipFile=package("def handle(event, context):\n    return 2\n"))
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    instance.kill()
    again = launch(instance.data_dir)
    assert json.loads(invoke(again, name)["Payload"]) == 2
    assert json.loads(invoke(again, f"{name}:live")["Payload"])[0] == "one"


def test_the_cli_publishes_a_layer(aws, name, tmp_path):
    archive = tmp_path / "layer.zip"
    archive.write_bytes(tools("one"))
    made = aws.cli("lambda", "publish-layer-version", "--layer-name", name, "--zip-file", f"fileb://{archive}")
    assert json.loads(made.stdout)["LayerVersionArn"] == layer_arn(name, 1)
    shown = aws.cli("lambda", "get-layer-version-by-arn", "--arn", layer_arn(name, 1))
    assert json.loads(shown.stdout)["Version"] == 1
    aws.cli("lambda", "delete-layer-version", "--layer-name", name, "--version-number", 1)
