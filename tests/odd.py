"""Calls that a command line will meet: folders that are no data set, runs that are damaged, targets that can't be
written, numbers that can't be. :func:`calls` makes them. Nothing here is a test, and nothing shows a person.
"""

import io
import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from drawn import encoded, fill, pet, tiny

LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 12345\n"
HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(64)


@dataclass(frozen=True)
class Call:
    """One call of the command line."""

    what: str
    """What is odd about it."""
    arguments: tuple[str, ...]


# ---------------------------------------------------------------- folders of photos


def _pets(per_class: dict[str, int]) -> dict[str, bytes]:
    """Return {path: JPEG} of so many different photos in each folder."""
    files = {}
    for folder, count in per_class.items():
        for number in range(count):
            rng = np.random.default_rng([len(files), count])
            files[f"{folder}/{number:02d}.jpg"] = encoded(pet("cat" if "cat" in folder else "dog", rng), "JPEG")
    return files


def _same_under_all_names() -> dict[str, bytes]:
    names = _pets({"train/cats": 6, "train/dogs": 6, "test/cats": 3, "test/dogs": 3})
    return dict.fromkeys(names, next(iter(names.values())))


def _two_labels() -> dict[str, bytes]:
    files = _pets({"train/cats": 6, "train/dogs": 6, "test/cats": 3})
    return files | {path.replace("cats", "dogs"): file for path, file in files.items() if path.startswith("test/")}


FOLDERS: dict[str, Callable[[], dict[str, bytes]]] = {
    "nothing but a README": lambda: {"README.md": b"photos to come"},
    "one class": lambda: _pets({"cats": 8}),
    "two classes of one photo": lambda: _pets({"cats": 1, "dogs": 1}),
    "two classes of two photos": lambda: _pets({"cats": 2, "dogs": 2}),
    "four photos a class": lambda: _pets({"train/cats": 4, "train/dogs": 4, "test/cats": 2, "test/dogs": 2}),
    "a class of one photo": lambda: _pets({"cats": 12, "dogs": 12, "cattle": 1}),
    "one photo under all names": _same_under_all_names,
    "every test photo with two labels": _two_labels,
    "other classes in the test": lambda: _pets({"train/cats": 8, "train/dogs": 8, "test/cows": 4, "test/hens": 4}),
    "test photos alone": lambda: _pets({"test/cats": 8, "test/dogs": 8}),
    "training photos alone": lambda: _pets({"train/cats": 8, "train/dogs": 8, "test/.keep/none": 0}),
    "photos beside the classes": lambda: _pets({"cats": 8, "dogs": 8, ".": 3}),
    "photos in folders of patients": lambda: _pets({"cats/patient 1": 4, "cats/patient 2": 4, "dogs/patient 3": 8}),
    "damaged photos alone": lambda: {f"{c}/{i}.jpg": tiny(f"{c}{i}")[:40] for c in ("cats", "dogs") for i in range(4)},
    "pointers to photos": lambda: {f"{c}/{i}.jpg": LFS + b"%d" % i for c in ("cats", "dogs") for i in range(4)},
    "HEIC alone": lambda: {f"{c}/{i}.heic": HEIC + b"%d" % i for c in ("cats", "dogs") for i in range(4)},
    "empty files alone": lambda: {f"{c}/{i}.png": b"" for c in ("cats", "dogs") for i in range(4)},
    "names that break tables": lambda: _pets({"ca\nts": 6, 'do"gs, all': 6, "=1+1": 6}),
    "names of other scripts": lambda: _pets({"猫 ": 6, "собаки": 6, "e\u0301te\u0301": 6}),
    "classes called like numbers": lambda: _pets({"0": 6, "1": 6, "NA": 6, "nan": 6, "True": 6}),
    "an empty truth.csv": lambda: _pets({"cats": 6, "dogs": 6}) | {"truth.csv": b""},
    "a binary truth.csv": lambda: _pets({"cats": 6, "dogs": 6}) | {"truth.csv": bytes(range(256))},
    "a truth.csv of one's own": lambda: _pets({"cats": 6, "dogs": 6}) | {"truth.csv": b"path,label\ncats/00.jpg,x\n"},
    "a ragged truth.csv": lambda: _pets({"cats": 6, "dogs": 6}) | {"truth.csv": b"path,sha256\na,b,c\nd\n\"e"},
    "a folder called truth.csv": lambda: _pets({"cats": 6, "dogs": 6, "truth.csv": 1}),
    "forty classes": lambda: _pets({f"cat {number}": 2 for number in range(40)}),
}  # fmt: skip
"""Folders of photos, each with something odd about it."""


def folders(place: Path) -> Iterator[tuple[str, Path]]:
    """Make all folders of photos below ``place``; yield what is odd about each, and the folder."""
    for number, (what, make) in enumerate(FOLDERS.items()):
        folder = place / f"data {number:02d}"
        folder.mkdir(parents=True)
        yield what, fill(folder, make())
    (place / "empty").mkdir()
    yield "an empty folder", place / "empty"
    yield "no folder", place / "nowhere"
    yield "a file", fill(place, {"a file": b"x"}) / "a file"
    round_about = fill(place / "links", _pets({"cats": 4, "dogs": 4}))
    (round_about / "cats" / "again").symlink_to(round_about)
    (round_about / "dogs" / "lost.jpg").symlink_to(place / "nowhere.jpg")
    (round_about / "dogs" / "out.jpg").symlink_to(place / "a file")
    yield "links that lead in circles, out and nowhere", round_about
    os.mkfifo(fill(place / "pipe", _pets({"cats": 4, "dogs": 4})) / "cats" / "pipe.jpg")
    yield "a named pipe among the photos", place / "pipe"


