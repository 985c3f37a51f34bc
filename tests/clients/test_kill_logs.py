"""SIGKILL of the real process at random moments, while events are put into a log.

What PutLogEvents acknowledged must be there, each batch in one piece and in its order; what was under way may be there
whole or not at all. The number of kills is APUS_LOGS_KILLS (6 unless told otherwise), the seed of their moments
APUS_KILL_SEED.
"""

import os
import random
import threading
import time

from test_kill import GONE, SEED

KILLS = int(os.environ.get("APUS_LOGS_KILLS", "6"))
WRITERS = 4
GROUP = "/kill/group"


def write(instance, writer, acknowledged, tried, stop, failures):
    client = instance.client("logs")
    while not stop.is_set():
        number = len(tried)
        tried.append(number)
        at = int(time.time() * 1000)
        events = [{"timestamp": at, "message": f"{writer} {number} {part} {'x' * 200}"} for part in range(3)]
        try:
            client.put_log_events(logGroupName=GROUP, logStreamName=str(writer), logEvents=events)
        except GONE:
            return
        except Exception as error:  # noqa: BLE001
            failures.append(repr(error))
            return
        acknowledged.append(number)


def read(instance, writer):
    """The batches of a stream in their order, each with its parts."""
    client, found, token = instance.client("logs"), [], {}
    while True:
        page = client.get_log_events(logGroupName=GROUP, logStreamName=str(writer), startFromHead=True, **token)
        found += [tuple(map(int, event["message"].split()[:3])) for event in page["events"]]
        if token.get("nextToken") == page["nextForwardToken"]:
            return found
        token = {"nextToken": page["nextForwardToken"]}


def test_acknowledged_events_survive_kills(launch, tmp_path):
    chance = random.Random(SEED)
    print(f"APUS_KILL_SEED={SEED}")
    instance = launch(tmp_path / "data")
    client = instance.client("logs")
    client.create_log_group(logGroupName=GROUP)
    for writer in range(WRITERS):
        client.create_log_stream(logGroupName=GROUP, logStreamName=str(writer))
    acknowledged, tried = [[] for _ in range(WRITERS)], [[] for _ in range(WRITERS)]
    for _ in range(KILLS):
        stop, failures = threading.Event(), []
        threads = [
            threading.Thread(target=write, args=(instance, writer, acknowledged[writer], tried[writer], stop, failures))
            for writer in range(WRITERS)
        ]
        for thread in threads:
            thread.start()
        # The moment is what is tested.
        time.sleep(chance.uniform(0.05, 1.0))
        instance.kill()
        stop.set()
        for thread in threads:
            thread.join()
        assert failures == []
        instance = launch(tmp_path / "data")
        for writer in range(WRITERS):
            found = read(instance, writer)
            batches = [number for own, number, part in found if part == 0]
            assert found == [(writer, number, part) for number in batches for part in range(3)], "whole and in order"
            assert batches == sorted(batches) and set(batches) <= set(tried[writer])
            assert set(acknowledged[writer]) <= set(batches), "what was acknowledged is there"
    assert sum(map(len, acknowledged)) > 0
    instance.stop()
