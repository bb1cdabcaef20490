"""The one store for everything that is computed once: drawn samples, sketches, features, weights, runs, exports.

An *entry* is a folder, ``ROOT/KIND/KEY``; its key names all that shapes it (:mod:`skinlib.base.fingerprint`). It
holds either *values*, each written with a checksum, or a *folder* of files with a list of their checksums. An entry is
used only where it is whole: what is damaged or cut is made anew, without a word. Of two processes that make the same
entry the first wins, and the second takes its result. Entries never change, so any of them can be removed at any time.
"""

import contextlib
import io
import json
import os
import shutil
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout

from skinlib.base.errors import InputError
from skinlib.base.files import failures_of, remove, replaced, room, sha256_of, sweep
from skinlib.base.fingerprint import key_of
from skinlib.base.targets import end_of_links

KINDS = ("samples", "decoded", "sketches", "audits", "features", "views", "weights", "unfinished", "runs", "exports")
"""What is kept, in the order in which one leads to the next."""
CONTENTS = ".contents.json"
"""Beside the files of a folder: size, time of change and SHA-256 of each."""


@dataclass(frozen=True)
class Entry:
    """What the store holds under one key."""

    kind: str
    key: str
    files: int
    bytes: int
    used: float
    """When it was last made or asked for: seconds since 1970."""


