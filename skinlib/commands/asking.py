"""The command that asks a model what photos show."""

import json
import sys
import textwrap
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from pathlib import Path

from skinlib.base.errors import InputError
from skinlib.commands.options import add_cluster, is_export, runner_of


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

        title = ExportedModel(options.run).title
        answers = answer_files(options.run, options.images, runner_of(options))
    elif options.cluster is None:
        from skinlib.learn.runs import Run

        run = Run(options.run)
        answers = _run_answers(run, options.images)

        def title(key):
            return run.classes[key].title
    else:
        raise InputError(f"{options.run} is a run, and --cluster asks exported models: use export first")

    # Each answer is printed when it is there. A list that breaks off lacks its end, and no reader takes it for whole.
    number, failed = 0, False
    for number, answer in enumerate(answers, start=1):
        if options.json:
            text = json.dumps(answer, indent=2)  # in ASCII: a name need not be valid text
            print("[" if number == 1 else ",", textwrap.indent(text, "  "), sep="\n", end="", flush=True)
        if "error" in answer:
            failed = True
            print(f"skinlib: {printable(answer['path'])}: {answer['error']}", file=sys.stderr)
        elif not options.json:
            best = answer.get("best_guess", answer["condition"])
            words = f"{title(best)} ({answer['probabilities'][best]:.1%})"
            if "percent" in answer:  # as the app and the page show it
                words = f"{title(best)} ({answer['percent'][best]} %)"
                words = f"I don't know ({answer['doubt']}; if anything, {words})" if answer["doubt"] else words
            print(f"{printable(answer['path'])}: {words}; not a diagnosis", flush=True)
    if options.json:
        print("\n]" if number else "[]")
    return 2 if failed else 0


def _run_answers(run, paths: list[Path]) -> Iterator[dict]:
    """Yield what a run says of each photo, by Keras, or why there is no answer."""
    from skinlib.data.reading import PhotoError, read

    for path in paths:
        try:
            probabilities = run.predict([read(path)])[0]
        except PhotoError as error:
            yield {"path": str(path), "error": error.reason}
            continue
        by_key = {key: round(float(p), 6) for key, p in zip(run.classes.keys, probabilities, strict=True)}
        best = max(by_key, key=by_key.__getitem__)
        yield {"path": str(path), "condition": best, "probabilities": by_key}
