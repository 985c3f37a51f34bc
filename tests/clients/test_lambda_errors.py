"""Lambda: each error that the model lists for an operation is either provoked, here or in a test that is named, or it is
said why it cannot arise; and each form in which a function can be named works wherever one is named.
"""

import ast
import json
import re
from pathlib import Path

import botocore.session
import pytest
from botocore import xform_name
from botocore.exceptions import ClientError
from conftest import REGION, repository
from lambda_functions import arn, create, package, refused, role, text  # noqa: F401

MODEL = botocore.session.get_session().get_service_model("lambda")
NOT_SEEN = "00000000-0000-4000-8000-000000000000"

PARAMETER, NOT_FOUND, CONFLICT, STALE = (
    "InvalidParameterValueException", "ResourceNotFoundException", "ResourceConflictException",
    "PreconditionFailedException",
)
NO_NAME = "The function name is no name, partial ARN or ARN of a function."
DIFFER = "The derived qualifier from the function name does not match the specified qualifier."
WHOLE = (
    "This operation is permitted on Lambda functions only. Aliases and versions do not support this operation. "
    "Please specify either a function name or an unqualified function ARN."
)
NO_RESOURCE = "The resource you requested does not exist."
NO_POLICY = "No policy is associated with the given resource."
FORGED = "The marker is none that an earlier page gave out."
NO_SIGNING = f"arn:aws:lambda:{REGION}:000000000000:code-signing-config:csc-00000000000000000"
LAYER_ELSEWHERE = f"arn:aws:lambda:eu-west-1:000000000000:layer:none"  # noqa: F541
STALE_FUNCTION = (
    "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the "
    "latest Revision Id"
)
STALE_POLICY = (
    "The RevisionId provided does not match the latest RevisionId. Call the GetPolicy API to retrieve the latest RevisionId"
)


def implemented():
    """The operations in the list that is made of the code."""
    listed = (repository() / "docs/coverage.md").read_text()
    section = re.search(r"\n#+ [Ll]ambda\b.*?(?=\n## |\Z)", listed, re.DOTALL).group(0)
    return [operation for operation in MODEL.operation_names if re.search(rf"\b{operation}\b", section.split("Not yet")[0])]


class Rig:
    """A function with a version, an alias and everything that can be attached, a layer and a mapping."""

    def __init__(self, aws, role, name):
        self.aws, self.role, self.name, self.missing = aws, role, name, f"{name}-missing"
        self.client = client = aws.client("lambda", parameter_validation=False)
        self.code = package()
        client.create_function(FunctionName=name, Runtime="python3.11", Role=role, Handler="handler.handle",
                               Code={"ZipFile": self.code}, Publish=True)
        client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
        allow = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}]}
        aws.client("iam").put_role_policy(RoleName=role.split("/")[-1], PolicyName="sqs", PolicyDocument=json.dumps(allow))
        aws.client("sqs").create_queue(QueueName=name)
        self.queue = f"arn:aws:sqs:{REGION}:000000000000:{name}"
        self.mapping = client.create_event_source_mapping(
            FunctionName=f"{name}:live", EventSourceArn=self.queue, Enabled=False)["UUID"]
        client.publish_layer_version(LayerName=name, Content={"ZipFile": package(files={"python/a.py": "a = 1"})})
        self.statement = {"StatementId": "one", "Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com"}
        for qualifier in ({}, {"Qualifier": "1"}, {"Qualifier": "live"}):
            client.add_permission(FunctionName=name, **self.statement, **qualifier)
        client.add_layer_version_permission(LayerName=name, VersionNumber=1, StatementId="one",
                                            Action="lambda:GetLayerVersion", Principal="*")
        publishers = {"SigningProfileVersionArns": [
            f"arn:aws:signer:{REGION}:000000000000:/signing-profiles/one/abcdefghij"]}
        made = [client.create_code_signing_config(
            AllowedPublishers=publishers, CodeSigningPolicies={"UntrustedArtifactOnDeployment": policy})
            for policy in ("Warn", "Enforce")]
        self.warns, self.enforces = (one["CodeSigningConfig"]["CodeSigningConfigArn"] for one in made)
        self.unsigned = f"{name}-unsigned"
        client.create_function(FunctionName=self.unsigned, Runtime="python3.11", Role=role, Handler="handler.handle",
                               Code={"ZipFile": self.code}, CodeSigningConfigArn=self.warns)
        client.put_function_code_signing_config(FunctionName=self.unsigned, CodeSigningConfigArn=self.enforces)
        self.attach()

    def attach(self):
        """What operations may have taken away."""
        for qualifier in ({}, {"Qualifier": "1"}, {"Qualifier": "live"}):
            self.client.put_function_event_invoke_config(FunctionName=self.name, MaximumRetryAttempts=1, **qualifier)
        self.client.put_provisioned_concurrency_config(
            FunctionName=self.name, Qualifier="live", ProvisionedConcurrentExecutions=1)
        self.client.put_function_concurrency(FunctionName=self.name, ReservedConcurrentExecutions=50)


