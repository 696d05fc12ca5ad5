"""Work shared between workers that inherit the data: nothing of a person is ever written to a pipe.

A forked worker sees the parent's memory as it is, so only what it answers (numbers, or a sentence of what
went wrong) travels. Where there is no fork (Windows) or it is unsafe (macOS), threads do the work.
"""

import multiprocessing
import sys
import traceback
from concurrent.futures import ThreadPoolExecutor

from evalkit.errors import EstimationError

PROCESSES, THREADS, ALONE = "processes", "threads", "one worker"


def run_shared(task, n_tasks, n_workers):
    """Return ``[task(0), ..., task(n_tasks - 1)]`` and how they were run.

    Parameters
    ----------
    task : callable of int
        Returns an array or a text; it must not depend on which worker runs it.
    n_tasks, n_workers : int

    Returns
    -------
    list, str
        The answers in order; ``processes``, ``threads`` or ``one worker``.

    Raises
    ------
    EstimationError
        A worker ended without an answer.
    RuntimeError
        A task failed with an error of its own; the worker's traceback is in the message.

    Examples
    --------
    >>> run_shared(lambda k: k * k, 4, 1)
    ([0, 1, 4, 9], 'one worker')
    """
    n_workers = min(n_workers, n_tasks)
    if n_workers <= 1:
        return [task(k) for k in range(n_tasks)], ALONE
    if can_fork():
        return _in_processes(task, n_tasks, n_workers), PROCESSES
    with ThreadPoolExecutor(n_workers) as pool:
        return list(pool.map(task, range(n_tasks))), THREADS


def can_fork():
    """Return whether a worker can safely inherit this process's memory."""
    is_worker = multiprocessing.current_process().daemon  # which may have no workers of its own
    return sys.platform.startswith("linux") and not is_worker


def _in_processes(task, n_tasks, n_workers):
    fork = multiprocessing.get_context("fork")
    workers = []
    for w in range(n_workers):
        receiver, sender = fork.Pipe(duplex=False)
        worker = fork.Process(target=_work, args=(task, range(w, n_tasks, n_workers), sender), daemon=True)
        worker.start()
        sender.close()
        workers.append((worker, receiver))
    answers = [None] * n_tasks
    try:
        for w, (_, receiver) in enumerate(workers):
            answers[w::n_workers] = _received(receiver)
    finally:
        for worker, _ in workers:
            worker.terminate()
            worker.join()
    return answers


def _work(task, numbers, sender):
    try:
        sender.send((True, [task(k) for k in numbers]))
    except BaseException:
        sender.send((False, traceback.format_exc()))
    sender.close()


def _received(receiver):
    try:
        is_done, answer = receiver.recv()
    except EOFError:
        raise EstimationError("a worker ended without an answer, perhaps for want of memory; "
                              "use fewer workers (n_workers=1 needs no copy)") from None
    if not is_done:
        raise RuntimeError(f"a worker failed:\n{answer}")
    return answer
