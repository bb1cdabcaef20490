"""Time, memory and disk of every stage as photos grow from hundreds to tens of thousands.

    python benchmarks/scale.py [--per-class 125 800 6400] [--samples DIR] [--cache DIR] [--json FILE]

Draws samples of N photos per condition (8) and takes each through the stages: opening the folder, where every file is
read and checked, the audit, the frozen network's features, the head, one epoch of fine-tuning and the answers of the
exported model. *Reading*, decoding and resizing for the network, is measured by itself, too; it is a part of features.
Each stage runs in a process of its own, on what the stages before it have kept. ``processor_seconds`` are those of all
cores. *Anonymous* memory belongs to no file, so the system can't take it back; ``before`` is what the libraries and the
catalogue took when the stage began.

Features are computed in 16 bits where the processor has bfloat16, and in 32 bits up to {most:,} files: their time
is a matter of the number of photos alone. So is that of the answers. The smallest sample is gone through once more on
one core: what that costs is what chapter 7 reckons with.

A result that was written to FILE before is gone on with: what is in there is not measured again. Run it on a machine
that has nothing else to do. The default sizes take about an hour on two cores, and 20 GB of disk.
"""

import argparse
import contextlib
import functools
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import common
import numpy as np
from processes import Watch, in_a_new_process, on_disk, peak_megabytes, used

from skinlib.audit import copies
from skinlib.audit.copies import audit
from skinlib.base import runner
from skinlib.base.files import write_json, written_whole
from skinlib.base.settings import load_settings
from skinlib.data import splits
from skinlib.data.dataset import DataSet
from skinlib.data.opening import open_data
from skinlib.data.reading import read
from skinlib.learn import extraction, networks, preprocessing
from skinlib.learn.fitting import compile_recipe, fit
from skinlib.learn.prepared import Recipe, prepare
from skinlib.learn.pretrained import Weights, get_weights
from skinlib.learn.runs import BATCH_SIZE, Run
from skinlib.learn.train import FINE_TUNING_RATE, train
from skinlib.serve.export import export
from skinlib.serve.exported import answer_files

LINUX = hasattr(os, "sched_setaffinity")
"""Whether a process can be kept to some of the cores."""
MOST = 12_000
"""Files up to which the stages are measured whose time grows with each photo alike."""


def fine_tuning(data: DataSet, weights: Weights, bits: int) -> int:
    """Train the last stage for one epoch from kept activations, beginning with a new head; return the steps."""
    side = splits.official(data.photos, 0)
    labels, last_stage = data.labels(), weights.backbone.last_stage
    held_out, is_train = side == "validation", side == "train"
    rows = functools.partial(extraction.features, data, weights, last_stage, bits=bits)
    network = networks.build(weights, len(data.classes))
    part = compile_recipe(networks.part_after(network, last_stage, bits), FINE_TUNING_RATE)
    validation = rows(data.photos.path[held_out]), labels[held_out]
    fit(part, [rows(data.photos.path[is_train])], labels[is_train], validation, 1, BATCH_SIZE, 0)
    return int(np.ceil(is_train.sum() / BATCH_SIZE))


def measure(stage: str, folder: str, cache: str, bits: int) -> dict:
    """Go through one stage in this process; return what it took. What it needs must have been kept before."""
    settings = load_settings(data=folder, weights="untrained", cache=cache)
    data = None if stage == "opening" else open_data(settings)
    weights = get_weights(settings, data) if stage in ("weights", "features", "fine-tuning") else None
    run = Path(cache) / "run"
    published = export(Run(run), data, settings).folder if stage == "answers" else None
    disk = on_disk(cache)
    (clock, cpu), more = used(), {}
    with Watch() as memory:
        if stage == "opening":
            data = open_data(settings)
        elif stage == "reading":
            for _ in runner.threads(lambda: lambda file: preprocessing.prepare(read(file)).shape, files(data)):
                pass
        elif stage == "audit":
            found = audit(data)
            scores = copies.score(found, data.truth).loc["all"]
            more = {"precision": round(scores.precision, 4), "recall": round(scores.recall, 4)}
        elif stage == "features":
            extraction.features(data, weights, bits=bits)
        elif stage == "head":
            train(prepare(data, settings, "official", Recipe(bits=bits)), run)
        elif stage == "fine-tuning":
            more = {"steps": fine_tuning(data, weights, bits)}
        elif stage == "answers":
            more = {"refused": sum("error" in answer for answer in answer_files(published, files(data)))}
        ended, ended_cpu = used()
    return {
        "files": len(data.photos),
        "seconds": round(ended - clock, 2),
        "processor_seconds": round(ended_cpu - cpu, 2),
        "peak_megabytes": peak_megabytes(),
        "anonymous_megabytes": None if memory.peak is None else round(memory.peak),
        "anonymous_megabytes_before": None if memory.before is None else round(memory.before),
        "disk_megabytes": round((on_disk(cache) - disk) / 1e6, 1),
        **more,
    }


