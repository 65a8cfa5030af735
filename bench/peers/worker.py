"""One peer in one process: answers the tasks that run.py sends as lines of JSON."""

from __future__ import annotations

import importlib
import json
import os
import sys
from typing import TYPE_CHECKING, Any

from tasks import seconds_per_run

if TYPE_CHECKING:
    from tasks import Job


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints is no answer

    def answer(**message: Any) -> None:
        print(json.dumps(message), file=answers, flush=True)

    name, threads = sys.argv[1], int(sys.argv[2])
    try:
        peer = importlib.import_module(f"{name}_peer")
        answer(about=peer.start(threads), steps=list(peer.STEP_VARIANTS), operations=list(peer.OPERATIONS))
    except ImportError as error:
        answer(missing=str(error))
        return
    jobs: dict[str, Job] = {}
    for line in sys.stdin:
        task = json.loads(line)
        key = json.dumps([task["name"], task["arguments"]])
        if task["forget"]:
            jobs.clear()
        try:
            if key not in jobs:
                table = peer.STEP_VARIANTS if task["name"] in peer.STEP_VARIANTS else peer.OPERATIONS
                jobs[key] = table[task["name"]](*task["arguments"])
                seconds_per_run(jobs[key], 0.3)  # compiles, allocates, wakes the threads
            seconds = seconds_per_run(jobs[key], task["seconds"])
            jobs[key].check()
            answer(seconds=seconds)
        except Exception as error:
            answer(error=f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
