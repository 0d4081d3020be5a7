"""Time and peak memory of one workload, each in a process of its own.

A fresh process has an empty heap, so its peak belongs to what it ran. CPU seconds
are taken, not wall-clock ones: they leave out what else the machine does.
"""

import json
import subprocess
import sys
from typing import NamedTuple


class Measurement(NamedTuple):
    """What one process took."""

    seconds: float  # CPU time of the workload alone
    handled: int  # units: deliveries, requests
    peak: int  # bytes of resident memory at most, interpreter and libraries included
    peak_before: int  # bytes, before the workload began


def measure(workload: str, who: str, size: int) -> Measurement:
    """Run a workload of ``size`` by ``who`` ("engine" or "by_hand") in a new process."""
    command = [sys.executable, "-m", "benchmarks.measure", workload, who, str(size)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return Measurement(**json.loads(output))


def _peak() -> int:
    try:
        import resource
    except ImportError:  # Windows has no such account
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _here(workload: str, who: str, size: int) -> Measurement:
    from time import process_time

    from benchmarks.workloads import WORKLOADS

    work = getattr(WORKLOADS[workload], who)
    work(100)  # imports and caches are not what is measured
    before, began = _peak(), process_time()
    handled = work(size)
    return Measurement(process_time() - began, handled, _peak(), before)


if __name__ == "__main__":
    name, who, size = sys.argv[1:]
    print(json.dumps(_here(name, who, int(size))._asdict()))
