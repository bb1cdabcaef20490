"""Commands that train networks and judge them."""

import sys
from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path

from skinlib.base.errors import InputError
from skinlib.base.files import write_json, written_whole
from skinlib.base.settings import load_settings
from skinlib.base.targets import check_file, check_folder
from skinlib.commands.options import add_cluster, files_to_write, runner_of, say_left_out


def add_to(command: Callable[..., ArgumentParser]) -> None:
    """Add these commands: ``command`` takes a name, a function of the options and a text, and returns a parser."""
    train = command("train", _train, "Train by the recipe and write a run.")
    train.add_argument("data", metavar="DATA")
    train.add_argument("--out", type=Path, required=True, metavar="RUN", help="folder to make")
    train.add_argument(
        "--split",
        choices=["official", "grouped"],
        help="which photos judge: a split that keeps all copies of a photo on one side, or the data set's own test "
        "photos, which may be copies of training photos (default: grouped)",
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
    add_cluster(train)

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


def _train(options) -> None:
    settings = load_settings(
        data=options.data, weights=options.weights, backbone=options.backbone, seed=options.seed
    )  # fmt: skip
    if not (options.out / "provenance.json").is_file():
        check_folder(options.out)  # before any work; whether a run there is this very one is known later
    from skinlib.data import splits
    from skinlib.data.opening import open_data
    from skinlib.learn.prepared import Recipe, prepare
    from skinlib.learn.train import train

    recipe = Recipe(options.epochs, options.batch_size, options.fine_tune, options.augment, bits=options.bits)
    data = open_data(settings)
    say_left_out(data)
    prepared = prepare(data, settings, options.split, recipe, runner_of(options))
    for note in splits.notes(prepared.data.photos, prepared.split, data.classes):
        print(f"note: {note}", file=sys.stderr)
    run = train(prepared, options.out)
    print(run.provenance["weights"]["note"])
    _print_metrics(run.metrics)
    _print_measured(run)
    print(f"the run is in {run.path}")


def _results(options) -> None:
    settings = load_settings(data=options.data, seed=options.seed)
    from skinlib.data.opening import open_data
    from skinlib.learn import ladder

    check_file(options.out / "table.csv")  # whatever it will be called: told before the photos are read
    data = open_data(settings)
    say_left_out(data)
    print(f"the table is {ladder.results(data, settings, options.out, options.weights)}")


def _evaluate(options) -> None:
    from skinlib.judge import evaluate
    from skinlib.learn.runs import Run

    with files_to_write(options.json):
        run = Run(options.run)
        metrics = dict(run.metrics)
        _print_metrics(metrics)
        _print_measured(run)
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
        print("      test: nothing to judge: no test photo lies in the folder of one class alone")


def _print_measured(run) -> None:
    """Say on which photos the score was measured: the number alone says nothing."""
    from skinlib.judge import measured

    split, data = run.provenance["settings"]["split"], run.provenance["data"]["name"]
    print(f"the score on the test photos: {measured.in_words(split, run.predictions, data)}")
