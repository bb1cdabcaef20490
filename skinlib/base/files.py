"""Write a file or a folder whole, or not at all; put what doesn't fit into memory on disk; silence a chatty library."""

import contextlib
import csv
import errno
import hashlib
import json
import math
import os
import shutil
import stat
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from skinlib.base.errors import SkinlibError
from skinlib.base.targets import ROOM, end_of_links, is_free, is_standard_output, state_of

if TYPE_CHECKING:  # it takes a while to import, and many commands need none
    import pandas as pd
with contextlib.suppress(ImportError):  # Windows has none
    import fcntl

YOUNG, OLD = 1.0, 86_400.0
"""Seconds before which no draft is swept, since its process may be about to lock it, and after which one is swept where
the file system has no locks to ask."""
PROBE = 2**20
"""Bytes that a disk has no room for when it is called full."""


# ---------------------------------------------------------------- drafts


@contextmanager
def room(folder: Path) -> Iterator[Path]:
    """Make a folder for drafts in ``folder``, and remove it when the block ends, however it ends.

    It is locked for as long as this process lives. So what a process that was killed has left can be told from the
    drafts of those at work: see :func:`sweep`.
    """
    path = Path(tempfile.mkdtemp(prefix=".skinlib-", suffix=".part", dir=folder))
    lock = _lock(path)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def sweep(folder: Path) -> None:
    """Remove the rooms in ``folder`` that were left by processes that are no more."""
    try:
        names = [name for name in os.listdir(folder) if ROOM.fullmatch(name)]
    except OSError:
        return
    for path in (Path(folder, name) for name in names):
        with contextlib.suppress(OSError):  # another process may be sweeping, too
            state = path.lstat()
            age = time.time() - state.st_mtime
            ours = not hasattr(os, "geteuid") or state.st_uid == os.geteuid()
            if stat.S_ISDIR(state.st_mode) and ours and age > YOUNG:
                lock = _lock(path)
                if lock is not None or age > OLD:
                    shutil.rmtree(path, ignore_errors=True)
                if lock is not None:
                    os.close(lock)


def _lock(path: Path) -> int | None:
    """Return a descriptor that holds the lock on a folder; None where another has it, or there are no locks."""
    if os.name == "nt":
        return None
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


@contextmanager
def failures_of(place: Path, drafts: Path | None = None) -> Iterator[None]:
    """Have the OSErrors of a block name ``place``: a disk that is full says so, but doesn't say which.

    With ``drafts`` those that name a file elsewhere stay as they are. Libraries have errors of their own for a full
    disk: where one comes and ``place`` is full, or ``drafts``, that is raised instead.
    """
    try:
        yield
    except OSError as error:
        if error.errno is None:
            _raise_if_full(place, drafts, error)
            raise
        named = [Path(os.fsdecode(name)) for name in (error.filename, error.filename2) if isinstance(name, str | bytes)]
        if drafts and named and not any(drafts in name.parents for name in named):
            raise
        raise OSError(error.errno, error.strerror, str(place)) from error
    except SkinlibError:
        raise
    except Exception as error:
        _raise_if_full(place, drafts, error)
        raise


def _raise_if_full(place: Path, drafts: Path | None, error: Exception) -> None:
    folder = drafts or place
    if folder.is_dir():
        try:
            array_on_disk((PROBE,), np.uint8, folder)
        except OSError as full:
            raise OSError(full.errno, full.strerror, str(place)) from error


# ---------------------------------------------------------------- whole or not at all


@contextmanager
def replaced(target: Path, drafts: Path) -> Iterator[Path]:
    """Give a temporary path below the folder ``drafts``; rename it to ``target`` when the block ends without an error.

    Both lie on one disk. The block may make a file or a folder there. After an error nothing is left, and an older
    ``target`` stays. Two processes may write the same target at once: the last file wins, but the first folder does,
    since a folder may be in use. Raises OSError where a folder with something in it stands in the way.
    """
    with contextlib.ExitStack() as opened:
        with failures_of(target):
            folder = opened.enter_context(room(drafts))
        with failures_of(target, folder):
            draft = folder / target.name
            yield draft
            os.replace(draft, target)


@contextmanager
def written_whole(target: Path) -> Iterator[Path]:
    """Give a temporary path; what the block makes there, a file or a folder, is at ``target`` when it ends well.

    It gets there whole or not at all, as with :func:`replaced`, and changes no more than it must. At the end of a link
    the content is written, and the link stays. A file keeps its mode, its owner and its other names. An empty folder is
    filled. What is no plain file, a device or a pipe, is written into, and so is standard output, by whatever name.
    Raises OSError where the system refuses, and where a folder with something in it stands in the way.
    """
    target = Path(target)
    place = 1 if is_standard_output(target) else end_of_links(target)
    with contextlib.ExitStack() as opened:
        with failures_of(target):
            state = state_of(place)
            if isinstance(place, Path) and state is None:
                place.parent.mkdir(parents=True, exist_ok=True)
            beside = _drafts_beside(place, state)
            drafts = beside or Path(tempfile.gettempdir())
        with failures_of(target if beside else drafts):
            sweep(drafts)
            folder = opened.enter_context(room(drafts))
            draft = folder / (target.name or "draft")
        with failures_of(target if beside else drafts, folder):
            yield draft
        with failures_of(target):
            if draft.is_dir():
                put_folder(draft, place)
            elif beside and isinstance(place, Path):
                _put_file(draft, place, state)
            else:
                _write_into(draft, place)


