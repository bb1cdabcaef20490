"""Commands for photos alone: draw, fetch, audit and describe them."""

from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path

from skinlib.base.files import write_json, write_table, written_whole
from skinlib.base.fingerprint import key_of
from skinlib.base.settings import load_settings
from skinlib.base.targets import check_folder
from skinlib.commands.options import add_cluster, files_to_write, runner_of, say_left_out


def add_to(command: Callable[..., ArgumentParser]) -> None:
    """Add these commands: ``command`` takes a name, a function of the options and a text, and returns a parser."""
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
    add_cluster(audit)

    described = command("croissant", _croissant, "Describe the data to machines: Croissant, in JSON-LD.")
    described.add_argument("data", metavar="DATA")
    described.add_argument("--out", type=Path, required=True, metavar="FILE", help="best in the folder of the photos")


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
    with files_to_write(options.json, options.splits):
        if options.sheets is None:
            _audit_into(options, settings)
        else:
            check_folder(options.sheets)
            with settings.store.claimed(options.sheets, key_of("sheets", settings.data, settings.seed)) as are_there:
                _audit_into(options, settings, are_there)


def _audit_into(options, settings, sheets_are_there: bool = False) -> None:
    from skinlib.audit.copies import audit
    from skinlib.audit.words import in_words
    from skinlib.data import splits
    from skinlib.data.opening import open_data

    data = open_data(settings)
    if options.splits:
        splits.check_enough(data.photos)
    audited = audit(data, runner_of(options))
    report = audited.report()
    print(*in_words(report), sep="\n")
    if options.json:
        with written_whole(options.json) as draft:
            write_json(draft, report)
    if options.splits:
        with written_whole(options.splits) as draft:
            write_table(draft, splits.table(audited.photos, settings.seed))
    if options.sheets:
        from skinlib.audit import sheets

        count = len(list(options.sheets.iterdir())) if sheets_are_there else sheets.draw(data, audited, options.sheets)
        print(f"{count} sheets in {options.sheets}")


def _croissant(options) -> None:
    settings = load_settings(data=options.data)
    from skinlib.audit.copies import identified
    from skinlib.data import croissant
    from skinlib.data.opening import open_data

    with files_to_write(options.out):
        data = identified(open_data(settings))
        say_left_out(data)
        croissant.write(data, options.out)
        print(f"{len(data.photos)} files described in {options.out}")
