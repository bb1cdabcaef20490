"""Options that several commands share."""

import functools
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


def is_export(folder: Path) -> bool:
    """Tell whether a folder is the model/ of an export."""
    return (folder / "labels.json").is_file() and any(folder.glob("*.onnx"))