def _drafts_beside(place: Path | int, state: os.stat_result | None) -> Path | None:
    """Return the folder for drafts that can be renamed to ``place``; None where it has to be written into."""
    if isinstance(place, int):
        return None
    if state is None:
        return place.parent
    if stat.S_ISDIR(state.st_mode):
        return place
    if not os.access(place, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(place))
    alone = stat.S_ISREG(state.st_mode) and state.st_nlink == 1 and os.access(place.parent, os.W_OK)
    return place.parent if alone else None


def put_folder(draft: Path, place: Path | int) -> None:
    """Rename a folder to ``place``; where an empty folder is there, to which the draft may belong, fill it.

    That one stays, with its mode: somebody may be in it, and where a disk is mounted it cannot be replaced. Raises
    OSError where something else is there.
    """
    if isinstance(place, int) or (os.path.lexists(place) and not place.is_dir()):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    if not place.exists():
        os.replace(draft, place)
        return
    if not is_free(place, draft):
        raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY))
    for part in sorted(draft.iterdir()):
        os.replace(part, place / part.name)
    draft.rmdir()


def _put_file(draft: Path, place: Path, state: os.stat_result | None) -> None:
    try:
        if state is not None:
            shutil.copystat(place, draft)
            os.utime(draft)
            if hasattr(os, "chown"):
                os.chown(draft, state.st_uid, state.st_gid)
        os.replace(draft, place)
    except OSError:  # the owner is another, or the file is mounted by itself, as into a container
        if state is None or not stat.S_ISREG(state.st_mode):
            raise
        _write_into(draft, place)


def _write_into(draft: Path, place: Path | int) -> None:
    if place == 1 and sys.stdout:
        sys.stdout.flush()
    descriptor = os.dup(place) if isinstance(place, int) else os.open(place, os.O_WRONLY)
    with draft.open("rb") as content, os.fdopen(descriptor, "wb") as stream:
        state = os.fstat(descriptor)
        plain = isinstance(place, Path) and stat.S_ISREG(state.st_mode)
        if plain and draft.stat().st_size > state.st_size:
            try:
                _reserve(stream, draft.stat().st_size)
            except OSError:
                stream.truncate(state.st_size)  # on a full disk the old content stays
                raise
        shutil.copyfileobj(content, stream)
        if plain:
            stream.truncate()


def remove(path: Path) -> None:
    """Remove a file, a link or a folder with all that is in it; nothing, where nothing is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def sha256_of(file: Path) -> str:
    """Return the SHA-256 of a file's content, 64 hex digits."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_json(path: Path, content) -> None:
    """Write ``content`` as JSON that people can read, too. Raises ValueError for numbers that JSON has no word for."""
    Path(path).write_text(json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def write_table(path: Path, table: "pd.DataFrame", float_format: str | None = None) -> None:
    """Write a table as CSV that reads back equal: without its index, in UTF-8.

    Names of files hold whatever a system allows. Python's writers leave a carriage return bare, which readers, pandas'
    too, take for the end of a line: where there is one, all texts stand in quotation marks.
    """
    texts = table.select_dtypes(exclude=["number", "bool"])
    bare = any(texts[name].astype(str).str.contains("\r", regex=False).any() for name in texts)
    quoting = csv.QUOTE_NONNUMERIC if bare else csv.QUOTE_MINIMAL
    table.to_csv(path, index=False, quoting=quoting, float_format=float_format, encoding="utf-8", lineterminator="\n")


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


# ---------------------------------------------------------------- room on the disk


def array_on_disk(shape: tuple[int, ...], dtype, folder: Path | str) -> np.ndarray:
    """Return an array of zeros that lies in a nameless file below ``folder``, and goes with the array.

    The system keeps in memory what is in use, and may put the rest out at any time: the array can be larger than the
    memory. An empty one is an ordinary array, since no file of no bytes can be mapped. Raises OSError where the disk is
    full.
    """
    if 0 in shape:
        return np.zeros(shape, dtype)
    folder = Path(folder)
    with failures_of(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            _reserve(file, int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize)
            return np.asarray(np.memmap(file, dtype, "r+", shape=shape))


@contextmanager
def in_need_of(size: int, folder: Path) -> Iterator[None]:
    """Have a library that writes ``size`` bytes into ``folder`` fail as the system does, if the disk has no such room.

    Each has an error of its own for it, and some speak of something else. Asking for as much room gets a plain OSError.
    """
    try:
        yield
    except OSError:
        raise
    except Exception:
        array_on_disk((max(size, PROBE),), np.uint8, folder)
        raise


def _reserve(file, size: int) -> None:
    """Take the room on the disk now: writing to a mapped file that finds none later would end the process."""
    if hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(file.fileno(), 0, size)
            return
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):  # some file systems can't
                raise
    zeros = bytes(2**20)
    for start in range(file.seek(0, os.SEEK_END), size, len(zeros)):
        file.write(zeros[: size - start])
    file.seek(0)  # which writes what is buffered


# ---------------------------------------------------------------- silence


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
