#!/usr/bin/env python3
"""An extension that does what the variable DO of its function says, and notes in a file what it is told."""

import http.server
import json
import os
import socket
import sys
import threading
import urllib.error
import urllib.request

API = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"]
NAME = os.path.basename(sys.argv[0])
# Without namespaces /tmp is everybody's.
NOTES = os.path.join(os.environ.get("TMPDIR", "/tmp"), NAME)
DO = json.loads(os.environ.get("DO", "{}")).get(NAME, {})


def note(*what):
    with open(NOTES, "a") as file:
        file.write(json.dumps(what) + "\n")


def say(*what):
    print(NAME, *what, flush=True)


def call(method, path, body=None, headers={}):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(API + path, data, headers, method=method)
    try:
        with urllib.request.urlopen(request) as response:
            return response.status, dict(response.headers), json.loads(response.read())
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), json.loads(error.read())


def wait_for_the_test(word):
    """Tells the test, which listens at the platform's endpoint, and waits until it says something."""
    with socket.create_connection(("127.0.0.1", 4599)) as stream:
        stream.sendall(word.encode() + b"\n")
        stream.recv(1)


class Listener(http.server.BaseHTTPRequestHandler):
    refuses = DO.get("refuses", 0)

    def do_POST(self):
        events = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if Listener.refuses:
            Listener.refuses -= 1
            note("refused", events)
            return self.send_error(503)
        for event in events:
            note("telemetry", event)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


def subscribe(identifier, wish):
    server = http.server.HTTPServer((wish.get("host", "sandbox.localdomain"), 0), Listener)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = wish.get("port", server.server_port)
    body = {
        "schemaVersion": wish.get("schema", "2022-12-13"),
        "types": wish.get("types", ["platform", "function", "extension"]),
        "buffering": {"maxItems": 1000, "maxBytes": 262144, "timeoutMs": 25},
        "destination": {"protocol": "HTTP", "URI": "http://sandbox.localdomain:%d/x" % port},
    }
    path = wish.get("path", "/2022-07-01/telemetry")
    note("subscribed", *call("PUT", path, body, identifier)[::2])


def main():
    if DO.get("exits") == "at once":
        sys.exit(3)
    name = {"Lambda-Extension-Name": NAME, "Lambda-Extension-Accept-Feature": "accountId"}
    events = DO.get("events", ["INVOKE", "SHUTDOWN"])
    status, headers, body = call("POST", "/2020-01-01/extension/register", {"events": events}, name)
    note("registered", status, body)
    identifier = {"Lambda-Extension-Identifier": headers.get("Lambda-Extension-Identifier", "")}
    if DO.get("fails") == "init":
        identifier["Lambda-Extension-Function-Error-Type"] = "Extension.NoConfig"
        note("failed", *call("POST", "/2020-01-01/extension/init/error", {}, identifier)[::2])
    for wish in DO.get("subscriptions", []):
        subscribe(identifier, wish)
    if DO.get("exits") == "in init":
        sys.exit(4)
    say("starts")
    while True:
        _, _, event = call("GET", "/2020-01-01/extension/event/next", None, identifier)
        note("event", event)
        say("is told", event["eventType"], event.get("shutdownReason", ""))
        if event["eventType"] == "SHUTDOWN":
            if DO.get("stays"):
                threading.Event().wait()
            return
        if DO.get("exits") == "in invoke":
            sys.exit(5)
        if DO.get("dies"):
            os.kill(os.getpid(), DO["dies"])
        if DO.get("fails") == "exit":
            identifier["Lambda-Extension-Function-Error-Type"] = "Extension.Broken"
            note("failed", *call("POST", "/2020-01-01/extension/exit/error", {}, identifier)[::2])
        if DO.get("waits"):
            wait_for_the_test(NAME)
        if DO.get("hangs"):
            threading.Event().wait()


main()
