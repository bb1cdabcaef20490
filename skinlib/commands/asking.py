"""The command that asks a model what photos show."""

import itertools
import json
import os
import sys
import textwrap
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from pathlib import Path

from skinlib.base.errors import InputError
from skinlib.commands.options import add_cluster, export_of, runner_of

NBSP = "\u00a0"
"""Keeps a number and its unit on one line; a terminal may show something else for it."""


def add_to(command: Callable[..., ArgumentParser]) -> None:
    """Add these commands: ``command`` takes a name, a function of the options and a text, and returns a parser."""
    predict = command("predict", _predict, "Ask a run, or an exported model, what photos show.")
    predict.add_argument("run", metavar="RUN", type=Path, help="a run, or an export: its folder, or its .onnx file")
    predict.add_argument("images", metavar="IMAGE", nargs="+", help="a photo, or a folder of photos")
    predict.add_argument("--json", action="store_true", help="print one JSON list")
    add_cluster(predict)


def _predict(options) -> int:
    from skinlib.data.reading import printable

    images, left_out = _photos_among(options.images)
    folder = export_of(options.run)
    if folder:
        from skinlib.serve.exported import ExportedModel, answer_files

        exported = ExportedModel(folder)
        title, n_classes = exported.title, sum(one["learned"] for one in exported.labels["conditions"])
        notes = [exported.words["promise"], exported.words["record"]]
        answers = answer_files(folder, images, runner_of(options))
    elif options.cluster is None:
        from skinlib.judge import measured
        from skinlib.learn.runs import Run

        run = Run(options.run)
        n_classes, split = len(measured.learned_from(run.predictions)), run.provenance["settings"]["split"]
        notes = [f"its score: {measured.in_words(split, run.predictions, run.provenance['data']['name'])}"]
        answers = _run_answers(run, images)

        def title(key):
            return run.classes[key].title
    else:
        raise InputError(f"{options.run} is a run, and --cluster asks exported models: use export first")

    # Each answer is printed when it is there. A list that breaks off lacks its end, and no reader takes it for whole.
    count, answered, failed = 0, False, False
    for count, answer in enumerate(itertools.chain(answers, left_out), start=1):
        if options.json:
            text = json.dumps(answer, indent=2)  # in ASCII: a name need not be valid text
            print("[" if count == 1 else ",", textwrap.indent(text, "  "), sep="\n", end="", flush=True)
        if "error" in answer:
            failed = True
            print(f"skinlib: {printable(answer['path'])}: {answer['error']}", file=sys.stderr)
        elif not options.json:
            answered = True
            best = answer.get("best_guess", answer["condition"])
            words = f"{title(best)} ({answer['probabilities'][best]:.1%})"
            if "percent" in answer:  # as the app and the page show it
                words = f"{title(best)} ({answer['percent'][best]} %)"
                words = f"I don't know ({answer['doubt']}; if anything, {words})" if answer["doubt"] else words
            words += f", if it shows one of {n_classes} classes; not a diagnosis"
            print(f"{printable(answer['path'])}: {words}", flush=True)
    if options.json:
        print("\n]" if count else "[]")
    # A progress bar's manners: to a person, and not into a pipe, where each line of standard error is a photo's.
    for note in notes if answered and to_a_person() else ():
        print(f"note: {printable(note.replace(NBSP, ' '))}", file=sys.stderr)
    return 2 if failed else 0


def to_a_person() -> bool:
    """Tell whether standard error is a terminal."""
    return sys.stderr.isatty()


def _photos_among(images: list[str]) -> tuple[list[Path], list[dict]]:
    """Return (photos, those below a folder in its place, [what in such a folder is not looked at, and why])."""
    from skinlib.data.folders import photos_below

    paths: list[Path] = []
    left_out: list[dict] = []
    for image in map(Path, filter(None, images)):
        if not os.path.isdir(image):
            paths.append(image)
            continue
        files, others = photos_below(image)
        paths += [image / file for file in files]
        left_out += [{"path": str(image / path), "error": reason} for path, reason in others]
        if not files and not others:
            left_out.append({"path": str(image), "error": "a folder without a photo"})
    # As a path, nothing would be the folder in which the command is called.
    left_out += [{"path": image, "error": "no name of a file"} for image in images if not image]
    return paths, left_out


def _run_answers(run, paths: list[Path]) -> Iterator[dict]:
    """Yield what a run says of each photo, by Keras, or why there is no answer."""
    from skinlib.data.reading import PhotoError, large_enough, read

    for path in paths:
        try:
            probabilities = run.predict([large_enough(read(path), path)])[0]
        except PhotoError as error:
            yield {"path": str(path), "error": error.reason}
            continue
        by_key = {key: round(float(p), 6) for key, p in zip(run.classes.keys, probabilities, strict=True)}
        best = max(by_key, key=by_key.__getitem__)
        yield {"path": str(path), "condition": best, "probabilities": by_key}
