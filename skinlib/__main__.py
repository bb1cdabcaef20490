"""The command line: ``python -m skinlib COMMAND``.

Exit codes: 0 done; 1 a failure; 2 a wrong call or bad input. Errors are one line on standard error.
"""

import argparse
import functools
import json
import sys
from pathlib import Path

from skinlib import settings
from skinlib.files import write_json, written_whole
from skinlib.settings import SkinlibError

# Commands import what they need when they run: TensorFlow takes seconds, and `sample` has no use for it.


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = _parser().parse_args(arguments)
    try:
        return options.command(options) or 0
    except SkinlibError as error:
        print(f"skinlib: {_one_line(error)}", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        print(f"skinlib: {_one_line(error)}: check that the place exists, is writable and has room", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("skinlib: interrupted; what is finished is kept: the same command goes on from there", file=sys.stderr)
        return 1


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m skinlib",
        description="The book's work as commands. DATA is 'sample', 'clinical', or a folder with train_set/ and "
        "test_set/. Not a medical device: nothing here is a diagnosis.",
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def command(name, function, text):
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(command=function)
        return added

    def on_cluster(added):
        added.add_argument(
            "--cluster",
            metavar="ADDRESS",
            help="share the photos out over a Ray cluster: its address, 'auto' for the one this machine belongs to, or "
            "'local' for one on this machine's cores (pip install skinlib[cluster])",
        )

    sample = command("sample", _sample, "Draw the simulated sample data set.")
    sample.add_argument("--out", type=Path, required=True, help="folder to make")
    sample.add_argument("--per-class", type=int, help="photos per condition (default: 50)")
    sample.add_argument("--seed", help="same seed, same bytes (default: 0)")

    fetch = command("fetch", _fetch, "Download the clinical photos and check each against the manifest.")
    fetch.add_argument("--out", type=Path, help="folder to make (default: in the cache, where 'clinical' looks)")

    audit = command("audit", _audit, "Find damaged files, copies, leaks between the splits and conflicting labels.")
    audit.add_argument("data", metavar="DATA")
    audit.add_argument("--json", type=Path, metavar="FILE", help="write the findings here")
    audit.add_argument("--sheets", type=Path, metavar="DIR", help="draw what was found, for a person to check")
    audit.add_argument(
        "--splits", type=Path, metavar="FILE", help="write a clean split here: sha256, photo_id, split, fold"
    )
    audit.add_argument("--seed", help="for --splits, and which sample (default: 0)")
    on_cluster(audit)

    described = command("croissant", _croissant, "Describe the data to machines: Croissant, in JSON-LD.")
    described.add_argument("data", metavar="DATA")
    described.add_argument("--out", type=Path, required=True, metavar="FILE", help="best in the folder of the photos")

    train = command("train", _train, "Train by the recipe and write a run.")
    train.add_argument("data", metavar="DATA")
    train.add_argument("--out", type=Path, required=True, metavar="RUN", help="folder to make")
    train.add_argument(
        "--split",
        choices=["official", "grouped"],
        default="official",
        help="which photos judge: the data set's own test photos, or a split that keeps copies on one side "
        "(default: official)",
    )
    train.add_argument("--weights", help="auto, imagenet, untrained, or a weights file (default: auto)")
    train.add_argument("--epochs", type=int, default=12)
    train.add_argument("--batch-size", type=int, default=32)
    train.add_argument("--fine-tune", type=int, default=0, metavar="EPOCHS", help="epochs for the last stage, after")
    train.add_argument("--augment", type=int, default=0, metavar="COPIES", help="altered copies of each training photo")
    train.add_argument(
        "--bits",
        type=int,
        default=32,
        help="of the backbone's arithmetic: 32, or 16, several times faster where the processor has it (default: 32)",
    )
    train.add_argument("--seed", help="same seed, same numbers (default: 0)")
    on_cluster(train)

    results = command(
        "results", _results, "Train and judge every rung of the ladder, on the official and a clean split."
    )
    results.add_argument("data", metavar="DATA")
    results.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder for the table and its provenance"
    )
    results.add_argument(
        "--weights", nargs="+", default=["untrained", "imagenet"], help="(default: untrained imagenet)"
    )
    results.add_argument("--seed", help="same seed, same numbers (default: 0)")

    evaluate = command("evaluate", _evaluate, "Judge a run by its table of predictions.")
    evaluate.add_argument("run", metavar="RUN", type=Path)
    evaluate.add_argument("--json", type=Path, metavar="FILE", help="write the numbers here")
    evaluate.add_argument("--against", type=Path, metavar="RUN", help="another run: compare both photo by photo")

    predict = command("predict", _predict, "Ask a run, or an exported model, what photos show.")
    predict.add_argument("run", metavar="RUN", type=Path, help="a run, or the folder model/ of an export")
    predict.add_argument("images", metavar="IMAGE", type=Path, nargs="+")
    predict.add_argument("--json", action="store_true", help="print one JSON list")
    on_cluster(predict)

    export = command("export", _export, "Write a run as one ONNX file, as a page and as an app, ready to publish.")
    export.add_argument("run", metavar="RUN", type=Path)
    export.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder to make: model/, web/ and space/"
    )
    export.add_argument("--data", help="the photos it was trained on (default: those that the run names)")

    app = command("app", _app, "Serve a run, or an exported model, as an app in the browser.")
    app.add_argument("run", metavar="RUN", type=Path, help="a run, or the folder model/ of an export")
    app.add_argument("--port", type=int, default=7860, help="(default: 7860)")
    app.add_argument("--data", help="the photos that the run was trained on (default: those that it names)")
    return parser


