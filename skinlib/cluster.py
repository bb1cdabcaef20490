"""More machines than one: the runner of :mod:`skinlib.work` as a Ray Data pipeline.

Features, predictions and the audit's sketches take a runner; with :func:`ray` for it, the workers are processes on all
machines of a Ray cluster (Moritz et al., 2018). They need the folder of photos and the cache under the same names as
here, on a file system that they share: results go there, whole or not at all, and only small things through the
pipeline. So a worker that dies costs time, and nothing else. Introduced in chapter 7, Scaling up.
"""

import logging
import os
import pickle
from collections.abc import Callable, Iterable, Iterator

from skinlib import work
from skinlib.settings import SkinlibError

BATCH = 16
"""Items handed to a worker at a time: what is done again when it dies."""


def ray(
    make: Callable[[], Callable], items: Iterable, workers: int | None = None, address: str | None = None
) -> Iterator:
    """Yield ``make()(item)`` for each item, in order: a runner, as :func:`skinlib.work.threads` is one.

    ``address`` names a Ray cluster that is up, as ``ray.init`` takes it ("auto" for the one this machine belongs to);
    without it a cluster of this machine's cores is started, and stopped at the end. ``workers`` processes share the
    work, each on one core; by default as many as there are cores. Each calls ``make`` once. What a worker raises is
    raised here. Raises SkinlibError where Ray is not installed or the cluster can't be reached.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would report on its use to its makers
    try:
        import ray as engine
        import ray.data
    except ImportError:
        raise SkinlibError("Ray is not installed: pip install skinlib[cluster]") from None
    items = [pickle.dumps(item) for item in items]
    if not items:
        return
    workers = workers or work.cores()
    ours = not engine.is_initialized()
    if ours:
        _start(engine, workers, address)
    try:
        context = engine.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.execution_options.preserve_order = True
        blocks = -(-len(items) // BATCH)
        answers = engine.data.from_items([{"item": item} for item in items], override_num_blocks=blocks).map_batches(
            _Worker,
            fn_constructor_args=(engine.cloudpickle.dumps(make),),
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
    finally:
        if ours:
            engine.shutdown()


def _start(engine, workers: int, address: str | None) -> None:
    """Start a cluster on this machine, or join the one at ``address``, without a word."""
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    local = {"num_cpus": workers, "include_dashboard": False, "object_store_memory": 2**29}
    try:
        engine.init(address=address or "local", **quiet, **({} if address else local))
    except Exception as error:  # the engine has a class of its own for every kind of failure
        reason = str(error).strip().split("\n")[0][:120]
        raise SkinlibError(f"no Ray cluster at {address or 'this machine'} ({reason}): see `ray status`") from error


class _Worker:
    """What runs in each process: the worker that ``make`` returns, called for a batch of items."""

    def __init__(self, make: bytes):
        self.worker = pickle.loads(make)()

    def __call__(self, batch: dict) -> dict:
        answers = []
        for item in batch["item"]:
            try:
                answer = False, self.worker(pickle.loads(item))
            except Exception as error:  # raised again where the results are asked for
                answer = True, error
            answers.append(pickle.dumps(answer))
        return {"answer": answers}
