"""One answer: from the start of Python, the app or the page to what it says of one photo, and then once more.

    python benchmarks/one_answer.py [--data sample] [--repeats 3] [--json FILE]

*start* begins with nothing running but the system, and the files in its memory: ``python -m skinlib predict`` is
called, the app is started and asked over HTTP, or the page is opened in a Chromium that runs already and has not seen
it before; the clock stops when the answer is there. *warm* asks what is running already, of another photo each time.
Keras is what the exported model is compared with: ``predict`` of the run itself, and the run in this process. Middle
times are given, with the shortest and the longest. Without Chromium the page is left out, and a line says so.
"""

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import common
from three_ways import CHROMIUM, ROOT, App, Page, Python

from skinlib.base.errors import SkinlibError
from skinlib.base.settings import load_settings
from skinlib.data import reading
from skinlib.data.opening import open_data
from skinlib.learn.prepared import prepare
from skinlib.learn.runs import Run
from skinlib.learn.train import train
from skinlib.serve.export import export


def predict(model: Path, photo: str) -> None:
    """Ask the command line about a photo."""
    subprocess.run(
        [sys.executable, "-m", "skinlib", "predict", str(model), photo, "--json"],
        check=True, cwd=ROOT, stdout=subprocess.DEVNULL,
    )  # fmt: skip


def answered(reply) -> None:
    """Raise where a way gave no answer: a refusal is quick, and no answer."""
    if not reply.answer:
        raise SkinlibError(f"no answer: {reply.error or reply.lost}")


def asked(ask: Callable, names: Iterator[str], repeats: int) -> list[float]:
    """Return the seconds of ``repeats`` answers after one that does not count."""
    ask(next(names))
    return [common.timed(ask, next(names))[1] for _ in range(repeats)]


def in_keras(run: Run, names: Iterator[str], repeats: int) -> dict:
    """Return the times of the run itself, which Keras answers for."""
    start = [common.timed(predict, run.path, next(names))[1] for _ in range(repeats)]
    warm = asked(lambda name: run.predict([reading.read(name)]), names, repeats)
    return {"start": common.spread(start), "warm": common.spread(warm)}


def in_python(model: Path, names: Iterator[str], repeats: int) -> dict:
    """Return the times of the exported model in Python."""
    start = [common.timed(predict, model, next(names))[1] for _ in range(repeats)]
    with Python(model) as way:
        warm = asked(lambda name: answered(way.ask(name)), names, repeats)
    return {"start": common.spread(start), "warm": common.spread(warm)}


def in_the_app(model: Path, names: Iterator[str], repeats: int) -> dict:
    """Return the times of the app."""
    start, warm = [], []
    for _ in range(repeats):
        started = time.perf_counter()
        with App(model) as way:
            answered(way.ask(next(names)))
            start.append(time.perf_counter() - started)
            warm += asked(lambda name, way=way: answered(way.ask(name)), names, 1)
    return {"start": common.spread(start), "warm": common.spread(warm)}


def on_the_page(model: Path, names: Iterator[str], repeats: int) -> dict:
    """Return the times of the page; the browser runs already, and keeps nothing from one opening to the next."""
    start, warm = [], []
    with Page(model) as way:
        for _ in range(repeats):
            way.page.close()
            started = time.perf_counter()
            way._open()
            answered(way.ask(next(names)))
            start.append(time.perf_counter() - started)
            warm += asked(lambda name: answered(way.ask(name)), names, 1)
    return {"start": common.spread(start), "warm": common.spread(warm)}


def no_browser() -> str | None:
    """Return why the page can't be asked here, None where it can."""
    try:
        import playwright  # noqa: F401
    except ImportError:
        return "playwright is not installed"
    return None if shutil.which(CHROMIUM) else "there is no Chromium here"


def measure(options) -> dict:
    """Measure; return the figures as --json writes them."""
    settings = load_settings(data=options.data, weights=options.weights, seed=options.seed)
    data = open_data(settings)
    run = train(prepare(data, settings, "grouped"))
    test = data.photos[data.photos.split == "test"].drop_duplicates("sha256")
    files = [str(data.path(path)) for path in test.path]

    def names():
        while True:
            yield from files

    model = export(run, data, settings).folder
    ways = {"Keras": in_keras(run, names(), options.repeats)}
    ways |= {"Python": in_python(model, names(), options.repeats)}
    ways |= {"app": in_the_app(model, names(), options.repeats)}
    reason = no_browser()
    ways |= {"page": {"skipped": reason} if reason else on_the_page(model, names(), options.repeats)}
    return {
        "repeats": options.repeats,
        "ways": ways,
        "machine": common.machine(),
        "versions": common.versions("onnxruntime", "gradio"),
    }


def main(arguments: list[str] | None = None) -> dict:
    """Measure, print and return the figures."""
    parser = common.parser(__doc__)
    parser.add_argument("--repeats", type=common.at_least_one, default=3)
    options = parser.parse_args(arguments)
    result = measure(options)
    rows = [
        {"way": name, "asked": asked} | way[asked]
        for asked in ("start", "warm")
        for name, way in result["ways"].items()
        if asked in way
    ]
    print(common.table(rows))
    if reason := result["ways"]["page"].get("skipped"):
        print(f"the page was not asked: {reason}")
    return common.finish(result, options)


if __name__ == "__main__":
    common.run(main)
