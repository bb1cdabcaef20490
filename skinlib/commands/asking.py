"""The command that asks a model what photos show."""

import json
import sys
from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path

from skinlib.base.errors import InputError
from skinlib.commands.options import add_cluster, is_export, runner_of

NBSP = "\u00a0"
"""Keeps a number and its unit on one line; a terminal may show something else for it."""


def add_to(command: Callable[..., ArgumentParser]) -> None:
    """Add these commands: ``command`` takes a name, a function of the options and a text, and returns a parser."""
    predict = command("predict", _predict, "Ask a run, or an exported model, what photos show.")
    predict.add_argument("run", metavar="RUN", type=Path, help="a run, or the folder model/ of an export")
    predict.add_argument("images", metavar="IMAGE", type=Path, nargs="+")
    predict.add_argument("--json", action="store_true", help="print one JSON list")
    add_cluster(predict)


def _predict(options) -> int:
    from skinlib.data.reading import printable

    if is_export(options.run):
        from skinlib.serve.exported import ExportedModel, answer_files

        exported = ExportedModel(options.run)
        title, number = exported.title, sum(one["learned"] for one in exported.labels["conditions"])
        notes = [exported.words["promise"], exported.words["record"]]
        answers = list(answer_files(options.run, options.images, runner_of(options)))
    elif options.cluster is None:
        from skinlib.judge import measured
        from skinlib.learn.runs import Run

        run = Run(options.run)
        number, split = len(measured.learned_from(run.predictions)), run.provenance["settings"]["split"]
        notes = [f"its score: {measured.in_words(split, run.predictions, run.provenance['data']['name'])}"]
        answers = _run_answers(run, options.images)

        def title(key):
            return run.classes[key].title
    else:
        raise InputError(f"{options.run} is a run, and --cluster asks exported models: use export first")

    if options.json:
        print(json.dumps(answers, indent=2))  # in ASCII: a name need not be valid text
    for answer in answers:
        if "error" in answer:
            print(f"skinlib: {printable(answer['path'])}: {answer['error']}", file=sys.stderr)
        elif not options.json:
            best = answer.get("best_guess", answer["condition"])
            words = f"{title(best)} ({answer['probabilities'][best]:.1%})"
            if "percent" in answer:  # as the app and the page show it
                words = f"{title(best)} ({answer['percent'][best]} %)"
                words = f"I don't know ({answer['doubt']}; if anything, {words})" if answer["doubt"] else words
            print(f"{printable(answer['path'])}: {words}, if it shows one of {number} classes; not a diagnosis")
    for note in notes if not options.json and len(answers) else ():
        print(f"note: {printable(note.replace(NBSP, ' '))}", file=sys.stderr)
    return 2 if any("error" in answer for answer in answers) else 0


def _run_answers(run, paths: list[Path]) -> list[dict]:
    """Return what a run says of each photo, by Keras, or why there is no answer."""
    from skinlib.data.reading import PhotoError, read

    answers: list[dict] = []
    for path in paths:
        try:
            probabilities = run.predict([read(path)])[0]
        except PhotoError as error:
            answers.append({"path": str(path), "error": error.reason})
            continue
        by_key = {key: round(float(p), 6) for key, p in zip(run.classes.keys, probabilities, strict=True)}
        best = max(by_key, key=by_key.__getitem__)
        answers.append({"path": str(path), "condition": best, "probabilities": by_key})
    return answers