@pytest.fixture(scope="module")
def rig(aws, role):  # noqa: F811
    rig = Rig(aws, role, "errors")
    yield rig
    rig.client.delete_event_source_mapping(UUID=rig.mapping)
    for name in (rig.name, rig.unsigned):
        rig.client.delete_function(FunctionName=name)
    for config in (rig.warns, rig.enforces):
        rig.client.delete_code_signing_config(CodeSigningConfigArn=config)


# What an operation takes beside the function's name, so that it succeeds on the rig; and what it names: a whole function, or
# one by any qualifier (`qualified` has a parameter for it).
WRITE = {
    "AddPermission": ("qualified", lambda rig: {**rig.statement, "StatementId": "fresh"}),
    "CreateAlias": ("whole", lambda rig: {"Name": "fresh", "FunctionVersion": "1"}),
    "DeleteAlias": ("whole", lambda rig: {"Name": "fresh"}),
    "DeleteFunction": ("qualified", lambda rig: {}),
    "DeleteFunctionCodeSigningConfig": ("whole", lambda rig: {}),
    "DeleteFunctionConcurrency": ("whole", lambda rig: {}),
    "DeleteFunctionEventInvokeConfig": ("qualified", lambda rig: {}),
    "DeleteProvisionedConcurrencyConfig": ("published", lambda rig: {}),
    "PublishVersion": ("whole", lambda rig: {}),
    "PutFunctionCodeSigningConfig": ("whole", lambda rig: {"CodeSigningConfigArn": rig.warns}),
    "PutFunctionConcurrency": ("whole", lambda rig: {"ReservedConcurrentExecutions": 50}),
    "PutFunctionEventInvokeConfig": ("qualified", lambda rig: {"MaximumRetryAttempts": 1}),
    "PutFunctionRecursionConfig": ("whole", lambda rig: {"RecursiveLoop": "Terminate"}),
    "PutProvisionedConcurrencyConfig": ("published", lambda rig: {"ProvisionedConcurrentExecutions": 1}),
    "PutRuntimeManagementConfig": ("qualified", lambda rig: {"UpdateRuntimeOn": "Auto"}),
    "RemovePermission": ("qualified", lambda rig: {"StatementId": "fresh"}),
    "UpdateAlias": ("whole", lambda rig: {"Name": "live", "Description": "same"}),
    "UpdateFunctionCode": ("whole", lambda rig: {"ZipFile": rig.code, "DryRun": True}),
    "UpdateFunctionConfiguration": ("whole", lambda rig: {"Description": "same"}),
    "UpdateFunctionEventInvokeConfig": ("qualified", lambda rig: {"MaximumRetryAttempts": 1}),
}
READ = {
    "GetAlias": ("whole", lambda rig: {"Name": "live"}),
    "GetFunction": ("qualified", lambda rig: {}),
    "GetFunctionCodeSigningConfig": ("whole", lambda rig: {}),
    "GetFunctionConcurrency": ("whole", lambda rig: {}),
    "GetFunctionConfiguration": ("qualified", lambda rig: {}),
    "GetFunctionEventInvokeConfig": ("qualified", lambda rig: {}),
    "GetFunctionRecursionConfig": ("whole", lambda rig: {}),
    "GetPolicy": ("qualified", lambda rig: {}),
    "GetProvisionedConcurrencyConfig": ("published", lambda rig: {}),
    "GetRuntimeManagementConfig": ("qualified", lambda rig: {}),
    "Invoke": ("qualified", lambda rig: {"InvocationType": "DryRun"}),
    "InvokeAsync": ("named", lambda rig: {"InvokeArgs": b"{}"}),
    "InvokeWithResponseStream": ("qualified", lambda rig: {}),
    "ListAliases": ("whole", lambda rig: {}),
    "ListFunctionEventInvokeConfigs": ("whole", lambda rig: {}),
    "ListProvisionedConcurrencyConfigs": ("whole", lambda rig: {}),
    "ListVersionsByFunction": ("whole", lambda rig: {}),
}
FUNCTIONS = {**WRITE, **READ}
# Whose names are bound by the model to have no qualifier.
UNQUALIFIED = {"GetFunctionRecursionConfig", "PutFunctionRecursionConfig"}
# They forget what is named.
FORGETS = {"DeleteFunction", "DeleteFunctionConcurrency", "DeleteFunctionEventInvokeConfig", "DeleteProvisionedConcurrencyConfig"}