def files(data: DataSet) -> list[Path]:
    """Return the files of the photos."""
    return [data.path(path) for path in data.photos.path]


def stages(n_files: int, fast: int) -> list[tuple[str, int]]:
    """Return the stages for a number of files, each with its bits; ``fast`` is 16 where the processor has it."""
    few = n_files <= MOST
    chain = [("opening", 32), ("reading", 32), ("audit", 32)]
    chain += [("features", 32)] if few or fast == 32 else []
    chain += [("features", fast)] if fast != 32 else []
    chain += [("head", fast), ("fine-tuning", fast)]
    return chain + ([("answers", 32)] if few else [])


class Kept:
    """The rows measured so far, kept in a file after each."""

    def __init__(self, file: Path | None):
        self.file, self.machine = file, common.machine()  # with all its cores, whatever is left to a stage
        self.rows = json.loads(file.read_text("utf-8"))["rows"] if file and file.exists() else []

    def add(self, name: dict, measured) -> None:
        """Measure a row by its name, unless it is there."""
        if any(name.items() <= row.items() for row in self.rows):
            return
        self.rows.append({**name, **measured()})
        print("{files} files on {cores} cores, {stage}: {seconds} s".format(**self.rows[-1]), file=sys.stderr)
        if self.file:
            with written_whole(self.file) as draft:
                write_json(draft, self.result())

    def result(self) -> dict:
        """Return what the file holds."""
        made = {"date": datetime.now(UTC).date().isoformat(), "machine": self.machine}
        return made | {"versions": common.versions("usearch", "onnxruntime"), "rows": self.rows}


def main(arguments: list[str] | None = None) -> dict:
    """Measure, print and return the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--per-class", type=int, nargs="+", default=[125, 800, 6400], metavar="N")
    parser.add_argument("--samples", type=Path, metavar="DIR", help="keep what is drawn here, for the next time")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="work here, and leave what was computed")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the result here; go on with what it holds")
    parser.add_argument("--one", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.one:
        stage, folder, cache, bits = options.one
        print(json.dumps(measure(stage, folder, cache, int(bits))))
        return {}
    kept, fast = Kept(options.json), 16 if extraction.has_bfloat16() else 32
    sizes = sorted(set(options.per_class))
    with tempfile.TemporaryDirectory() as scratch:
        for per_class in sizes:
            folder = common.sample(options.samples or Path(scratch), per_class)
            for cores in (
                sorted({runner.cores(), 1}, reverse=True) if per_class == sizes[0] and LINUX else [runner.cores()]
            ):
                place = (options.cache or Path(scratch)) / f"cache-{per_class}-{cores}"
                go_through(kept, folder, place, per_class, fast, cores)
                if not options.cache:
                    shutil.rmtree(place, ignore_errors=True)  # the next size may need the room
    result = kept.result()
    print(common.table(result["rows"]))
    return result


def go_through(kept: Kept, folder: Path, cache: Path, per_class: int, fast: int, cores: int) -> None:
    """Take one sample through all stages on so many cores."""
    for stage, bits in stages(8 * per_class, fast):
        name = {"stage": stage, "bits": bits, "per_class": per_class, "cores": cores}
        with on_cores(cores):
            kept.add(name, lambda s=stage, b=bits: in_a_new_process(__file__, "--one", s, folder, cache, b))
            if stage == "opening":  # weights that have to be drawn must not count as features
                in_a_new_process(__file__, "--one", "weights", folder, cache, bits)


@contextlib.contextmanager
def on_cores(count: int) -> Iterator[None]:
    """Leave ``count`` cores to this process and to those that it begins, until the block ends (Linux)."""
    before = os.sched_getaffinity(0) if count < runner.cores() else None
    if before:
        os.sched_setaffinity(0, sorted(before)[:count])
    try:
        yield
    finally:
        if before:
            os.sched_setaffinity(0, before)


__doc__ = __doc__.format(most=MOST)

if __name__ == "__main__":
    started = time.perf_counter()
    common.run(main)
    print(f"{(time.perf_counter() - started) / 60:.1f} minutes", file=sys.stderr)
