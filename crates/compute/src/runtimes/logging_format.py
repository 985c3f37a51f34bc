"""AWS's format for what a function logs with `logging`. Loaded when it does."""

import json
import sys
from os import environ
from time import gmtime

# What a record has beside what the function gave it with `extra`.
OWN = {
    "args", "aws_request_id", "created", "exc_info", "exc_text", "filename", "funcName", "levelname", "levelno",
    "lineno", "module", "msecs", "message", "msg", "name", "pathname", "process", "processName", "relativeCreated",
    "stack_info", "thread", "threadName",
}


def configure(logging, request):
    class Handler(logging.Handler):
        def emit(self, record):
            try:
                sys.stdout.write(self.format(record))
                sys.stdout.flush()
            except Exception:
                self.handleError(record)

    class WithRequestId(logging.Filter):
        def filter(self, record):
            record.aws_request_id = request.current
            return True

    logging.Formatter.converter = staticmethod(gmtime)
    handler = Handler()
    if environ.get("AWS_LAMBDA_LOG_FORMAT") == "JSON":
        handler.setFormatter(json_formatter(logging))
    else:
        handler.setFormatter(
            logging.Formatter(
                "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s\n", "%Y-%m-%dT%H:%M:%S"
            )
        )
    handler.addFilter(WithRequestId())
    logging.root.addHandler(handler)
    level = environ.get("AWS_LAMBDA_LOG_LEVEL", "").upper()
    # Python has nothing below DEBUG.
    level = "DEBUG" if level == "TRACE" else level
    if level in ("DEBUG", "INFO", "WARN", "ERROR", "FATAL"):
        logging.root.setLevel(getattr(logging, level))


def json_formatter(logging):
    class JsonFormatter(logging.Formatter):
        def format(self, record):
            # Levels between those that have names are the next lower one.
            level = logging.getLevelName(min(50, max(0, record.levelno)) // 10 * 10)
            seconds = self.formatTime(record, "%Y-%m-%dT%H:%M:%S")
            entry = {
                "timestamp": f"{seconds}.{int(record.msecs):03}Z",
                "level": level,
                "message": record.getMessage(),
                "logger": record.name,
            }
            if record.exc_info and record.exc_info[0]:
                from traceback import format_tb

                kind, error, trace = record.exc_info
                entry["stackTrace"] = format_tb(trace)
                entry["errorType"] = kind.__name__
                entry["errorMessage"] = str(error)
            # Empty while the function is loaded.
            entry["requestId"] = record.aws_request_id
            if "errorType" in entry:
                entry["location"] = f"{record.pathname}:{record.funcName}:{record.lineno}"
            for name, value in vars(record).items():
                if name not in OWN and name not in entry and value is not None:
                    entry[name] = value
            return json.dumps(entry, ensure_ascii=False) + "\n"

    return JsonFormatter()