LAYERS = {
    "AddLayerVersionPermission": lambda rig: {
        "VersionNumber": 9, "StatementId": "fresh", "Action": "lambda:GetLayerVersion", "Principal": "*"},
    "DeleteLayerVersion": lambda rig: {"VersionNumber": 9},
    "GetLayerVersion": lambda rig: {"VersionNumber": 9},
    "GetLayerVersionPolicy": lambda rig: {"VersionNumber": 9},
    "ListLayerVersions": lambda rig: {},
    "PublishLayerVersion": lambda rig: {"Content": {"ZipFile": rig.code}},
    "RemoveLayerVersionPermission": lambda rig: {"VersionNumber": 9, "StatementId": "one"},
}


def not_found(name):
    return f"Function not found: {arn(name)}"


# (operation, error) → status, message, and the arguments that provoke it. A message may be a pattern.
PROVOKED = {}


def provoke(operation, error, status, message, arguments):
    assert (operation, error) not in PROVOKED, (operation, error)
    PROVOKED[operation, error] = (status, message, arguments)


for _operation, (_kind, _more) in FUNCTIONS.items():
    _qualifier = {"Qualifier": "1"} if _kind == "published" else {}
    _listed = {shape.name for shape in MODEL.operation_model(_operation).error_shapes}
    if PARAMETER in _listed:
        if _operation in UNQUALIFIED:
            pass
        elif _kind == "whole":
            provoke(_operation, PARAMETER, 400, WHOLE,
                    lambda rig, more=_more: {"FunctionName": f"{rig.name}:live", **more(rig)})
        else:
            provoke(_operation, PARAMETER, 400, DIFFER,
                    lambda rig, more=_more: {"FunctionName": f"{rig.name}:live", **more(rig), "Qualifier": "1"})
    _message = {
        "GetPolicy": lambda rig: NO_RESOURCE,
        "RemovePermission": lambda rig: NO_POLICY,
        "DeleteFunctionEventInvokeConfig": None,
        "PutFunctionEventInvokeConfig": None,
        "UpdateFunctionEventInvokeConfig": None,
        "GetFunctionEventInvokeConfig": None,
        "ListFunctionEventInvokeConfigs": None,
    }.get(_operation, lambda rig, q=_qualifier: f"Function not found: {arn(rig.missing, q.get('Qualifier'))}")
    provoke(_operation, NOT_FOUND, 404, _message or (lambda rig: re.compile("^The function (.* )?doesn't")),
            lambda rig, more=_more, q=_qualifier: {"FunctionName": rig.missing, **more(rig), **q})

for _operation, _more in LAYERS.items():
    provoke(_operation, PARAMETER, 400, f"{LAYER_ELSEWHERE} is no name or ARN of a layer in this region.",
            lambda rig, more=_more: {"LayerName": LAYER_ELSEWHERE, **more(rig)})
for _operation in ("AddLayerVersionPermission", "GetLayerVersionPolicy", "RemoveLayerVersionPermission"):
    provoke(_operation, NOT_FOUND, 404,
            lambda rig: f"Layer version arn:aws:lambda:{REGION}:000000000000:layer:{rig.name}:9 does not exist.",
            lambda rig, more=LAYERS[_operation]: {"LayerName": rig.name, **more(rig)})
provoke("GetLayerVersion", NOT_FOUND, 404, NO_RESOURCE, lambda rig: {"LayerName": rig.name, "VersionNumber": 9})
provoke("GetLayerVersionByArn", NOT_FOUND, 404, NO_RESOURCE,
        lambda rig: {"Arn": f"arn:aws:lambda:{REGION}:000000000000:layer:{rig.name}:9"})
provoke("GetLayerVersionByArn", PARAMETER, 400, re.compile("is no name or ARN of a layer in this region"),
        lambda rig: {"Arn": f"arn:aws:lambda:{REGION}:000000000000:layer:{rig.name}:99999999999999999999"})
for _operation, _more in (("ListTags", {}), ("TagResource", {"Tags": {"a": "b"}}), ("UntagResource", {"TagKeys": ["a"]})):
    provoke(_operation, PARAMETER, 400,
            "Tags on function aliases and versions are not supported. Please specify a function ARN.",
            lambda rig, more=_more: {"Resource": arn(rig.name, "1"), **more})
    provoke(_operation, NOT_FOUND, 404, lambda rig: not_found(rig.missing),
            lambda rig, more=_more: {"Resource": arn(rig.missing), **more})
