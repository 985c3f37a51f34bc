"""Lambda: code signing configurations are kept and attached; unsigned code is warned of, or refused."""

import json
import re

from conftest import REGION
from lambda_functions import arn, create, invoke, package, refused, role  # noqa: F401

PROFILES = [f"arn:aws:signer:{REGION}:000000000000:/signing-profiles/{name}/abcdefghij" for name in ("one", "two")]


def test_configurations_are_made_changed_listed_and_deleted(aws):
    client = aws.client("lambda")
    made = client.create_code_signing_config(AllowedPublishers={"SigningProfileVersionArns": PROFILES[:1]})
    assert made["ResponseMetadata"]["HTTPStatusCode"] == 201
    config = made["CodeSigningConfig"]
    named = config["CodeSigningConfigArn"]
    assert re.fullmatch(rf"arn:aws:lambda:{REGION}:000000000000:code-signing-config:csc-[a-z0-9]{{17}}", named)
    assert config["CodeSigningConfigId"] == named.rsplit(":", 1)[1]
    assert config["CodeSigningPolicies"] == {"UntrustedArtifactOnDeployment": "Warn"}
    assert config["AllowedPublishers"] == {"SigningProfileVersionArns": PROFILES[:1]}
    assert client.get_code_signing_config(CodeSigningConfigArn=named)["CodeSigningConfig"] == config
    changed = client.update_code_signing_config(
        CodeSigningConfigArn=named, Description="two", AllowedPublishers={"SigningProfileVersionArns": PROFILES},
        CodeSigningPolicies={"UntrustedArtifactOnDeployment": "Enforce"})["CodeSigningConfig"]
    assert changed == client.get_code_signing_config(CodeSigningConfigArn=named)["CodeSigningConfig"]
    assert (changed["Description"], changed["AllowedPublishers"]["SigningProfileVersionArns"]) == ("two", PROFILES)
    kept = client.update_code_signing_config(CodeSigningConfigArn=named)["CodeSigningConfig"]
    assert kept["CodeSigningPolicies"] == {"UntrustedArtifactOnDeployment": "Enforce"}
    other = client.create_code_signing_config(AllowedPublishers={"SigningProfileVersionArns": PROFILES})
    other = other["CodeSigningConfig"]["CodeSigningConfigArn"]
    pages = client.get_paginator("list_code_signing_configs").paginate(PaginationConfig={"PageSize": 1})
    listed = [one["CodeSigningConfigArn"] for page in pages for one in page["CodeSigningConfigs"]]
    assert {named, other} <= set(listed) and listed == sorted(listed)
    for one in (named, other):
        assert client.delete_code_signing_config(CodeSigningConfigArn=one)["ResponseMetadata"]["HTTPStatusCode"] == 204
        refused("ResourceNotFoundException", 404, client.get_code_signing_config, CodeSigningConfigArn=one)
    refused("NotImplementedException", 501, client.create_code_signing_config,
            AllowedPublishers={"SigningProfileVersionArns": PROFILES}, Tags={"a": "b"})


def test_unsigned_code_is_taken_or_refused_as_its_configuration_says(aws, create, name):
    client = aws.client("lambda")
    config = client.create_code_signing_config(AllowedPublishers={"SigningProfileVersionArns": PROFILES})
    config = config["CodeSigningConfig"]["CodeSigningConfigArn"]
    create(CodeSigningConfigArn=config)
    assert client.get_function_code_signing_config(FunctionName=name)["CodeSigningConfigArn"] == config
    assert client.list_functions_by_code_signing_config(CodeSigningConfigArn=config)["FunctionArns"] == [arn(name)]
    code = package("def handle(event, context):\n    return 'two'\n")
    client.update_function_code(FunctionName=name, ZipFile=code)
    assert json.loads(invoke(aws, name, {})["Payload"]) == "two"
    client.update_code_signing_config(
        CodeSigningConfigArn=config, CodeSigningPolicies={"UntrustedArtifactOnDeployment": "Enforce"})
    for more in ({}, {"DryRun": True}):
        refused("CodeVerificationFailedException", 400, client.update_function_code, FunctionName=name, ZipFile=code, **more)
    # What is there runs on, and its configuration can change.
    client.update_function_configuration(FunctionName=name, Description="same code")
    assert json.loads(invoke(aws, name, {})["Payload"]) == "two"
    refused("CodeVerificationFailedException", 400, create, function=f"{name}-2", CodeSigningConfigArn=config)
    refused("ResourceNotFoundException", 404, client.get_function, FunctionName=f"{name}-2")
    for _ in range(2):
        deleted = client.delete_function_code_signing_config(FunctionName=name)
        assert deleted["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert client.get_function_code_signing_config(FunctionName=name)["CodeSigningConfigArn"] == ""
    client.update_function_code(FunctionName=name, ZipFile=code)
    client.put_function_code_signing_config(FunctionName=name, CodeSigningConfigArn=config)
    refused("ResourceConflictException", 409, client.delete_code_signing_config, CodeSigningConfigArn=config)
    client.delete_function(FunctionName=name)
    assert client.list_functions_by_code_signing_config(CodeSigningConfigArn=config)["FunctionArns"] == []
    client.delete_code_signing_config(CodeSigningConfigArn=config)
