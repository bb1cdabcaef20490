"""What a folder of photos is, told by looking: which of its folders are splits, which are classes, what is a photo.

Accepted are ``train_set/`` and ``test_set/``, or their like, each with a folder for every class; with a third one for
validation; and a plain folder of class folders, which has no split of its own. Photos in deeper folders count for the
class above them. Introduced in chapter 1, Data exploration.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from skinlib.base.errors import InputError
from skinlib.base.settings import SPLITS
from skinlib.data import walking
from skinlib.data.classes import Classes, from_folders, same_name
from skinlib.data.conditions import CONDITIONS, UNPACKED
from skinlib.data.walking import folders_in, hidden_or_systems, is_text, walk

SPLIT_NAMES = {
    "train": ("train", "training"),
    "validation": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing"),
}
"""What the folders of the splits are called, in any case, alone or followed by one of SPLIT_ENDINGS."""
SPLIT_ENDINGS = ("", "set", "data", "dataset", "images", "photos")
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
    if not os.path.isdir(folder):
        raise InputError(f"{folder}: no such folder: {EXPECTED}")
    for _ in range(3):
        below = folders_in(folder)
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
    names = {name for _, folder in splits for name in folders_in(root / folder)} if splits else _with_files(root)
    names = {name for name in names if is_text(name)}
    if not names:
        raise InputError(f"{root}: holds no folder with photos{_instead(root)}: {EXPECTED}")
    return Layout(root, splits or (("train", ""),), from_folders(names, CONDITIONS))


def split_folders(folder: Path) -> tuple[tuple[str, str], ...]:
    """Return (split, name) of the folders in ``folder`` that are splits: none, or training photos and perhaps others.

    Two folders for one split both count.
    """
    named = [(split, name) for split in SPLITS for name in folders_in(folder) if split_of(name) == split]
    return tuple(named) if any(split != "validation" for split, _ in named) else ()


def split_of(name: str) -> str | None:
    """Return the split that a folder's name means, or None.

    >>> split_of("Testing"), split_of("train_set"), split_of("val"), split_of("cat")
    ('test', 'train', 'validation', None)
    """
    bare = same_name(name)
    for split, words in SPLIT_NAMES.items():
        if any(bare == word + ending for word in words for ending in SPLIT_ENDINGS):
            return split
    return None


def list_files(layout: Layout) -> tuple[list[str], list[tuple[str, str]]]:
    """Return (relative paths of the files that may be photos of a class, [(path, reason)] of the others).

    Of files that have no place in the layout those are named that look like photos, or may hold some: nothing that a
    person would miss goes unsaid, and a README is no photo that was left out.
    """
    files: list[str] = []
    left_out: list[tuple[str, str]] = []
    for path, problem in walk(layout.root):
        in_place = layout.place(f"{path}/" if problem else path) is not None
        reason = problem or why_not(layout, path)
        if reason == walking.NO_PLACE:
            reason = walking.why_out_of_place(layout.root, path)
            in_place = bool(reason)
        if not reason and in_place:
            files.append(path)
        elif in_place or (reason and walking.missed(path, reason) and not walking.in_tools_folder(path)):
            # A name that isn't valid text would break every table and file written later.
            left_out.append((path.encode(errors="replace").decode(), reason))
    return files, left_out


def why_not(layout: Layout, path: str) -> str:
    """Say why the file at ``path``, relative to the root with "/", can't be one of the photos; "" if it may be."""
    reason = walking.why_no_photo(layout.root, path)
    return reason or ("" if layout.place(path) else walking.NO_PLACE)


def photos_below(folder: Path) -> tuple[list[str], list[tuple[str, str]]]:
    """Return (paths of the files below ``folder`` that may be photos, [(path, reason)] of the others), whatever it is.

    The paths are relative to it, with "/", in the order in which a person would sort them. What nobody would miss, such
    as a README, is in neither list.
    """
    files: list[str] = []
    left_out: list[tuple[str, str]] = []
    for path, problem in walk(folder):
        reason = problem or walking.why_no_photo(folder, path)
        if not reason:
            reason = walking.why_out_of_place(folder, path)
            if reason == walking.NO_PLACE:
                files.append(path)
            elif reason:
                left_out.append((path, reason))
        elif walking.missed(path, reason) and not walking.in_tools_folder(path):
            left_out.append((path, reason))
    return files, left_out


def _instead(root: Path) -> str:
    """Say what a folder without class folders holds instead, in a few words: "" where there is nothing."""
    try:
        with os.scandir(root) as entries:
            inside = [entry.name for entry in entries if not hidden_or_systems(entry.name)]
    except OSError as error:
        return f", since it cannot be opened ({error.strerror})"
    links = [name for name in inside if os.path.islink(root / name) and os.path.isdir(root / name)]
    photos = [name for name in inside if name.lower().endswith(walking.PHOTO_ENDINGS)]
    archives = [name for name in inside if name.lower().endswith(walking.ARCHIVE_ENDINGS)]
    forbidden = [path for path, problem in walk(root) if problem]
    if forbidden:
        return f", since {len(forbidden)} folders in it cannot be opened (check their permissions)"
    if links:
        return f", but {len(links)} links to folders, which are not followed (name the folder that they lie in)"
    if photos:
        return f", but {len(photos)} photos that are in no folder of a class"
    return f", but {len(archives)} archives (unpack them)" if archives else ""


def _with_files(folder: Path) -> set[str]:
    """Return the names of the folders in ``folder`` that hold a file which a person sees, at any depth."""
    return {name for name in folders_in(folder) if _holds_file(folder / name)}


def _holds_file(folder: Path) -> bool:
    return any(not problem and not any(map(hidden_or_systems, path.split("/"))) for path, problem in walk(folder))


def _photos(folder: Path) -> list[str]:
    """Return the names of the files in ``folder`` itself that look like photos."""
    try:
        names = [name for name in os.listdir(folder) if name.lower().endswith(walking.PHOTO_ENDINGS)]
    except OSError:
        return []
    return [name for name in names if not name.startswith(".")]