provoke("ListFunctions", PARAMETER, 400, FORGED, lambda rig: {"Marker": "?"})
provoke("ListLayers", PARAMETER, 400, FORGED, lambda rig: {"Marker": "?"})

provoke("CreateFunction", PARAMETER, 400, "Uploaded file must be a non-empty zip", lambda rig: {
    "FunctionName": rig.missing, "Runtime": "python3.11", "Role": rig.role, "Handler": "a.b",
    "Code": {"ZipFile": bytes.fromhex("504b0506" + "00" * 18)}})
provoke("CreateFunction", NOT_FOUND, 404, "Functions from 'eu-west-1' are not reachable in this region ('us-east-1')",
        lambda rig: {"FunctionName": "arn:aws:lambda:eu-west-1:000000000000:function:f", "Runtime": "python3.11",
                     "Role": rig.role, "Handler": "a.b", "Code": {"ZipFile": rig.code}})
provoke("CreateFunction", CONFLICT, 409, lambda rig: f"Function already exist: {rig.name}", lambda rig: {
    "FunctionName": rig.name, "Runtime": "python3.11", "Role": rig.role, "Handler": "a.b", "Code": {"ZipFile": rig.code}})
provoke("CreateAlias", CONFLICT, 409, lambda rig: f"Alias already exists: {arn(rig.name, 'live')}",
        lambda rig: {"FunctionName": rig.name, "Name": "live", "FunctionVersion": "1"})
provoke("UpdateAlias", CONFLICT, 409,
        "Alias can't be used for Provisioned Concurrency configuration on an already Provisioned version",
        lambda rig: {"FunctionName": rig.name, "Name": "live", "FunctionVersion": provisioned_version(rig)})
provoke("PutProvisionedConcurrencyConfig", CONFLICT, 409, "Version is pointed by a Provisioned Concurrency alias",
        lambda rig: {"FunctionName": rig.name, "Qualifier": "1", "ProvisionedConcurrentExecutions": 1})
provoke("DeleteFunction", CONFLICT, 409,
        "Unable to delete version because the following aliases reference it: [live]",
        lambda rig: {"FunctionName": rig.name, "Qualifier": "1"})
for _operation, _named, _more in (
    ("AddPermission", "FunctionName", {"Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com"}),
    ("AddLayerVersionPermission", "LayerName", {"VersionNumber": 1, "Action": "lambda:GetLayerVersion", "Principal": "*"}),
):
    provoke(_operation, CONFLICT, 409,
            "The statement id (one) provided already exists. Please provide a new statement id, or remove the existing "
            "statement.", lambda rig, named=_named, more=_more: {named: rig.name, "StatementId": "one", **more})
    provoke(_operation, STALE, 412, STALE_POLICY,
            lambda rig, named=_named, more=_more: {named: rig.name, "StatementId": "two", "RevisionId": NOT_SEEN, **more})
provoke("RemovePermission", STALE, 412, STALE_POLICY,
        lambda rig: {"FunctionName": rig.name, "StatementId": "one", "RevisionId": NOT_SEEN})
provoke("RemoveLayerVersionPermission", STALE, 412, STALE_POLICY,
        lambda rig: {"LayerName": rig.name, "VersionNumber": 1, "StatementId": "one", "RevisionId": NOT_SEEN})
for _operation, _more in (
    ("PublishVersion", {}), ("UpdateAlias", {"Name": "live"}), ("UpdateFunctionConfiguration", {"Timeout": 4}),
    ("UpdateFunctionCode", {"S3Bucket": "errors-none", "S3Key": "none"}),
):
    provoke(_operation, STALE, 412, STALE_FUNCTION,
            lambda rig, more=_more: {"FunctionName": rig.name, "RevisionId": NOT_SEEN, **more})

provoke("CreateEventSourceMapping", PARAMETER, 400, "Unrecognized event source.",
        lambda rig: {"FunctionName": rig.name, "EventSourceArn": f"arn:aws:s3:{REGION}:000000000000:b"})
provoke("CreateEventSourceMapping", NOT_FOUND, 404, lambda rig: not_found(rig.missing),
        lambda rig: {"FunctionName": rig.missing, "EventSourceArn": rig.queue})
provoke("CreateEventSourceMapping", CONFLICT, 409, re.compile("An event source mapping with SQS arn .* already exists"),
        lambda rig: {"FunctionName": f"{rig.name}:live", "EventSourceArn": rig.queue})