@dataclass(frozen=True)
class Store:
    """The store below a folder, which need not exist yet."""

    root: Path

    # ---------------------------------------------------------------- values

    def load(self, kind: str, key: str, name: str = "value") -> bytes | None:
        """Return a value; None where there is none, or none that is whole."""
        try:
            content = self._file(kind, key, name).read_bytes()
        except OSError:
            return None
        value, checksum = content[:-4], content[-4:]
        if len(checksum) < 4 or zlib.crc32(value).to_bytes(4, "little") != checksum:
            return None
        self._touch(kind, key)
        return value

    def keep(self, kind: str, key: str, value: bytes, name: str = "value") -> None:
        """Keep a value, whole or not at all. Raises OSError where that can't be done."""
        with self._written(kind, self._file(kind, key, name)) as draft:
            draft.write_bytes(value + zlib.crc32(value).to_bytes(4, "little"))

    def value(self, kind: str, key: str, make: Callable[[], bytes], name: str = "value") -> bytes:
        """Return a value; make and keep it first where there is no whole one."""
        value = self.load(kind, key, name)
        if value is None:
            value = make()
            self.keep(kind, key, value, name)
        return value

    def has(self, kind: str, key: str, name: str = "value") -> bool:
        """Tell whether there is a value, without looking whether it is whole."""
        return self._file(kind, key, name).is_file()

    def _file(self, kind: str, key: str, name: str) -> Path:
        # Thousands of files in one folder are slow to list; the first two letters of a SHA-256 divide them evenly.
        return self.root / kind / key / name[:2] / name

    # ---------------------------------------------------------------- folders

    def folder(self, kind: str, key: str, make: Callable[[Path], None]) -> Path:
        """Return an entry's folder; have ``make`` fill it first where there is no whole one.

        ``make`` is given a path at which it makes the folder. Whoever comes while it is at work waits, and takes what
        it made.
        """
        entry = self.root / kind / key
        if not is_whole(entry):
            with contextlib.ExitStack() as held:
                with failures_of(entry):
                    self._make_way(entry)
                    held.enter_context(FileLock(entry.with_name(f".{key}.lock")))
                if not is_whole(entry):
                    with self._written(kind, entry) as draft:
                        make(draft)
                        seal(draft)
        self._touch(kind, key)
        return entry

    @contextlib.contextmanager
    def scratch(self, kind: str) -> Iterator[Path]:
        """Give an empty folder on the store's disk, for what is of use as long as the block lasts."""
        self._make_way(self.root / kind / "scratch")
        self._sweep(kind)
        with room(self.root / kind) as folder:
            yield folder

    @contextlib.contextmanager
    def _written(self, kind: str, target: Path) -> Iterator[Path]:
        """Give the path of a draft, which is at ``target`` at the end, whatever was there."""
        with failures_of(target):
            self._make_way(target)
        self._sweep(kind)
        with replaced(target, self.root / kind) as draft:
            yield draft
            if draft.is_dir() or (target.is_dir() and not target.is_symlink()):
                remove(target)

    def _sweep(self, kind: str) -> None:
        """Remove, once in a process, the drafts of processes that were killed."""
        if self.root / kind not in _swept:
            _swept.add(self.root / kind)
            sweep(self.root / kind)

    def _make_way(self, target: Path) -> None:
        """Make the folders above ``target``; what is in the place of one, and is none, goes."""
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            for above in (self.root / name for name in reversed(target.relative_to(self.root).parents[:-1])):
                if os.path.lexists(above) and not above.is_dir():
                    remove(above)
            target.parent.mkdir(parents=True, exist_ok=True)

    @staticmethod
    def copy(entry: Path, target: Path) -> None:
        """Copy an entry's folder to ``target``, which must not exist yet."""
        target.mkdir(parents=True)
        for file in _files(entry):
            copy = target / file.relative_to(entry)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)

    @contextlib.contextmanager
    def claimed(self, target: Path, key: str) -> Iterator[bool]:
        """Have a place of the user's to oneself while the block lasts, to write what has this key.

        Gives whether it is there by now: where another process of this store was writing the same there, this one has
        waited until that was done. Raises InputError where another writes something else: at once. A process that was
        killed holds nothing any more. Where the store can't be written there are no claims.
        """
        place = key_of(str(end_of_links(target)))
        lock, claim = (self.root / "claims" / f"{place}.{ending}" for ending in ("lock", "key"))
        held = FileLock(lock)
        there = False
        try:
            lock.parent.mkdir(parents=True, exist_ok=True)
            held.acquire(timeout=0)
        except Timeout:
            if _other_work(claim, key):
                raise InputError(
                    f"{target}: another process is writing something else there: choose another folder"
                ) from None
            held.acquire()
            there = _read(claim) == f"{key} done"
        except OSError:
            yield False
            return
        try:
            _note(claim, f"{key} begun")
            yield there
            _note(claim, f"{key} done")
        finally:
            held.release()

    # ---------------------------------------------------------------- looking after it

    def entries(self) -> list[Entry]:
        """Return all entries, by kind and, within it, the least recently used first."""
        entries: list[Entry] = []
        for kind in KINDS:
            folders = [folder for folder in _listed(self.root / kind) if folder.is_dir()]
            of_kind = [_entry(kind, folder) for folder in folders]
            entries += sorted(of_kind, key=lambda entry: (entry.used, entry.key))
        return entries

    def remove(self, entries: list[Entry]) -> None:
        """Remove entries, and drafts that nobody is at. A process that is using an entry may fail, or make it anew."""
        for kind in KINDS:
            sweep(self.root / kind)
        for entry in entries:
            shutil.rmtree(self.root / entry.kind / entry.key, ignore_errors=True)
            with contextlib.suppress(OSError):
                (self.root / entry.kind / f".{entry.key}.lock").unlink(missing_ok=True)

    def unused_for(self, days: float) -> list[Entry]:
        """Return the entries that nobody has asked for during the last ``days``."""
        return [entry for entry in self.entries() if entry.used < time.time() - days * 86_400]

    def _touch(self, kind: str, key: str) -> None:
        """Note that an entry is in use: a folder's time of change does nothing else here."""
        _note_use(self.root / kind / key, int(time.time()) // 60)


def pack(*arrays: np.ndarray, **named: np.ndarray) -> bytes:
    """Return arrays as a value to keep: see :func:`unpack`."""
    stream = io.BytesIO()
    np.savez(stream, *arrays, **named)  # type: ignore[arg-type]  # numpy takes them for its own options
    return stream.getvalue()


def unpack(value: bytes) -> dict[str, np.ndarray]:
    """Return the arrays that :func:`pack` was given, by name, or "arr_0", "arr_1", … in their order."""
    with np.load(io.BytesIO(value)) as file:
        return {name: file[name] for name in file.files}


def seal(folder: Path) -> None:
    """Write down size, time of change and SHA-256 of every file in a folder, so that :func:`is_whole` can tell."""
    contents = {
        file.relative_to(folder).as_posix(): _state(file) | {"sha256": sha256_of(file)} for file in _files(folder)
    }
    (folder / CONTENTS).write_text(json.dumps(contents), "utf-8")


def is_whole(folder: Path) -> bool:
    """Tell whether a folder still holds what :func:`seal` found in it.

    A file that has its size and time of change is taken for unchanged; of any other one the SHA-256 decides.
    """
    try:
        contents = json.loads((folder / CONTENTS).read_text("utf-8"))
        for name, sealed in contents.items():
            if _state(folder / name).items() <= sealed.items():
                continue
            if sha256_of(folder / name) != sealed["sha256"]:
                return False
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return False
    return True


def _state(file: Path) -> dict[str, int]:
    state = file.stat()
    return {"size": state.st_size, "changed": state.st_mtime_ns}


def _files(folder: Path) -> Iterator[Path]:
    return (file for file in sorted(folder.rglob("*")) if file.is_file() and file.name != CONTENTS)


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError:
        return []


def _entry(kind: str, folder: Path) -> Entry:
    sizes, used = [], 0.0
    with contextlib.suppress(OSError):  # another process may be removing it
        used = folder.stat().st_mtime
        sizes = [file.stat().st_size for file in _files(folder)]
    return Entry(kind, folder.name, len(sizes), sum(sizes), used)


def _other_work(claim: Path, key: str) -> bool:
    """Tell whether who holds the lock of a claim has begun something else than what has this key."""
    for wait in (0.1, 0.0):
        noted, _, state = _read(claim).rpartition(" ")
        if noted == key or state != "begun":
            return False
        time.sleep(wait)  # it may be about to write down what it begins
    return True


def _read(claim: Path) -> str:
    try:
        return claim.read_text("utf-8")
    except (OSError, ValueError):
        return ""


def _note(claim: Path, text: str) -> None:
    with contextlib.suppress(OSError):  # what can't be noted only costs time
        claim.write_text(text, "utf-8")


_swept: set[Path] = set()
_noted: dict[Path, int] = {}


def _note_use(folder: Path, minute: int) -> None:
    # Once a minute is often enough, and a store that can't be written can still be read.
    if _noted.get(folder) != minute:
        _noted[folder] = minute
        with contextlib.suppress(OSError):
            os.utime(folder)
