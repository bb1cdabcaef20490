"""What a folder of photos is, told by looking: which of its folders are splits, which are classes, what is a photo.

Accepted are ``train_set/`` and ``test_set/``, or their like, each with a folder for every class; with a third one for
validation; and a plain folder of class folders, which has no split of its own. Photos in deeper folders count for the
class above them. Introduced in chapter 1, Data exploration.
"""

import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from skinlib.base.errors import InputError
from skinlib.base.settings import SPLITS
from skinlib.data.classes import Classes, from_folders
from skinlib.data.conditions import CONDITIONS, UNPACKED

SPLIT_NAMES = {
    "train": ("train", "training"),
    "validation": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing"),
}
"""What the folders of the splits are called, in any case, alone or followed by one of SPLIT_ENDINGS."""
SPLIT_ENDINGS = ("", "set", "data", "dataset", "images", "photos")
PHOTO_ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".avif", ".gif", ".tif", ".tiff", ".bmp")
"""By which a file is taken for a photo where its place doesn't tell. Elsewhere its content decides."""
SYSTEM_FILES = ("thumbs.db", "desktop.ini", "icon\r")
"""Files that an operating system leaves in folders of photos, in lower case. Others of that kind begin with a dot."""
SYSTEM_FOLDERS = ("__macosx", "@eadir", "$recycle.bin", "system volume information", "lost+found")
"""Folders that systems, archives and network drives leave there: Apple's zip files have the first one."""
EXPECTED = (
    "expected a folder for each class, or train/ and test/ (and validation/) that hold one for each class; see README"
)


@dataclass(frozen=True)
class Layout:
    """Which folders below ``root`` hold the photos of which split and class."""

    root: Path
    splits: tuple[tuple[str, str], ...]
    """(split, name of its folder). The folder is "" where the class folders stand in ``root`` itself."""
    classes: Classes

    def place(self, path: str) -> tuple[str, str] | None:
        """Return (split, class key) of a file, given relative to ``root`` with "/"; None where it has no place."""
        for split, folder in self.splits:
            below = path.removeprefix(f"{folder}/") if folder else path
            if folder and below == path:
                continue
            one = self.classes.of_folder(below.split("/")[0]) if "/" in below else None
            return (split, one.key) if one else None
        return None


