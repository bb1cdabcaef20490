"""Options that several commands share."""

import contextlib
import functools
import sys
from argparse import ArgumentParser
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from skinlib.base.targets import check_apart, check_file, is_standard_output


def add_cluster(parser: ArgumentParser) -> None:
    """Add the option that shares the work of a command out over a cluster."""
    parser.add_argument(
        "--cluster",
        metavar="ADDRESS",
        help="share the photos out over a Ray cluster: its address, 'auto' for the one this machine belongs to, or "
        "'local' for one on this machine's cores (pip install skinlib[cluster])",
    )


def runner_of(options) -> Callable:
    """Return what calls the work of each photo: the threads of this process, or a cluster's workers."""
    from skinlib.base import runner

    if options.cluster is None:
        return runner.threads
    from skinlib.scale import cluster

    return functools.partial(cluster.ray, address=options.cluster)


def files_to_write(*files: Path | None) -> AbstractContextManager:
    """Look, before any work, whether files can be written; return the block in which that is done.

    Where one of them is standard output, what is printed in the block goes to standard error. Raises InputError where
    a file can't be written, or where two are one.
    """
    check_apart(files)
    for file in files:
        check_file(file)
    return contextlib.redirect_stdout(sys.stderr) if any(map(is_standard_output, files)) else contextlib.nullcontext()


def say_left_out(data) -> None:
    """Say on standard error what of a data set is not looked at, where anything isn't."""
    from skinlib.data.unseen import in_words

    if words := in_words(data.missed):
        print(f"left out: {words}", file=sys.stderr)


def export_of(path: Path) -> Path | None:
    """Return the folder of the exported model that ``path`` means; None where it means none.

    That is the folder itself, its model's file, or one of the folders that ``export`` makes, or the one around them.
    """
    if path.suffix == ".onnx" and path.is_file():
        return path.parent
    for folder in (path, path / "model", path / "web"):
        if (folder / "labels.json").is_file() and any(folder.glob("*.onnx")):
            return folder
    return None
