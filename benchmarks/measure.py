"""One library in a process of its own: ``measure.py LIBRARY SECONDS WORK=DATA ...``; a line of JSON a work.

CPU seconds of the process and its children; ``first`` is the first call with all that it imports, ``best``
the best of the calls that fit into so many seconds. Memory is what the first call needs beyond what was
there.
"""

import gc
import json
import sys
import time
from pathlib import Path

import data
import tasks

_MOST_CALLS = 20


def main(library, seconds, *jobs):
    for job in jobs:
        work, _, path = job.partition("=")
        print(json.dumps({"work": work, **measured(library, work, path, float(seconds))}), flush=True)


def measured(library, work, path, seconds):
    make = tasks.task(library, work)
    if make is None:
        return {"error": "no such function"}
    try:
        return _timed(make(data.read(path)), seconds)
    except ImportError as missing:
        return {"error": "not installed" if library.partition("_")[0] != "evalkit" else str(missing)}
    except Exception as failed:
        return {"error": f"{type(failed).__name__}: {str(failed).splitlines()[0][:120]}"}


def _timed(call, seconds):
    gc.collect()
    forget_peak()
    resident = memory("VmRSS")
    answer, first = _once(call)
    found = {"first": first, "megabytes": (memory("VmHWM") - resident) / 1024, "answer": answer}
    spent = [first]
    # One call more at least, unless it is long: the first one holds imports.
    while (sum(spent) < seconds and len(spent) < _MOST_CALLS) or (len(spent) == 1 and first < 1):
        spent.append(_once(call)[1])
    return {**found, "best": min(spent)}


def _once(call):
    before = cpu()
    answer = call()
    return [float(value) for value in answer], cpu() - before


def cpu():
    """Return CPU seconds of this process and of its finished children."""
    try:
        import resource
    except ImportError:
        return time.process_time()
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def forget_peak():
    """Let the peak of resident memory begin anew, where the system can."""
    if Path("/proc/self/clear_refs").exists():
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def memory(field):
    """Return kilobytes of a field of the process's status; NaN where there is none."""
    status = Path("/proc/self/status")
    lines = status.read_text(encoding="ascii").splitlines() if status.exists() else []
    return next((float(line.split()[1]) for line in lines if line.startswith(field)), float("nan"))


if __name__ == "__main__":
    main(*sys.argv[1:])