provoke("UpdateEventSourceMapping", CONFLICT, 409, re.compile("An event source mapping with SQS arn .* already exists"),
        lambda rig: {"UUID": other_mapping(rig), "FunctionName": f"{rig.name}:live"})
provoke("UpdateEventSourceMapping", PARAMETER, 400, re.compile("Maximum batch window in seconds must be greater than 0"),
        lambda rig: {"UUID": rig.mapping, "BatchSize": 100})
for _operation in ("DeleteEventSourceMapping", "GetEventSourceMapping", "UpdateEventSourceMapping"):
    provoke(_operation, NOT_FOUND, 404, NO_RESOURCE, lambda rig: {"UUID": NOT_SEEN})
provoke("ListEventSourceMappings", NOT_FOUND, 404, lambda rig: not_found(rig.missing),
        lambda rig: {"FunctionName": rig.missing})
provoke("ListEventSourceMappings", PARAMETER, 400, NO_NAME, lambda rig: {"FunctionName": "no.name"})
provoke("GetProvisionedConcurrencyConfig", "ProvisionedConcurrencyConfigNotFoundException", 404,
        "No Provisioned Concurrency Config found for this function", lambda rig: {"FunctionName": rig.name, "Qualifier": "1"})

for _operation in ("GetCodeSigningConfig", "UpdateCodeSigningConfig", "DeleteCodeSigningConfig",
                   "ListFunctionsByCodeSigningConfig"):
    provoke(_operation, NOT_FOUND, 404, f"The Lambda code signing configuration {NO_SIGNING} can not be found.",
            lambda rig: {"CodeSigningConfigArn": NO_SIGNING})
for _operation, _more in (("ListCodeSigningConfigs", lambda rig: {}),
                          ("ListFunctionsByCodeSigningConfig", lambda rig: {"CodeSigningConfigArn": rig.warns})):
    provoke(_operation, PARAMETER, 400, FORGED, lambda rig, more=_more: {"Marker": "?", **more(rig)})
provoke("DeleteCodeSigningConfig", CONFLICT, 409,
        lambda rig: f"The code signing configuration {rig.enforces} cannot be deleted while functions have it.",
        lambda rig: {"CodeSigningConfigArn": rig.enforces})
_gone = f"The code signing configuration cannot be found. Check that the provided configuration is not deleted: {NO_SIGNING}."
provoke("PutFunctionCodeSigningConfig", "CodeSigningConfigNotFoundException", 404, _gone,
        lambda rig: {"FunctionName": rig.name, "CodeSigningConfigArn": NO_SIGNING})
provoke("CreateFunction", "CodeSigningConfigNotFoundException", 404, _gone, lambda rig: {
    "FunctionName": rig.missing, "Runtime": "python3.11", "Role": rig.role, "Handler": "a.b",
    "Code": {"ZipFile": rig.code}, "CodeSigningConfigArn": NO_SIGNING})
_unsigned = (
    "Lambda cannot deploy the function. The function or layer might be signed using a signature that the client is not "
    "configured to accept. Check the provided signature for {}."
)
provoke("CreateFunction", "CodeVerificationFailedException", 400, lambda rig: _unsigned.format(rig.missing), lambda rig: {
    "FunctionName": rig.missing, "Runtime": "python3.11", "Role": rig.role, "Handler": "a.b",
    "Code": {"ZipFile": rig.code}, "CodeSigningConfigArn": rig.enforces})
provoke("UpdateFunctionCode", "CodeVerificationFailedException", 400, lambda rig: _unsigned.format(rig.unsigned),
        lambda rig: {"FunctionName": rig.unsigned, "ZipFile": rig.code})
provoke("UpdateFunctionConfiguration", "CodeVerificationFailedException", 400,
        lambda rig: _unsigned.format(f"arn:aws:lambda:{REGION}:000000000000:layer:{rig.name}:1"),
        lambda rig: {"FunctionName": rig.unsigned, "Layers": [f"arn:aws:lambda:{REGION}:000000000000:layer:{rig.name}:1"]})

for _operation in ("Invoke", "InvokeWithResponseStream", "InvokeAsync"):
    _payload = "InvokeArgs" if _operation == "InvokeAsync" else "Payload"
    provoke(_operation, "InvalidRequestContentException", 400, re.compile("Could not parse request body into json: "),
            lambda rig, payload=_payload: {"FunctionName": rig.name, payload: b"{"})
