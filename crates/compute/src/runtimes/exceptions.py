"""Tells an exception as AWS does. Loaded when there is one."""

import traceback


def describe(error, bootstrap):
    """Its type, its message and the function's own part of its trace."""
    frames = traceback.extract_tb(error.__traceback__)
    # The first frames are the bootstrap's and the import machinery's that it called.
    while frames and (
        frames[0].filename == bootstrap
        or frames[0].filename.startswith("<frozen importlib")
        or frames[0].filename.endswith("/importlib/__init__.py")
    ):
        frames.pop(0)
    return type(error).__name__, str(error), traceback.format_list(frames)
