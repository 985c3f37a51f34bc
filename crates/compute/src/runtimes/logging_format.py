"""AWS's format for what a function logs with `logging`. Loaded when it does."""

import json
import sys
from os import environ
from time import gmtime


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
    level = environ.get("AWS_LAMBDA_LOG_LEVEL", "")
    levels = {"TRACE": 5, "DEBUG": 10, "INFO": 20, "WARN": 30, "ERROR": 40, "FATAL": 50}
    if level in levels:
        logging.root.setLevel(levels[level])


def json_formatter(logging):
    class JsonFormatter(logging.Formatter):
        def format(self, record):
            entry = {
                "timestamp": self.formatTime(record, "%Y-%m-%dT%H:%M:%SZ"),
                "level": record.levelname,
                "message": record.getMessage(),
                "logger": record.name,
            }
            if record.exc_info:
                entry["errorType"] = record.exc_info[0].__name__
                entry["errorMessage"] = str(record.exc_info[1])
                entry["stackTrace"] = self.formatException(record.exc_info).split("\n")
            if record.aws_request_id:
                entry["requestId"] = record.aws_request_id
            return json.dumps(entry) + "\n"

    return JsonFormatter()
