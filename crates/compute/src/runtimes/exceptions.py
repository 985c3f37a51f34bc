"""Tells an error as AWS does. Loaded when there is one."""

import json
from time import gmtime, strftime


def describe(error, bootstrap):
    """Its type, its message and the function's own part of its trace."""
    import traceback

    frames = traceback.extract_tb(error.__traceback__)
    # The first frames are the bootstrap's and the import machinery's that it called.
    while frames and (
        frames[0].filename == bootstrap
        or frames[0].filename.startswith("<frozen importlib")
        or frames[0].filename.endswith("/importlib/__init__.py")
    ):
        frames.pop(0)
    return type(error).__name__, str(error), traceback.format_list(frames)


def logged(report, log_format):
    """The lines of the log that tell a report."""
    if log_format == "JSON":
        when = {"timestamp": strftime("%Y-%m-%dT%H:%M:%SZ", gmtime()), "level": "ERROR"}
        return json.dumps({**when, **report}, ensure_ascii=False) + "\n"
    trace = "".join(report["stackTrace"])
    text = f"[ERROR] {report['errorType']}: {report['errorMessage']}\nTraceback (most recent call last):\n{trace}"
    return text.rstrip("\n") + "\n"