def _runner(options):
    """Return what calls the work of each photo: the threads of this process, or a cluster's workers."""
    from skinlib import work

    if options.cluster is None:
        return work.threads
    from skinlib import cluster

    return functools.partial(cluster.ray, address=options.cluster)


def _sample(options) -> None:
    from skinlib import simulate

    choices = settings.load(seed=options.seed)
    per_class = choices.per_class if options.per_class is None else options.per_class
    truth = simulate.write_sample(options.out, per_class, choices.seed)
    print(f"{len(truth)} files in {options.out}, what was planted in {options.out / 'truth.csv'}")


def _fetch(options) -> None:
    from skinlib import photos

    folder = photos.fetch(options.out)
    where = "the data called 'clinical'" if options.out is None else f"set SKINLIB_DATA={folder} to use them"
    print(f"the clinical photos are in {folder}, every file checked; {where}")


def _audit(options) -> None:
    choices = settings.load(data=options.data, seed=options.seed)
    from skinlib import audit, photos, splits

    data = photos.open_data(choices)
    found = audit.audit(data, _runner(options))
    report = found.report()
    leaks = report["leaks"]
    print(f"{report['n_files']} files show {report['n_photos']} photos; {len(report['damaged'])} files are damaged")
    print(f"{leaks['test_files']} of {leaks['of']} test files show a photo of the training set")
    print(f"{len(report['conflicts'])} photos lie in the folders of two conditions; {report['seconds']:.1f} s")
    if options.json:
        with written_whole(options.json) as draft:
            write_json(draft, report)
    if options.splits:
        with written_whole(options.splits) as draft:
            splits.table(found.photos, choices.seed).to_csv(draft, index=False)
    if options.sheets:
        from skinlib import sheets

        print(f"{sheets.draw(data, found, options.sheets)} sheets in {options.sheets}")


def _croissant(options) -> None:
    choices = settings.load(data=options.data)
    from skinlib import audit, croissant, photos

    data = audit.identified(photos.open_data(choices))
    croissant.write(data, options.out)
    print(f"{len(data.photos)} files described in {options.out}")


def _train(options) -> None:
    choices = settings.load(data=options.data, weights=options.weights, seed=options.seed)
    from skinlib import photos, train

    recipe = train.Recipe(options.epochs, options.batch_size, options.fine_tune, options.augment, bits=options.bits)
    data = photos.open_data(choices)
    if len(data.left_out):
        first = data.left_out.iloc[0]
        print(f"left out {len(data.left_out)} files, the first {first.path} ({first.reason})", file=sys.stderr)
    run = train.train(data, choices, options.out, recipe, options.split, _runner(options))
    print(run.provenance["weights"]["note"])
    _print_metrics(run)
    print(f"the run is in {run.path}")


def _results(options) -> None:
    choices = settings.load(data=options.data, seed=options.seed)
    from skinlib import ladder, photos

    print(f"the table is {ladder.results(photos.open_data(choices), choices, options.out, options.weights)}")


def _evaluate(options) -> None:
    from skinlib import evaluate, train

    run = train.Run(options.run)
    metrics = evaluate.metrics(run.predictions)
    _print_metrics(run)
    if options.against:
        metrics["comparison"] = _compare(evaluate, train.Run(options.against), run)
    if options.json:
        with written_whole(options.json) as draft:
            write_json(draft, metrics)


