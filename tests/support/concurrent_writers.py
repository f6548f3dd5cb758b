"""Threads and processes that save and load one path."""

import json
import os
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from secagent_env import Instance, sample_instance
from secagent_env.support.files import write_text


def faults(path: Path, seconds: float, processes: int = 4, threads: int = 2) -> list[str]:
    """Return what goes wrong when processes of several threads save and load one path for some time."""
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        running = [pool.submit(_threads, path, process, threads, seconds) for process in range(processes)]
        return [fault for future in running for fault in future.result()]


def _threads(path: Path, process: int, count: int, seconds: float) -> list[str]:
    os.getpid = lambda: 4242  # as processes of two machines, or containers, may have it
    found: list[str] = []
    threads = [
        threading.Thread(target=lambda i=i: found.extend(_save_and_load(path, f"{process}.{i}", seconds)))
        for i in range(count)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def _save_and_load(path: Path, name: str, seconds: float) -> list[str]:
    end, found, count = time.monotonic() + seconds, [], 0
    instances = sample_instance("small", 1, 3)
    while time.monotonic() < end:
        count += 1
        try:
            instances[count % 3].save(path.with_suffix(".npz"))
            assert Instance.load(path.with_suffix(".npz")).scenario == instances.scenario
            write_text(path, json.dumps({"name": name, "count": count, "end": "x" * (count % 7000)}) + "\n")
            document = json.loads(path.read_text())
            assert list(document) == ["name", "count", "end"]
            assert len(document["end"]) == document["count"] % 7000
        except Exception as error:  # whatever goes wrong is counted
            found.append(f"{type(error).__name__}: {error}")
    return found if count else ["nothing was saved"]
