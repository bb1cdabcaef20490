"""Options that several commands share."""

import functools
import sys
from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path


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
