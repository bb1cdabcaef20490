"""Write a file or a folder whole, or not at all; put what doesn't fit into memory on disk; silence a chatty library."""

import json
import math
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np


@contextmanager
def failures_of(place: Path) -> Iterator[None]:
    """Have every OSError of a block name ``place``: a disk that is full says so, but doesn't say which."""
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, str(place)) from error


@contextmanager
def written_whole(target: Path) -> Iterator[Path]:
    """Give a temporary path beside ``target``; rename it to ``target`` when the block ends without an error.

    The block may make a file or a folder there. After an error nothing is left, and an older ``target`` stays.
    Two processes may write the same target at once, each at its own temporary path: the last file wins, but the first
    folder does, since a folder may be in use. Raises OSError where a folder with something in it stands in the way.
    """
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    # A folder of its own, because the name within must keep the target's ending: many writers choose by it.
    room = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent))
    try:
        draft = room / target.name
        with failures_of(target):
            yield draft
        if draft.is_dir() and target.is_dir():
            target.rmdir()  # an empty one; Windows does not rename onto it
        os.replace(draft, target)
    finally:
        shutil.rmtree(room, ignore_errors=True)


def write_json(path: Path, content) -> None:
    """Write ``content`` as JSON that people can read, too. Raises ValueError for numbers that JSON has no word for."""
    Path(path).write_text(json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def check_shape(value, shape, name: str = "it") -> None:
    """Raise ValueError unless a value from JSON is of ``shape``: a type, several of them, or what holds such.

    A dict names what has to be there, and more may be; a list of one shape is a list of any length. Numbers are finite.
    """
    if isinstance(shape, dict):
        if not isinstance(value, dict):
            raise ValueError(f"{name} is {value!r:.40} and no object")
        for key, of_key in shape.items():
            if key not in value:
                raise ValueError(f"{key!r} is missing")
            check_shape(value[key], of_key, repr(key))
    elif isinstance(shape, list):
        if not isinstance(value, list):
            raise ValueError(f"{name} is {value!r:.40} and no list")
        for member in value:
            check_shape(member, shape[0], f"one of {name}")
    elif type(value) not in (shape if isinstance(shape, tuple) else (shape,)) or value in (math.inf, -math.inf):
        raise ValueError(f"{name} is {value!r:.40}")
    elif value != value:
        raise ValueError(f"{name} is not a number")


def array_on_disk(shape: tuple[int, ...], dtype, folder: Path | str) -> np.ndarray:
    """Return an array of zeros that lies in a nameless file below ``folder``, and goes with the array.

    The system keeps in memory what is in use, and may put the rest out at any time: the array can be larger than the
    memory. An empty one is an ordinary array, since no file of no bytes can be mapped. Raises OSError where the disk is
    full.
    """
    if 0 in shape:
        return np.zeros(shape, dtype)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as file:
        with failures_of(folder):
            _reserve(file, int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize)
        return np.asarray(np.memmap(file, dtype, "r+", shape=shape))


def _reserve(file, size: int) -> None:
    """Take the room on the disk now: writing to a mapped file that finds none later would end the process."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), 0, size)
    else:
        zeros = bytes(2**20)
        for start in range(0, size, len(zeros)):
            file.write(zeros[: size - start])
        file.flush()


_SILENCE = threading.RLock()


@contextmanager
def silent() -> Iterator[None]:
    """Send what is written to standard error to nowhere, by C++ too, which no setting of Python's would stop.

    Threads take turns: two at a time would each put back what the other had in place of standard error.
    """
    with _SILENCE:
        yield from _without_errors()


def _without_errors() -> Iterator[None]:
    try:
        before = os.dup(2)
    except OSError:  # nobody listens there as it is
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(before, 2)
        os.close(before)
        os.close(nowhere)