for _operation in ("Invoke", "InvokeWithResponseStream"):
    provoke(_operation, "RequestTooLargeException", 413,
            "Request must be smaller than 6291456 bytes for the InvokeFunction operation",
            lambda rig: {"FunctionName": rig.name, "Payload": b'"%s"' % (b"x" * 6_291_456)})


def provisioned_version(rig):
    """A version with a configuration of its own."""
    rig.client.update_function_configuration(FunctionName=rig.name, Description="two")
    version = rig.client.publish_version(FunctionName=rig.name)["Version"]
    rig.client.put_provisioned_concurrency_config(FunctionName=rig.name, Qualifier=version, ProvisionedConcurrentExecutions=1)
    return version


def other_mapping(rig):
    """A mapping of the same queue to another version."""
    uuid = rig.client.create_event_source_mapping(
        FunctionName=f"{rig.name}:1", EventSourceArn=rig.queue, Enabled=False)["UUID"]
    while rig.client.get_event_source_mapping(UUID=uuid)["State"] != "Disabled":
        pass
    return uuid


# Provoked where it takes more to do so: the test.
ELSEWHERE = {
    **{(operation, CONFLICT): "test_lambda_states.py::test_what_is_pending_is_refused_and_goes_on_after_a_crash"
       for operation in ("Invoke", "InvokeAsync", "InvokeWithResponseStream", "PublishVersion", "UpdateFunctionCode",
                         "UpdateFunctionConfiguration")},
    **{(operation, "RecursiveInvocationException"): "test_lambda_recursion.py::test_a_caller_who_waits_is_told"
       for operation in ("Invoke", "InvokeWithResponseStream")},
    **{(operation, "TooManyRequestsException"):
       "test_lambda_errors.py::test_invocations_are_throttled" for operation in ("Invoke", "InvokeWithResponseStream")},
    **{(operation, "ResourceInUseException"): "test_lambda_errors.py::test_a_mapping_that_changes_is_in_use"
       for operation in ("DeleteEventSourceMapping", "UpdateEventSourceMapping")},
    ("AddPermission", "PolicyLengthExceededException"):
        "test_lambda_policies.py::test_permissions_that_cannot_be",
    ("AddLayerVersionPermission", "PolicyLengthExceededException"):
        "test_lambda_errors.py::test_a_layers_policy_is_bounded",
}

