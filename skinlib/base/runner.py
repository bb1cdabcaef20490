"""Do the same to many photos: on all cores of this machine, in bounded memory, in order.

Everything slow in this package is one function called for each photo. What calls it is a *runner*: :func:`threads`
here, or :func:`skinlib.scale.cluster.ray` where one machine is not enough. Introduced in chapter 7, Scaling up.
"""

import itertools
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

AHEAD = 512
"""Items handed out before the first of their results is asked for: bounds the memory, and no core waits for work."""


def cores() -> int:
    """Return how many cores this process may use: SKINLIB_CORES where that is set, or as many as the system gives.

    In a container they are fewer than the machine has, and on a cluster each worker has one.
    """
    if os.environ.get("SKINLIB_CORES", "").isdecimal():
        return max(int(os.environ["SKINLIB_CORES"]), 1)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def threads(make: Callable[[], Callable], items: Iterable) -> Iterator:
    """Yield ``make()(item)`` for each item, in order, one thread to a core.

    ``make`` is called once and returns the worker, which several threads then call at a time. A runner of many
    processes calls it once in each, so ``make`` must be picklable: a function of a module, or a ``functools.partial``
    of one. What a worker raises is raised here, and nothing more is begun.
    """
    items = iter(items)
    first = list(itertools.islice(items, AHEAD))
    if not first:
        return
    worker = make()
    pool = ThreadPoolExecutor(cores())
    try:
        waiting = deque(pool.submit(worker, item) for item in first)
        while waiting:
            yield waiting.popleft().result()
            waiting.extend(pool.submit(worker, item) for item in itertools.islice(items, 1))
    finally:
        pool.shutdown(cancel_futures=True)
