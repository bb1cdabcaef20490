"""The command line: ``python -m skinlib COMMAND``.

Exit codes: 0 done; 1 a failure; 2 a wrong call or bad input. Errors are one line on standard error.
"""

import argparse
import functools
import itertools
import json
import sys
from datetime import datetime
from pathlib import Path

from skinlib.base.errors import InputError, SkinlibError
from skinlib.base.files import write_json, written_whole
from skinlib.base.settings import load_settings
from skinlib.data.folders import commonest

EXTRAS = {
    "gradio": "app",
    "keras": "learn",
    "matplotlib": "figures",
    "onnx": "export",
    "onnxruntime": "app",
    "openvino": "learn",
    "pooch": "fetch",
    "ray": "cluster",
    "requests": "fetch",
    "scipy": "judge",
    "sklearn": "judge",
    "starlette": "app",
    "tensorflow": "learn",
    "tf2onnx": "export",
    "usearch": "audit",
    "yaml": "export",
}
"""What a command may miss, as it is imported, and the extra of the package that brings it."""

# Commands import what they need when they run: TensorFlow takes seconds, and `sample` has no use for it.


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = _parser().parse_args(arguments)
    try:
        return options.command(options) or 0
    except SkinlibError as error:
        print(f"skinlib: {_one_line(error)}", file=sys.stderr)
        return error.exit_code
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in EXTRAS:
            raise
        extra = EXTRAS[error.name.partition(".")[0]]
        print(f"skinlib: {error.name} is not installed: pip install 'skinlib[{extra}]'", file=sys.stderr)
        return InputError.exit_code
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
        description="The book's work as commands. DATA is 'sample', 'clinical', or a folder: of class folders, or of "
        "train/ and test/ that hold them. Not a medical device: nothing here is a diagnosis.",
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
        help="which photos judge: the data set's own test photos, or a split that keeps copies on one side "
        "(default: official where there are test photos)",
    )
    train.add_argument("--weights", help="auto, imagenet, untrained, or a weights file (default: auto)")
    train.add_argument("--backbone", help="the network that sees the photos (default: resnet50)")
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

    cache = command("cache", _cache, "List what is kept so that nothing is computed twice, or remove some of it.")
    which = cache.add_mutually_exclusive_group()
    which.add_argument("--prune", type=_days, metavar="DAYS", help="remove what nobody has used for so many days")
    which.add_argument("--clear", action="store_true", help="remove all of it; fetched photos stay")
    return parser


def _days(text: str) -> float:
    """Return a number of days from the command line. Raises ValueError, which argparse tells, for another text."""
    days = float(text)
    if not 0 <= days < 1e6:
        raise ValueError
    return days


def _runner(options):
    """Return what calls the work of each photo: the threads of this process, or a cluster's workers."""
    from skinlib.base import runner

    if options.cluster is None:
        return runner.threads
    from skinlib.scale import cluster

    return functools.partial(cluster.ray, address=options.cluster)


def _sample(options) -> None:
    from skinlib.data import sample

    settings = load_settings(seed=options.seed)
    per_class = settings.per_class if options.per_class is None else options.per_class
    truth = sample.write_sample(options.out, per_class, settings.seed)
    print(f"{len(truth)} files in {options.out}, what was planted in {options.out / 'truth.csv'}")


def _fetch(options) -> None:
    from skinlib.data import fetch

    folder = fetch.fetch(options.out)
    where = "the data called 'clinical'" if options.out is None else f"set SKINLIB_DATA={folder} to use them"
    print(f"the clinical photos are in {folder}, every file checked; {where}")


def _audit(options) -> None:
    settings = load_settings(data=options.data, seed=options.seed)
    from skinlib.audit.copies import audit
    from skinlib.data import splits
    from skinlib.data.opening import open_data

    data = open_data(settings)
    audited = audit(data, _runner(options))
    report = audited.report()
    leaks = report["leaks"]
    print(f"{report['n_files']} files show {report['n_photos']} photos; {len(report['damaged'])} files are damaged")
    if leaks["of"]:
        print(f"{leaks['test_files']} of {leaks['of']} test files show a photo of the training set")
    else:
        print("there are no official test files: whether copies leak into a test depends on how you split")
    print(f"{len(report['conflicts'])} photos lie in the folders of two conditions; {report['seconds']:.1f} s")
    if options.json:
        with written_whole(options.json) as draft:
            write_json(draft, report)
    if options.splits:
        with written_whole(options.splits) as draft:
            splits.table(audited.photos, settings.seed).to_csv(draft, index=False)
    if options.sheets:
        from skinlib.audit import sheets

        print(f"{sheets.draw(data, audited, options.sheets)} sheets in {options.sheets}")


def _croissant(options) -> None:
    settings = load_settings(data=options.data)
    from skinlib.audit.copies import identified
    from skinlib.data import croissant
    from skinlib.data.opening import open_data

    data = identified(open_data(settings))
    croissant.write(data, options.out)
    print(f"{len(data.photos)} files described in {options.out}")