CONTROL = [operation for operation in MODEL.operation_names if not operation.startswith("Invoke")]
INVOKES = ("Invoke", "InvokeAsync", "InvokeWithResponseStream")
# Why an error cannot arise: of these operations, or of all.
NEVER = [
    ("ServiceException", None, "only a fault of the host or its disk is answered so"),
    ("TooManyRequestsException", CONTROL, "requests that invoke nothing are not bounded by a rate"),
    ("CodeStorageExceededException", None, "the disk bounds code, and no quota does"),
    ("AliasLimitExceededException", None, "aliases have no quota"),
    ("FunctionVersionsPerCapacityProviderLimitExceededException", None, "there are no capacity providers"),
    ("CodeSigningConfigNotFoundException", ["DeleteFunctionCodeSigningConfig", "GetFunctionCodeSigningConfig",
                                            "UpdateFunctionCode", "UpdateFunctionConfiguration"],
     "a configuration that a function has cannot be deleted, and one that it has not is deleted without complaint"),
    ("InvalidCodeSignatureException", None, "nothing is signed, which is another error"),
    ("PublicPolicyException", None, "there is no setting that would block public policies"),
    ("InvalidZipFileException", None, "a package that cannot be unpacked is refused when it is uploaded"),
    ("InvalidRuntimeException", None, "a runtime that this host has not is refused when the function is made; it would have "
                                      "to be uninstalled afterwards"),
    ("UnsupportedMediaTypeException", None, "events are read as JSON whatever they are called"),
    ("SerializedRequestEntityTooLargeException", None, "events are not serialised again"),
    ("ResourceNotReadyException", None, "functions never become inactive"),
    ("NoPublishedVersionException", None, "$LATEST.PUBLISHED is of capacity providers"),
    ("ModeNotSupportedException", None, "of durable functions and capacity providers, which are refused by name"),
    ("DurableExecutionAlreadyStartedException", None, "durable functions are refused by name"),
    ("ServiceQuotaExceededException", None, "of durable functions, which are refused by name"),
    *[(f"CodeArtifactUser{what}Exception", None, "code is the caller's own package") for what in ("Deleted", "Failed", "Pending")],
    *[(f"Runtime{what}DeletedException", None, "runtimes are the host's, and have no versions") for what in ("Alias", "Version")],
    *[(f"EC2{what}Exception", None, "VpcConfig is refused by name") for what in ("AccessDenied", "Throttled", "Unexpected")],
    *[(name, None, "VpcConfig is refused by name") for name in (
        "ENILimitReachedException", "ENINotReadyException", "InvalidSecurityGroupIDException", "InvalidSubnetIDException",
        "SubnetIPAddressLimitReachedException")],
    *[(f"EFS{what}Exception", None, "FileSystemConfigs are refused by name")
      for what in ("IO", "MountConnectivity", "MountFailure", "MountTimeout")],
    *[(f"S3FilesMount{what}Exception", None, "FileSystemConfigs are refused by name")
      for what in ("Connectivity", "Failure", "Timeout")],
    *[(f"KMS{what}Exception", None, "KMSKeyArn is refused by name")
      for what in ("AccessDenied", "Disabled", "InvalidState", "NotFound")],
    *[(f"SnapStart{what}Exception", None, "SnapStart is refused by name")
      for what in ("", "NotReady", "RegenerationFailure", "Timeout")],
    (NOT_FOUND, ["DeleteLayerVersion", "ListLayerVersions", "PublishLayerVersion"],
     "what is not there is deleted, listed or made without complaint, as on AWS"),
    (PARAMETER, sorted(UNQUALIFIED), "what would be one does not satisfy the model, which is a ValidationException"),
    (PARAMETER, ["CreateCodeSigningConfig", "DeleteCodeSigningConfig", "GetCodeSigningConfig", "UpdateCodeSigningConfig"],
     "what would be one does not satisfy the model, which is a ValidationException"),
    (PARAMETER, ["DeleteEventSourceMapping", "GetEventSourceMapping"],
     "a UUID is all that they take, and any text is one that may not be there"),
    (CONFLICT, ["DeleteAlias", "DeleteEventSourceMapping", "DeleteFunctionCodeSigningConfig", "DeleteFunctionConcurrency", "DeleteFunctionEventInvokeConfig",
                "DeleteProvisionedConcurrencyConfig", "PutFunctionCodeSigningConfig", "PutFunctionConcurrency", "PutFunctionEventInvokeConfig",
                "PutFunctionRecursionConfig", "PutRuntimeManagementConfig", "RemoveLayerVersionPermission", "TagResource",
                "UntagResource", "UpdateFunctionEventInvokeConfig"],
     "changes at the same time wait for each other"),
]


def pairs():
    """What the model lists: operation and error."""
    return {(operation, shape.name) for operation in implemented()
            for shape in MODEL.operation_model(operation).error_shapes}


def excused():
    return {(operation, error) for operation, error in pairs() for name, of, _ in NEVER
            if name == error and (of is None or operation in of)}


def test_the_list_of_operations_is_read():
    assert len(implemented()) >= 55 and {"Invoke", "CreateFunction"} <= set(implemented())


def test_every_error_of_the_model_is_accounted_for():
    assert sorted(pairs() - excused() - PROVOKED.keys() - ELSEWHERE.keys()) == []
    # Nothing is said of what the model has not, and nothing twice.
    assert sorted((PROVOKED.keys() | ELSEWHERE.keys()) - pairs()) == []
    assert sorted(excused() & (PROVOKED.keys() | ELSEWHERE.keys())) == []
    assert sorted(PROVOKED.keys() & ELSEWHERE.keys()) == []
    assert [(name, of) for name, of, why in NEVER if not why or not any(
        name == error and (of is None or operation in of) for operation, error in pairs())] == []


def test_the_tests_that_are_named_are_there():
    for place in set(ELSEWHERE.values()):
        file, name = place.split("::")
        tree = ast.parse((Path(__file__).parent / file).read_text())
        assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, place


@pytest.mark.parametrize(("operation", "error"), sorted(PROVOKED), ids=lambda value: value)
def test_errors_are_aws_s(rig, operation, error):
    status, message, arguments = PROVOKED[operation, error]
    message = message(rig) if callable(message) else message
    answer = refused(error, status, getattr(rig.client, xform_name(operation)), **arguments(rig))
    found = answer["Error"]["Message"]
    assert message.search(found) if isinstance(message, re.Pattern) else message == found, found
    assert answer["Type"] == "User"


def test_invocations_are_throttled(aws, create, name):
    create()
    client = aws.client("lambda")
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    for call in (client.invoke, client.invoke_with_response_stream):
        error = text("TooManyRequestsException", 429, "Rate Exceeded.", call, FunctionName=name)
        assert (error["Type"], error["Reason"]) == ("User", "ReservedFunctionConcurrentInvocationLimitExceeded")
        assert error["ResponseMetadata"]["HTTPHeaders"]["retry-after"] == "1"