# ---------------------------------------------------------------- runs

DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda content: b"",
    "cut": lambda content: content[: len(content) // 2],
    "other bytes": lambda content: bytes(reversed(content)),
    "not text": lambda content: b"\xff\xfe\x00\x81" * 8,
    "a word": lambda content: b"hello\n",
    "null": lambda content: b"null",
    "a list": lambda content: b"[]",
    "a list of lists": lambda content: b"[[1], {}, null]",
    "an object": lambda content: b"{}",
    "a number": lambda content: b"1e999",
}
"""What may happen to any file of a run."""


def _table(change: Callable[[pd.DataFrame], pd.DataFrame], **options) -> Callable[[bytes], bytes]:
    def damage(content: bytes) -> bytes:
        table = change(pd.read_csv(io.BytesIO(content), dtype=str, keep_default_na=False))
        return table.to_csv(index=False, **options).encode()

    return damage


TABLES: dict[str, Callable[[bytes], bytes]] = {
    "header only": _table(lambda table: table[:0]),
    "semicolons": _table(lambda table: table, sep=";"),
    "a row less": _table(lambda table: table[:-1]),
    "a row twice": _table(lambda table: pd.concat([table, table[-1:]])),
    "a column less": _table(lambda table: table.iloc[:, :-1]),
    "the first column less": _table(lambda table: table.iloc[:, 1:]),
    "text for a number": _table(lambda table: table.assign(**{table.columns[-1]: "high"})),
    "NaN for a number": _table(lambda table: table.assign(**{table.columns[-1]: "NaN"})),
    "nothing for a number": _table(lambda table: table.assign(**{table.columns[-1]: ""})),
    "infinity for a number": _table(lambda table: table.assign(**{table.columns[-1]: "inf"})),
    "a negative number": _table(lambda table: table.assign(**{table.columns[-1]: "-1"})),
    "an unknown class": _table(lambda table: table.assign(condition="measles")),
    "an unknown answer": _table(lambda table: table.assign(predicted="measles")),
    "an unknown split": _table(lambda table: table.assign(split="exam")),
    "no photo_id": _table(lambda table: table.assign(photo_id="")),
}
"""What may happen to the table of predictions."""


def runs(run: Path, place: Path) -> Iterator[tuple[str, Path]]:
    """Make damaged copies of a run below ``place``; yield what is wrong with each, and its folder."""
    parts = ("labels.json", "history.csv", "predictions.csv", "metrics.json", "provenance.json", "model.keras")
    damages = [(part, what, damage) for part in parts for what, damage in DAMAGES.items()]
    damages += [("predictions.csv", what, damage) for what, damage in TABLES.items()]
    for part, what, damage in damages:
        copy = copy_of(run, place, part, what)
        (copy / part).write_bytes(damage((run / part).read_bytes()))
        yield f"{part}: {what}", copy
    for part in parts:
        gone = copy_of(run, place, part, "gone")
        (gone / part).unlink()
        yield f"{part}: gone", gone
        folder = copy_of(run, place, part, "a folder")
        (folder / part).unlink()
        (folder / part).mkdir()
        yield f"{part}: a folder", folder
    for key in json.loads((run / "provenance.json").read_text("utf-8")):
        for what, value in (("no", None), ("a number for", 7), ("a list for", [])):
            copy = copy_of(run, place, key, what)
            content = json.loads((run / "provenance.json").read_text("utf-8"))
            content[key] = value
            if value is None:
                del content[key]
            (copy / "provenance.json").write_text(json.dumps(content), "utf-8")
            yield f"provenance.json: {what} {key}", copy
    yield "no folder", place / "nowhere"
    (place / "empty").mkdir(parents=True)
    yield "an empty folder", place / "empty"
    yield "a file", run / "history.csv"


def copy_of(run: Path, place: Path, *names: str) -> Path:
    """Return a copy of a folder, in a folder of these names."""
    copy = place / " ".join(names)
    shutil.copytree(run, copy)
    return copy


# ---------------------------------------------------------------- targets and values


def targets(place: Path) -> Iterator[tuple[str, Path]]:
    """Make places to which nothing can be written, or that somebody uses; yield what is odd about each."""
    fill(place, {"in use/a file": b"mine", "a file": b"mine"})
    yield "below a file", place / "a file" / "out"
    yield "a folder in use", place / "in use"
    yield "a full device", Path("/dev/full")
    yield "a name that is too long", place / ("x" * 300)
    (place / "circle").symlink_to(place / "circle")
    yield "a link to itself", place / "circle"
    yield "a place that the system keeps", Path("/proc/out")


VALUES = {
    "--seed": ("-1", "1.5", "1e3", "x", "4294967296", "99999999999999999999", "inf", "nan", " "),
    "--epochs": ("0", "-1", "x", "1.5"),
    "--batch-size": ("0", "-8", "x"),
    "--bits": ("8", "0", "x"),
    "--fine-tune": ("-1", "x"),
    "--augment": ("-1", "x"),
    "--split": ("random", ""),
    "--weights": ("nowhere.h5", "/", "/dev/null", "Imagenet"),
    "--backbone": ("vgg16", " "),
    "--per-class": ("-1", "0", "x", "1.5"),
    "--prune": ("-1", "nan", "inf", "x"),
}
"""Values that an option can't have."""