def _compare(evaluate, other, run) -> dict:
    """Compare two runs on the test photos that both judged, and say it in two lines."""
    try:
        found = evaluate.compare_runs(other.predictions, run.predictions)
    except ValueError as error:
        raise settings.InputError(f"{other.path} and {run.path} can't be compared: {error}") from error
    low, high = found["difference_interval"]
    print(
        f"against {other.path}: accuracy {found['difference']:+.4f} (95 % interval {low:+.4f} to {high:+.4f})\n"
        f"of {found['photos']} test photos that both judged, {found['only_b']} are right here alone and "
        f"{found['only_a']} there alone (McNemar's p = {found['p_value']:.4f})"
    )
    return found


def _print_metrics(run) -> None:
    for split, numbers in run.metrics.items():
        low, high = numbers["accuracy_interval"]
        print(
            f"{split:>10}: {numbers['correct']}/{numbers['photos']} right, accuracy {numbers['accuracy']:.4f} "
            f"(95 % interval {low:.4f} to {high:.4f}), loss {numbers['log_loss']:.4f}"
        )


def _predict(options) -> int:
    from skinlib import photos
    from skinlib.conditions import by_key

    if _is_export(options.run):
        from skinlib.exported import answer_files

        answers = list(answer_files(options.run, options.images, _runner(options)))
    elif options.cluster is None:
        answers = _run_answers(options.run, options.images)
    else:
        raise settings.InputError(f"{options.run} is a run, and --cluster asks exported models: use export first")

    if options.json:
        print(json.dumps(answers, indent=2))  # in ASCII: a name need not be valid text
    for found in answers:
        if "error" in found:
            print(f"skinlib: {photos.printable(found['path'])}: {found['error']}", file=sys.stderr)
        elif not options.json:
            best = found.get("best_guess", found["condition"])
            words = f"{by_key(best).title} ({found['probabilities'][best]:.1%})"
            if "percent" in found:  # as the app and the page show it
                words = f"{by_key(best).title} ({found['percent'][best]} %)"
                words = f"I don't know ({found['doubt']}; if anything, {words})" if found["doubt"] else words
            print(f"{photos.printable(found['path'])}: {words}; not a diagnosis")
    return 2 if any("error" in found for found in answers) else 0


def _run_answers(folder: Path, paths: list[Path]) -> list[dict]:
    """Return what a run says of each photo, by Keras, or why there is no answer."""
    from skinlib import photos, train
    from skinlib.conditions import KEYS

    run, answers = train.Run(folder), []
    for path in paths:
        try:
            probabilities = run.predict([photos.read(path)])[0]
        except photos.PhotoError as error:
            answers.append({"path": str(path), "error": error.reason})
            continue
        by_condition = {key: round(float(p), 6) for key, p in zip(KEYS, probabilities, strict=True)}
        best = max(by_condition, key=by_condition.get)
        answers.append({"path": str(path), "condition": best, "probabilities": by_condition})
    return answers


def _is_export(folder: Path) -> bool:
    return (folder / "labels.json").is_file() and any(folder.glob("*.onnx"))


def _exported(options, out: Path | None = None):
    """Return the exported model of the run that ``options`` name, made in ``out`` or in the cache."""
    from skinlib import export, photos, train

    run = train.Run(options.run)
    told = run.provenance
    name = told["data"]["name"]
    if options.data is None and name not in ("sample", "clinical"):
        raise settings.InputError(f"{options.run} was trained on the folder {name}: name it with --data")
    choices = settings.load(data=options.data or name, seed=told["seed"], weights=told["weights"]["name"])
    return export.export(run, photos.open_data(choices), choices, out)


def _export(options) -> None:
    if options.out.exists():
        raise settings.InputError(f"{options.out} exists already: choose another folder, or remove it")
    with written_whole(options.out) as draft:
        exported = _exported(options, draft / "model")
        from skinlib import export

        export.web(exported, draft / "web")
        export.space(exported, draft / "space")
    print(f"{options.out}/model holds the model, {options.out}/web the page and {options.out}/space the app")


def _app(options) -> None:
    from skinlib import app
    from skinlib.exported import ExportedModel

    app.launch(ExportedModel(options.run) if _is_export(options.run) else _exported(options), port=options.port)


if __name__ == "__main__":
    sys.exit(main())
