"""Runs a handler: takes events from the Runtime API, leaves responses there.

Imports as little as it can before the function's own code, and leaves to other files what most starts do without:
every module and every line costs at each cold start.
"""

import sys

import _socket
import json
from time import time

API = "/2018-06-01/runtime/"
BYTES_READ = 65536


def ours(name):
    """Runs another file of ours, wherever the function lets Python look for modules by now."""
    path = __file__.rpartition("/")[0] + f"/apus/{name}.py"
    names = {"__name__": name, "__file__": path}
    with open(path, encoding="utf-8") as file:
        exec(compile(file.read(), path, "exec"), names)
    return names


class Api:
    """The Runtime API over one connection, which the platform keeps open."""

    def __init__(self, address):
        host, port = address.rsplit(":", 1)
        self.host = address
        self.socket = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
        self.socket.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
        self.socket.connect((host, int(port)))
        self.next_request = self.head("GET", "invocation/next", "")
        # What came behind the last answer.
        self.rest = b""

    def head(self, method, path, extra):
        return f"{method} {API}{path} HTTP/1.1\r\nHost: {self.host}\r\n{extra}\r\n".encode("latin-1", "replace")

    def ask(self):
        self.socket.sendall(self.next_request)

    def next(self):
        """Takes the invocation that was asked for."""
        head, body = self.read()
        status, *lines = head.decode("latin-1").split("\r\n")
        if " 200 " not in status:
            raise SystemExit(f"the platform gives no invocation: {status}")
        headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        return headers, body

    def post(self, path, body, extra="", behind=b""):
        """Leaves something there; `behind` follows it in the same write."""
        extra = f"{extra}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        head = self.head("POST", path, extra)
        if len(body) < BYTES_READ:
            self.socket.sendall(head + body + behind)
        else:
            for part in (head, body, behind):
                self.socket.sendall(part)
        self.read()

    def post_and_ask(self, path, body, extra=""):
        """Leaves something there, and asks for the next invocation without waiting in between."""
        self.post(path, body, extra, self.next_request)

    def read(self):
        """The head and the body of an answer."""
        data = self.rest
        end = data.find(b"\r\n\r\n")
        while end < 0:
            data += self.receive(BYTES_READ)
            end = data.find(b"\r\n\r\n")
        head = data[:end]
        at = head.find(b"content-length:")
        if at < 0:
            at = head.lower().find(b"content-length:")
        length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        body = data[end + 4 :]
        if len(body) < length:
            parts, have = [body], len(body)
            while have < length:
                parts.append(self.receive(min(1 << 20, length - have)))
                have += len(parts[-1])
            body = b"".join(parts)
        self.rest = body[length:]
        return head, body[:length]

    def receive(self, most):
        more = self.socket.recv(most)
        if not more:
            raise SystemExit("the platform closed the connection")
        return more


class CognitoIdentity:
    __slots__ = ("cognito_identity_id", "cognito_identity_pool_id")

    def __init__(self, text):
        known = json.loads(text) if text else {}
        self.cognito_identity_id = known.get("cognitoIdentityId")
        self.cognito_identity_pool_id = known.get("cognitoIdentityPoolId")


class Client:
    __slots__ = ("installation_id", "app_title", "app_version_name", "app_version_code", "app_package_name")

    def __init__(self, known):
        for name in self.__slots__:
            setattr(self, name, known.get(name))


class ClientContext:
    __slots__ = ("custom", "env", "client")

    def __init__(self, known):
        self.custom = known.get("custom")
        self.env = known.get("env")
        self.client = Client(known["client"]) if known.get("client") else None


class LambdaContext:
    @classmethod
    def configure(cls, environ):
        """What is the same for every invocation."""
        cls.known = {
            "log_group_name": environ.get("AWS_LAMBDA_LOG_GROUP_NAME"),
            "log_stream_name": environ.get("AWS_LAMBDA_LOG_STREAM_NAME"),
            "function_name": environ.get("AWS_LAMBDA_FUNCTION_NAME"),
            "memory_limit_in_mb": environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"),
            "function_version": environ.get("AWS_LAMBDA_FUNCTION_VERSION"),
        }

    def __init__(self, headers):
        self.aws_request_id = headers["lambda-runtime-aws-request-id"]
        self.__dict__.update(self.known)
        self.invoked_function_arn = headers.get("lambda-runtime-invoked-function-arn")
        self.tenant_id = headers.get("lambda-runtime-aws-tenant-id")
        context = headers.get("lambda-runtime-client-context")
        self.client_context = ClientContext(json.loads(context)) if context else None
        self.identity = CognitoIdentity(headers.get("lambda-runtime-cognito-identity"))
        self._epoch_deadline_time_in_ms = int(headers.get("lambda-runtime-deadline-ms", 0))

    def get_remaining_time_in_millis(self):
        return max(self._epoch_deadline_time_in_ms - int(time() * 1000), 0)

    def log(self, message):
        sys.stdout.write(str(message))

    def __repr__(self):
        shown = ", ".join(f"{name}={value!r}" for name, value in vars(self).items() if name[0] != "_")
        return f"LambdaContext({shown})"


class Fault(Exception):
    """An error of the function's packaging, which has a name of its own."""

    def __init__(self, kind, message, trace=()):
        super().__init__(message)
        self.kind = kind
        self.trace = list(trace)


class RequestId:
    """Which invocation is under way, for log lines."""

    current = ""