def test_a_mapping_that_changes_is_in_use(aws, create, role, name):
    rig_policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}]}
    aws.client("iam").put_role_policy(RoleName=role.split("/")[-1], PolicyName="sqs", PolicyDocument=json.dumps(rig_policy))
    create()
    client = aws.client("lambda")
    aws.client("sqs").create_queue(QueueName=name)
    found = set()
    # A change takes effect soon: of two in a row the second comes too early at least now and then.
    while found != {"update", "delete"}:
        uuid = client.create_event_source_mapping(
            FunctionName=name, EventSourceArn=f"arn:aws:sqs:{REGION}:000000000000:{name}")["UUID"]
        for what, call in (("update", client.update_event_source_mapping), ("delete", client.delete_event_source_mapping)):
            try:
                call(UUID=uuid, **({"BatchSize": 5} if what == "update" else {}))
            except client.exceptions.ResourceInUseException as error:
                message = f"Cannot {what} the event source mapping because it is in use."
                assert (error.response["Error"]["Message"], error.response["Type"]) == (message, "User")
                assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 400
                found.add(what)
        gone = False
        while not gone:
            try:
                client.delete_event_source_mapping(UUID=uuid)
            except client.exceptions.ResourceInUseException:
                pass
            except client.exceptions.ResourceNotFoundException:
                gone = True


def test_a_layers_policy_is_bounded(aws, name):
    client = aws.client("lambda")
    client.publish_layer_version(LayerName=name, Content={"ZipFile": package(files={"a": "a"})})
    last = None
    for number in range(200):
        try:
            client.add_layer_version_permission(LayerName=name, VersionNumber=1, StatementId=f"{'x' * 90}{number}",
                                                Action="lambda:GetLayerVersion", Principal="*")
        except client.exceptions.PolicyLengthExceededException as error:
            last = error.response
            break
    assert (last["ResponseMetadata"]["HTTPStatusCode"], last["Type"]) == (400, "User")
    assert last["Error"]["Message"].endswith("is bigger than the limit (20480).")


@pytest.mark.parametrize("operation", sorted(FUNCTIONS))
def test_functions_are_named_in_every_form(rig, operation):
    kind, more = FUNCTIONS[operation]
    call, more = getattr(rig.client, xform_name(operation)), more(rig)
    name = rig.name
    full, partial = arn(name), f"000000000000:function:{name}"
    whole = [(text, {}) for text in (name, full, partial)]
    qualified = [(f"{text}:live", {}) for text in (name, full, partial)]
    twice = [(f"{text}:live", {"Qualifier": "live"}) for text in (name, full, partial)]
    given = [(text, {"Qualifier": "live"}) for text in (name, full, partial)]

    def check(named, arguments, expected=None):
        try:
            call(FunctionName=named, **more, **arguments)
            found = None
        except ClientError as error:
            found = error.response["Error"]["Message"]
        # Whatever it is that is not there any more: the function was found.
        if operation in FORGETS | {"CreateAlias", "AddPermission", "RemovePermission"} and expected is None:
            assert found not in (NO_NAME, DIFFER, WHOLE), (named, arguments, found)
        else:
            assert found == expected, (named, arguments, found)

    if operation == "DeleteFunction":
        # A deletion of the whole would be one; of an alias there is none.
        for named, arguments in qualified + twice + given:
            check(named, arguments, "Deletion of aliases is not currently supported.")
    elif kind == "whole":
        for named, arguments in whole:
            check(named, arguments)
        for named, arguments in qualified:
            if operation in UNQUALIFIED:
                refused("ValidationException", 400, call, FunctionName=named, **more)
            else:
                check(named, arguments, WHOLE)
    elif operation == "PutRuntimeManagementConfig" or operation == "GetRuntimeManagementConfig":
        for named, arguments in whole + [(f"{name}:1", {}), (name, {"Qualifier": "1"}), (f"{name}:1", {"Qualifier": "1"})]:
            check(named, arguments)
    elif kind == "named":
        for named, arguments in whole + qualified:
            check(named, arguments)
    else:
        for named, arguments in (whole if kind == "qualified" else []) + (qualified if kind == "qualified" else []) + twice + given:
            check(named, arguments)
    if operation in FORGETS:
        rig.attach()
    if kind in ("qualified", "published"):
        for text in (name, full, partial):
            check(f"{text}:live", {"Qualifier": "1"}, DIFFER)