def find_root(folder: Path) -> Path:
    """Return ``folder``, or the one below it that an archive unpacked to: a named one, or the only one there is.

    Raises InputError where there is no such folder.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder: {EXPECTED}")
    for _ in range(3):
        below = _folders(folder)
        named = [name for name in below if name in UNPACKED and split_folders(folder / name)]
        alone = [name for name in below if len(below) == 1 and _wraps(folder, name)]
        if split_folders(folder) or not (named or alone):
            break
        folder = folder / (named or alone)[0]
    return folder


def _wraps(folder: Path, name: str) -> bool:
    """Tell whether the only folder in ``folder`` holds all the others, and is no class: one alone could teach nothing.

    Where photos lie beside other folders, nobody can say what is meant, and none of them should go unsaid.
    """
    inner = folder / name
    return bool(split_folders(inner) or (_with_files(inner) and not _photos(inner) and not _photos(folder)))


def look(root: Path) -> Layout:
    """Return the layout of a folder. Raises InputError where it holds no folder that could be a class.

    Folders that are called like one of the eight conditions' are these; the others are classes of their own.
    """
    splits = split_folders(root)
    # Beside class folders a plain folder may have anything; within a split's folder every folder is a class.
    names = {name for _, folder in splits for name in _folders(root / folder)} if splits else _with_files(root)
    names = {name for name in names if _is_text(name)}
    if not names:
        raise InputError(f"{root}: holds no folder with photos: {EXPECTED}")
    return Layout(root, splits or (("train", ""),), from_folders(names, CONDITIONS))


def split_folders(folder: Path) -> tuple[tuple[str, str], ...]:
    """Return (split, name) of the folders in ``folder`` that are splits: none, or training photos and perhaps others.

    Two folders for one split both count.
    """
    named = [(split, name) for split in SPLITS for name in _folders(folder) if split_of(name) == split]
    return tuple(named) if any(split != "validation" for split, _ in named) else ()


def split_of(name: str) -> str | None:
    """Return the split that a folder's name means, or None.

    >>> split_of("Testing"), split_of("train_set"), split_of("val"), split_of("cat")
    ('test', 'train', 'validation', None)
    """
    bare = re.sub(r"[\s_-]+", "", name.casefold())
    for split, words in SPLIT_NAMES.items():
        if any(bare == word + ending for word in words for ending in SPLIT_ENDINGS):
            return split
    return None


def list_files(layout: Layout) -> tuple[list[str], list[tuple[str, str]]]:
    """Return (relative paths of the files that may be photos of a class, [(path, reason)] of the others).

    Of files that have no place in the layout, only those are named that look like photos and aren't hidden: nothing
    that a person would miss goes unsaid, and a README is no photo that was left out.
    """
    files: list[str] = []
    left_out: list[tuple[str, str]] = []
    for path in _walk(layout.root, left_out):
        relative = path.relative_to(layout.root).as_posix()
        reason = why_not(layout, path)
        looks_like_one = relative.lower().endswith(PHOTO_ENDINGS)
        missed_by_nobody = reason in UNSEEN or (reason == NO_PLACE and not looks_like_one)
        if not reason:
            files.append(relative)
        elif layout.place(relative) or not missed_by_nobody:
            # A name that isn't valid text would break every table and file written later.
            left_out.append((relative.encode(errors="replace").decode(), reason))
    return files, left_out


NO_PLACE = "not in the folder of a class"
HIDDEN, OF_THE_SYSTEM = "hidden file", "left by the operating system"
UNSEEN = (HIDDEN, OF_THE_SYSTEM)
"""Why a file is left out that nobody knows of who looks at the folder."""


def why_not(layout: Layout, path: Path) -> str:
    """Say why the file at ``path`` can't be a photo of the data set, judged by its place and name; "" if it may be."""
    parts = path.relative_to(layout.root).parts
    if any(part.startswith(".") for part in parts):
        return HIDDEN
    if parts[-1].lower() in SYSTEM_FILES or any(part.lower() in SYSTEM_FOLDERS for part in parts[:-1]):
        return OF_THE_SYSTEM
    if not _is_text(str(path)):
        return "its name is not valid text"
    if path.is_symlink():
        if not path.exists():
            return "a link that leads nowhere"
        if not path.resolve().is_relative_to(layout.root.resolve()):
            return "a link that leads out of the folder"
        if path.is_dir():
            return "a link to a folder"
    if not path.is_file():
        return "not a file"
    return "" if layout.place("/".join(parts)) else NO_PLACE


def commonest(left_out: list[tuple[str, str]]) -> str:
    """Return the reason for which most files were left out, in words for people.

    >>> commonest([("a", "empty file"), ("b", "empty file"), ("c", "hidden file")])
    'empty file (2 of 3)'
    """
    (reason, count), *_ = Counter(reason for _, reason in left_out).most_common(1)
    return reason if count == len(left_out) else f"{reason} ({count} of {len(left_out)})"


def _walk(root: Path, left_out: list[tuple[str, str]]) -> Iterator[Path]:
    def unreadable(error):
        left_out.append((Path(error.filename).relative_to(root).as_posix(), f"cannot be opened ({error.strerror})"))

    for folder, subfolders, names in os.walk(root, onerror=unreadable):
        subfolders.sort()
        links = [name for name in subfolders if os.path.islink(os.path.join(folder, name))]
        yield from (Path(folder, name) for name in sorted([*names, *links]))


def _folders(folder: Path) -> list[str]:
    """Return the names of the folders in ``folder``, in alphabetical order: no hidden ones, no system's, no links."""
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
    except OSError:
        return []
    return [name for name in names if not _unseen(name, SYSTEM_FOLDERS)]


def _with_files(folder: Path) -> set[str]:
    """Return the names of the folders in ``folder`` that hold a file which a person sees, at any depth."""
    return {name for name in _folders(folder) if _holds_file(folder / name)}


def _holds_file(folder: Path) -> bool:
    for _, below, files in os.walk(folder):
        below[:] = [name for name in below if not _unseen(name, SYSTEM_FOLDERS)]
        if not all(_unseen(name, SYSTEM_FILES) for name in files):
            return True
    return False


def _photos(folder: Path) -> list[str]:
    """Return the names of the files in ``folder`` itself that look like photos."""
    names = (name for name in os.listdir(folder) if name.lower().endswith(PHOTO_ENDINGS))
    return [name for name in names if not name.startswith(".")]


def _unseen(name: str, of_the_system: tuple[str, ...]) -> bool:
    return name.startswith(".") or name.lower() in of_the_system


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:  # bytes of another encoding
        return False
    return True
