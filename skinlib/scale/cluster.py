"""More machines than one: the runner of :mod:`skinlib.base.runner` as a Ray Data pipeline.

Features, predictions and the audit's sketches take a runner; with :func:`ray` for it, the workers are processes on all
machines of a Ray cluster (Moritz et al., 2018). They need the folder of photos and the cache under the same names as
here, on a file system that they share: results go there, whole or not at all, and only small things through the
pipeline. So a worker that dies costs time, and nothing else. Introduced in chapter 7, Scaling up.
"""

import contextlib
import itertools
import logging
import os
import pickle
import socket
from collections.abc import Callable, Iterable, Iterator

from skinlib.base import runner
from skinlib.base.errors import SkinlibError
from skinlib.base.files import silent

BATCH = 16
"""Items handed to a worker at a time: what is done again when it dies."""
WINDOW = 2**16
"""Items that one pipeline takes in: bounds the memory. The workers are made anew for the next."""
PATIENCE = 10
"""Seconds to wait for an answer from a cluster's address. Ray itself would try for many minutes."""


def ray(make: Callable[[], Callable], items: Iterable, workers: int | None = None, address: str = "local") -> Iterator:
    """Yield ``make()(item)`` for each item, in order: a runner, as :func:`skinlib.base.runner.threads` is one.

    ``address`` names a Ray cluster that is up, as ``ray.init`` takes it ("auto" for the one this machine belongs to);
    with "local" a cluster of this machine's cores is started, and stopped at the end. ``workers`` processes share the
    work, each on one core; by default as many as the cluster has cores. Each calls ``make`` once in 65,536 items. What
    ``make`` or a worker raises is raised here. Raises SkinlibError where Ray is not installed or the cluster can't be
    reached.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would report on its use to its makers
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # what fails is raised
    try:
        import ray as engine
        import ray.data
    except ImportError:
        raise SkinlibError("Ray is not installed: pip install skinlib[cluster]") from None
    items = iter(items)
    window = list(itertools.islice(items, WINDOW))
    if not window:
        return
    ours = not engine.is_initialized()
    if ours:
        _start(engine, workers or runner.cores(), address)
    try:
        workers = workers or int(engine.cluster_resources().get("CPU", 1))
        while window:
            yield from _pipeline(engine, make, window, workers)
            window = list(itertools.islice(items, WINDOW))
    finally:
        if ours:
            engine.shutdown()


def _pipeline(engine, make: Callable[[], Callable], items: list, workers: int) -> Iterator:
    """Yield the results for some items, from a Ray Data pipeline of as many workers."""
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)  # a failure is raised, and need not be logged as well
    context = engine.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.execution_options.preserve_order = True
    blocks = -(-len(items) // BATCH)
    rows = [{"item": pickle.dumps(item)} for item in items]
    answers = engine.data.from_items(rows, override_num_blocks=blocks).map_batches(
        _Worker,
        fn_constructor_args=(engine.cloudpickle.dumps(make), os.getcwd()),
        batch_size=BATCH,
        num_cpus=1,
        compute=engine.data.ActorPoolStrategy(size=min(workers, blocks)),
        runtime_env={"env_vars": {"SKINLIB_CORES": "1"}},
    )
    for row in answers.iter_rows():
        failed, result = pickle.loads(row["answer"])
        if failed:
            raise result
        yield result


def _start(engine, workers: int, address: str) -> None:
    """Start a cluster on this machine, or join the one at ``address``, without a word."""
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    local = (
        {"num_cpus": workers, "include_dashboard": False, "object_store_memory": 2**29} if address == "local" else {}
    )
    try:
        host, _, port = address.rpartition(":")
        if port.isdecimal() and "/" not in host:
            socket.create_connection((host, int(port)), PATIENCE).close()
        with silent():  # of that setting Ray makes a line itself
            engine.init(address=address, **quiet, **local)
    except Exception as error:  # the engine has a class of its own for every kind of failure
        reason = str(error).strip().split("\n")[0][:120]
        where = "this machine" if address == "local" else address
        raise SkinlibError(f"no Ray cluster at {where} ({reason}): see `ray status`") from error


class _Worker:
    """What runs in each process: the worker that ``make`` returns, called for a batch of items."""

    def __init__(self, make: bytes, folder: str):
        with contextlib.suppress(OSError):  # where it is no folder of this machine, names must be absolute
            os.chdir(folder)
        try:
            self.worker = pickle.loads(make)()
        except Exception as error:
            self.worker = _fails_with(error)  # told with the first item: here, Ray would wrap it in pages of its own

    def __call__(self, batch: dict) -> dict:
        return {"answer": [self._answer(item) for item in batch["item"]]}

    def _answer(self, item: bytes) -> bytes:
        """Return, pickled, whether the worker failed, and its result or its error."""
        from ray import cloudpickle

        try:
            return cloudpickle.dumps((False, self.worker(pickle.loads(item))))
        except Exception as error:
            try:
                message = cloudpickle.dumps((True, error))
                pickle.loads(message)  # some errors can be written and not read: their ``__init__`` takes other things
                return message
            except Exception:
                line = f"{type(error).__name__}: {error}".strip().split("\n")[0]
                return cloudpickle.dumps((True, SkinlibError(line)))


def _fails_with(error: Exception) -> Callable:
    def fail(_):
        raise error

    return fail
