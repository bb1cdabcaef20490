"""What the benchmarks share: the machine and its versions, times with their spread, tables, and the command line.

    python benchmarks/common.py

prints the machine and the versions. TensorFlow is imported by the functions that need it alone, so that a script that
only starts others stays small.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from skinlib.base import runner
from skinlib.base.errors import SkinlibError
from skinlib.base.files import write_json, written_whole
from skinlib.base.fingerprint import key_for, result_versions
from skinlib.base.settings import load_settings
from skinlib.base.store import Store

if TYPE_CHECKING:
    from skinlib.data.dataset import DataSet
    from skinlib.learn.pretrained import Weights


def machine() -> dict:
    """Return what a time depends on: processor, cores that may be used, memory, system, and whether it has bfloat16."""
    from skinlib.learn import extraction

    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
        name = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):  # not Linux, or a processor without a name
        name = platform.processor() or platform.machine()
    try:
        memory = round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1)
    except (AttributeError, ValueError, OSError):  # Windows doesn't tell in this way
        memory = None
    return {
        "processor": name,
        "cores": runner.cores(),
        "memory_gigabytes": memory,
        "system": platform.system(),
        "bfloat16": extraction.has_bfloat16(),
    }


def versions(*packages: str) -> dict[str, str]:
    """Return the versions that shape every result, and those of the peers named."""
    return result_versions() | {package: metadata.version(package) for package in packages}


def timed(function: Callable, *arguments):
    """Return what the function returns, the seconds it took and the processor seconds of all cores."""
    started, cpu = time.perf_counter(), time.process_time()
    result = function(*arguments)
    return result, time.perf_counter() - started, time.process_time() - cpu


def interleaved(functions: dict[str, Callable[[], object]], repeats: int) -> dict[str, list[float]]:
    """Call each function once to warm up and then ``repeats`` times in turn; return the seconds of each call by name.

    In turn, so that a machine that slows down for a while slows all of them.
    """
    for function in functions.values():
        function()
    seconds = {name: [] for name in functions}
    for _ in range(repeats):
        for name, function in functions.items():
            seconds[name].append(timed(function)[1])
    return seconds


def spread(seconds: list[float]) -> dict[str, float]:
    """Return the middle of some times, with the shortest and the longest as its spread."""
    return {
        "seconds": round(statistics.median(seconds), 4),
        "shortest": round(min(seconds), 4),
        "longest": round(max(seconds), 4),
    }


def per_second(seconds: list[float], count: int) -> dict[str, float]:
    """Return count per second in the median call, with the slowest and the fastest call as its spread."""
    return {
        "per_second": round(count / statistics.median(seconds), 2),
        "slowest": round(count / max(seconds), 2),
        "fastest": round(count / min(seconds), 2),
    }


def operations(layers: Iterable) -> int:
    """Return the floating-point operations of Keras layers for one photo, two for each multiplication and addition.

    Counted are the convolutions and dense layers, from the shapes of their outputs and weights. The little that lies
    between is not, so a limit reckoned from them is a little higher than any engine could reach.
    """
    from skinlib.learn.engines import keras

    total = 0
    for layer in layers:
        if isinstance(layer, keras.layers.Conv2D | keras.layers.Dense):
            places = np.prod(layer.output.shape[1:-1], dtype=int)  # 1 for a dense layer
            total += 2 * int(places) * int(np.prod(layer.kernel.shape))
    return total


def table(rows: list[dict]) -> str:
    """Return rows, whose keys are the columns, as text in columns. A key that a row lacks leaves its place empty."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    cells = [names] + [[_shown(row.get(name)) for name in names] for row in rows]
    columns = [[cell.rjust(max(map(len, column))) for cell in column] for column in zip(*cells, strict=True)]
    columns[0] = [cell.strip().ljust(len(cell)) for cell in columns[0]]
    lines = zip(*columns, strict=True)
    return "\n".join("  ".join(line).rstrip() for line in lines)


def _shown(value) -> str:
    if value is None:
        return ""
    if not isinstance(value, float):
        return str(value)
    if value == 0 or 1e-3 <= abs(value) < 1e5:
        return f"{value:.4g}"
    return f"{value:.1e}"


def parser(doc: str) -> argparse.ArgumentParser:
    """Return the options that all these benchmarks have, described by the first line of a script's docstring."""
    options = argparse.ArgumentParser(description=doc.splitlines()[0])
    options.add_argument("--data", default="sample", help="sample, clinical or a folder (default: sample)")
    options.add_argument("--weights", default="untrained", help="as SKINLIB_WEIGHTS (default: untrained)")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--json", type=Path, metavar="FILE", help="write the result here, too")
    return options


def at_least_one(text: str) -> int:
    """Read an option that counts something; argparse tells the user what is wrong with another."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is too few: use 1 or more")
    return number


def sample(folder: Path, per_class: int) -> Path:
    """Return the folder, below ``folder``, of the sample of so many photos per condition; draw it if it isn't there.

    Its name holds a digest of the code that draws: a sample of an older version is not taken for one of this.
    """
    from skinlib.data.sample import write_sample

    drawn = folder / f"sample-{per_class}-{key_for('skinlib.data.sample')}"
    if not drawn.exists():
        write_sample(drawn, per_class)
    return drawn


def opened(options: argparse.Namespace, cache: Path | None = None) -> "tuple[DataSet, Weights]":
    """Open the data and weights of the options. What is computed from the photos afterwards goes to ``cache``."""
    from skinlib.data.opening import open_data
    from skinlib.learn.pretrained import get_weights

    settings = load_settings(data=options.data, weights=options.weights, seed=options.seed)
    data = open_data(settings)
    weights = get_weights(settings, data)
    return (replace(data, store=Store(Path(cache))) if cache else data), weights


def spread_over(count: int, size: int) -> np.ndarray:
    """Return ``count`` places, or all, evenly spread over a table of ``size`` rows: some of each condition."""
    return np.unique(np.linspace(0, size - 1, min(count, size)).round().astype(int))


def finish(result: dict, options: argparse.Namespace) -> dict:
    """Write the result as JSON where the options ask for it, and return it."""
    if options.json:
        with written_whole(options.json) as draft:
            write_json(draft, result)
    return result


def run(main: Callable[[], object]) -> None:
    """Run a script's ``main``; a failure that the package tells in one line ends it with that line."""
    try:
        main()
    except SkinlibError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    print(json.dumps({"machine": machine(), "versions": versions("onnxruntime", "gradio")}, indent=2))