class LoggingHook:
    """Configures `logging` at the moment the function imports it, and costs nothing before."""

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name != "logging":
            return None
        sys.meta_path.remove(cls)
        for finder in sys.meta_path:
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                break
        else:
            return None
        execute = spec.loader.exec_module

        def exec_module(module):
            execute(module)
            ours("logging_format")["configure"](module, RequestId)

        try:
            spec.loader.exec_module = exec_module
        except AttributeError:
            # A loader that takes no attributes, such as the one of frozen modules.
            spec.loader = LoaderAround(spec.loader, exec_module)
        return spec


class LoaderAround:
    def __init__(self, loader, exec_module):
        self.loader = loader
        self.exec_module = exec_module

    def create_module(self, spec):
        return self.loader.create_module(spec)


class Missing:
    """Asked last: says why the AWS SDK is not here, where that is so."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if name in ("boto3", "botocore"):
            why = "the AWS SDK could not be fetched when the function was created, or --sdk none was chosen"
            raise ModuleNotFoundError(f"No module named '{name}' ({why}; see the log of apus, or bring it)", name=name)


class Quitter:
    """`exit` and `quit`, which are not there without the `site` module."""

    def __init__(self, name):
        self.name = name

    def __repr__(self):
        return f"Use {self.name}() to exit"

    def __call__(self, code=None):
        raise SystemExit(code)


def prepare(environ):
    import builtins

    builtins.exit, builtins.quit = Quitter("exit"), Quitter("quit")
    sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)
    sys.stderr.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)
    sys.meta_path.insert(0, LoggingHook)
    sys.meta_path.append(Missing)
    task = environ.get("LAMBDA_TASK_ROOT", "/var/task")
    packages = f"lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
    # Where layers are is the platform's to say; functions see no arguments.
    layers = sys.argv.pop() if len(sys.argv) > 1 else "/opt"
    first = [task, f"{layers}/python/{packages}", f"{layers}/python"]
    # What the script's directory and the variables put in front stays in front of the standard library.
    own = sys.path.pop(0)
    sys.path[:] = first + sys.path + [own + "/site-packages"]


def load(handler):
    module_name, dot, function_name = handler.rpartition(".")
    if not dot:
        raise Fault(
            "Runtime.MalformedHandlerName",
            f"Bad handler '{handler}': not enough values to unpack (expected 2, got 1)",
        )
    try:
        from importlib import import_module

        module = import_module(module_name.replace("/", "."))
    except ImportError as error:
        raise Fault("Runtime.ImportModuleError", f"Unable to import module '{module_name}': {error}") from None
    except SyntaxError as error:
        trace = [f'  File "{error.filename}" Line {error.lineno}\n    {error.text}']
        raise Fault(
            "Runtime.UserCodeSyntaxError", f"Syntax error in module '{module_name}': {error}", trace
        ) from None
    try:
        return getattr(module, function_name)
    except AttributeError:
        raise Fault(
            "Runtime.HandlerNotFound", f"Handler '{function_name}' missing on module '{module_name}'"
        ) from None


def tell(post, path, error, request_id, environ):
    exceptions = ours("exceptions")
    if isinstance(error, Fault):
        known = error.kind, str(error), error.trace
    else:
        known = exceptions["describe"](error, __file__)
    report = {"errorMessage": known[1], "errorType": known[0], "requestId": request_id, "stackTrace": known[2]}
    flush(exceptions["logged"](report, environ.get("AWS_LAMBDA_LOG_FORMAT")))
    kind = report["errorType"].encode("ascii", "replace").decode()
    post(path, json.dumps(report).encode(), f"Lambda-Runtime-Function-Error-Type: {kind}\r\n")


def flush(text=""):
    for stream in (sys.stdout, sys.stderr):
        try:
            if text and stream is sys.stdout:
                stream.write(text)
            stream.flush()
        except (OSError, ValueError, AttributeError):
            # The function closed or replaced it.
            pass


def plain(value):
    """What `json` does not know and AWS's runtime does."""
    if type(value).__name__ == "Decimal":
        return float(value)
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


encode = json.JSONEncoder(default=plain, ensure_ascii=sys.version_info < (3, 12)).encode


def handle(api, function, environ):
    headers, body = api.next()
    request_id = RequestId.current = headers["lambda-runtime-aws-request-id"]
    trace_id = headers.get("lambda-runtime-trace-id")
    if trace_id:
        environ["_X_AMZN_TRACE_ID"] = trace_id
    path = f"invocation/{request_id}/"
    try:
        try:
            event = json.loads(str(body, "utf-8"))
        except ValueError as error:
            raise Fault("Runtime.UnmarshalError", f"Unable to unmarshal input: {error}") from None
        result = function(event, LambdaContext(headers))
        try:
            response = encode(result).encode("utf-8", "surrogatepass")
        except (TypeError, ValueError, RecursionError) as error:
            raise Fault("Runtime.MarshalError", f"Unable to marshal response: {error}") from None
    except Exception as error:
        tell(api.post_and_ask, path + "error", error, request_id, environ)
    else:
        flush()
        api.post_and_ask(path + "response", response)


def main():
    from os import environ

    prepare(environ)
    api = Api(environ["AWS_LAMBDA_RUNTIME_API"])
    try:
        function = load(environ["_HANDLER"])
    except Exception as error:
        tell(api.post, "init/error", error, "", environ)
        raise SystemExit(1)
    LambdaContext.configure(environ)
    api.ask()
    while True:
        handle(api, function, environ)


if __name__ == "__main__":
    main()