def _train(options) -> None:
    settings = load_settings(
        data=options.data, weights=options.weights, backbone=options.backbone, seed=options.seed
    )  # fmt: skip
    from skinlib.data import splits
    from skinlib.data.opening import open_data
    from skinlib.learn.prepared import Recipe, prepare
    from skinlib.learn.train import train

    recipe = Recipe(options.epochs, options.batch_size, options.fine_tune, options.augment, bits=options.bits)
    data = open_data(settings)
    _say_left_out(data)
    prepared = prepare(data, settings, options.split, recipe, _runner(options))
    for note in splits.notes(prepared.data.photos, prepared.split, data.classes):
        print(f"note: {note}", file=sys.stderr)
    run = train(prepared, options.out)
    print(run.provenance["weights"]["note"])
    _print_metrics(run.metrics)
    print(f"the run is in {run.path}")


def _say_left_out(data) -> None:
    if len(data.left_out):
        rows = list(data.left_out.itertuples(index=False, name=None))
        print(f"left out {len(rows)} files; the commonest reason: {commonest(rows)}", file=sys.stderr)


def _results(options) -> None:
    settings = load_settings(data=options.data, seed=options.seed)
    from skinlib.data.opening import open_data
    from skinlib.learn import ladder

    print(f"the table is {ladder.results(open_data(settings), settings, options.out, options.weights)}")


def _evaluate(options) -> None:
    from skinlib.judge import evaluate
    from skinlib.learn.runs import Run

    run = Run(options.run)
    metrics = evaluate.metrics(run.predictions)
    _print_metrics(metrics)
    if options.against:
        metrics["comparison"] = _compare(evaluate, Run(options.against), run)
    if options.json:
        with written_whole(options.json) as draft:
            write_json(draft, metrics)


def _compare(evaluate, other, run) -> dict:
    """Compare two runs on the test photos that both judged, and say it in two lines."""
    try:
        compared = evaluate.compare_runs(other.predictions, run.predictions)
    except ValueError as error:
        raise InputError(f"{other.path} and {run.path} can't be compared: {error}") from error
    low, high = compared["difference_interval"]
    print(
        f"against {other.path}: accuracy {compared['difference']:+.4f} (95 % interval {low:+.4f} to {high:+.4f})\n"
        f"of {compared['photos']} test photos that both judged, {compared['only_b']} are right here alone and "
        f"{compared['only_a']} there alone (McNemar's p = {compared['p_value']:.4f})"
    )
    return compared


def _print_metrics(metrics: dict) -> None:
    for split, numbers in metrics.items():
        low, high = numbers["accuracy_interval"]
        print(
            f"{split:>10}: {numbers['correct']}/{numbers['photos']} right, accuracy {numbers['accuracy']:.4f} "
            f"(95 % interval {low:.4f} to {high:.4f}), loss {numbers['log_loss']:.4f}"
        )
    if "test" not in metrics:
        print("      test: nothing to judge, since there are no test photos")


def _predict(options) -> int:
    from skinlib.data.reading import printable

    if _is_export(options.run):
        from skinlib.serve.exported import ExportedModel, answer_files

        title = ExportedModel(options.run).title
        answers = list(answer_files(options.run, options.images, _runner(options)))
    elif options.cluster is None:
        from skinlib.learn.runs import Run

        run = Run(options.run)
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
            print(f"{printable(answer['path'])}: {words}; not a diagnosis")
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


def _is_export(folder: Path) -> bool:
    return (folder / "labels.json").is_file() and any(folder.glob("*.onnx"))


def _exported(options):
    """Return the exported model of the run that ``options`` name."""
    from skinlib.data.opening import open_data
    from skinlib.learn.runs import Run
    from skinlib.serve.export import export

    run = Run(options.run)
    provenance = run.provenance
    name, kind = provenance["data"]["name"], provenance["data"]["kind"]
    if options.data is None and (kind == "own" or name not in ("sample", "clinical")):
        raise InputError(f"{options.run} was trained on the folder {name}: name it with --data")
    settings = load_settings(
        data=options.data or name, seed=provenance["seed"], weights=provenance["weights"]["name"]
    )  # fmt: skip
    return export(run, open_data(settings), settings)


def _export(options) -> None:
    if options.out.exists() and (not options.out.is_dir() or any(options.out.iterdir())):
        raise InputError(f"{options.out} exists already: choose another folder, or remove it")
    exported = _exported(options)
    from skinlib.serve import publish

    with written_whole(options.out) as draft:
        draft.mkdir()
        publish.model(exported, draft / "model")
        publish.web(exported, draft / "web")
        publish.space(exported, draft / "space")
    print(f"{options.out}/model holds the model, {options.out}/web the page and {options.out}/space the app")


def _app(options) -> None:
    from skinlib.serve import app
    from skinlib.serve.exported import ExportedModel

    app.launch(ExportedModel(options.run) if _is_export(options.run) else _exported(options), port=options.port)


def _cache(options) -> None:
    store = load_settings().store
    if options.clear or options.prune is not None:
        entries = store.entries() if options.clear else store.unused_for(options.prune)
        store.remove(entries)
        print(f"removed {len(entries)} entries, {_size(entries)}, from {store.root}")
        return
    entries = store.entries()
    for kind, of_kind in itertools.groupby(entries, key=lambda entry: entry.kind):
        for entry in of_kind:
            used = datetime.fromtimestamp(entry.used).strftime("%Y-%m-%d %H:%M")
            print(f"{kind:<10} {entry.key:<16} {entry.files:>7} files {_size([entry]):>10}  last used {used}")
    print(f"{len(entries)} entries, {_size(entries)}, in {store.root}")


def _size(entries: list) -> str:
    size = sum(entry.bytes for entry in entries)
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"


if __name__ == "__main__":
    sys.exit(main())
