"""The command that shows and removes what is kept."""

import itertools
from argparse import ArgumentParser
from collections.abc import Callable
from datetime import datetime

from skinlib.base.settings import load_settings


def add_to(command: Callable[..., ArgumentParser]) -> None:
    """Add these commands: ``command`` takes a name, a function of the options and a text, and returns a parser."""
    cache = command("cache", _cache, "List what is kept so that nothing is computed twice, or remove some of it.")
    which = cache.add_mutually_exclusive_group()
    which.add_argument("--prune", type=_days, metavar="DAYS", help="remove what nobody has used for so many days")
    which.add_argument("--clear", action="store_true", help="remove all of it; fetched photos stay")


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


def _days(text: str) -> float:
    """Return a number of days from the command line. Raises ValueError, which argparse tells, for another text."""
    days = float(text)
    if not 0 <= days < 1e6:
        raise ValueError
    return days
