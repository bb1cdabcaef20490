"""Every file below a folder, and why some of them can't be photos: judged by place, name and kind, never opened.

Introduced in chapter 1, Data exploration.
"""

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from skinlib.data.kinds import is_picture

PHOTO_ENDINGS = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".avif", ".gif", ".tif", ".tiff", ".bmp",
    ".heic", ".heif", ".jxl", ".jp2", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2", ".raf", ".dcm",
)  # fmt: skip
"""By which a file is taken for a photo where its place doesn't tell: also those of kinds that are not read here."""
ARCHIVE_ENDINGS = (".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".zst", ".7z", ".rar")
SYSTEM_FILES = (
    "thumbs.db",
    "ehthumbs.db",
    "desktop.ini",
    "icon\r",
    ".ds_store",
    ".localized",
    "picasa.ini",
    ".picasa.ini",
)
"""Files that an operating system leaves in folders of photos, in lower case."""
SYSTEM_FOLDERS = ("__macosx", "@eadir", "$recycle.bin", "system volume information", "lost+found")
"""Folders that systems, archives and network drives leave there: Apple's zip files have the first one."""
TOOL_FOLDERS = (".git", ".hg", ".svn", ".dvc", ".cache", ".trash", ".ipynb_checkpoints", ".thumbnails", ".venv")
"""Hidden folders in which nobody keeps photos to learn from, by how their names begin."""

HIDDEN, OF_THE_SYSTEM = "hidden file", "left by the operating system"
NO_PLACE = "not in the folder of a class"
IN_ARCHIVE = "an archive, no photo"
"""As :mod:`skinlib.data.kinds` says it of one that lies in the folder of a class."""


def walk(root: Path) -> Iterator[tuple[str, str]]:
    """Yield (path, reason) of every file below ``root``, links too; the path is relative to it, with "/".

    The reason is "" but for folders that can't be opened, which stand for all that is in them.
    """
    waiting = [""]  # and no recursion, since people nest folders deeper than Python calls
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(root / folder) as entries:
                inside = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            yield folder or ".", f"a folder that cannot be opened ({error.strerror})"
            continue
        below = []
        for entry in inside:
            path = f"{folder}/{entry.name}" if folder else entry.name
            if _is_folder(entry):
                below.append(path)
            else:
                yield path, ""
        waiting += reversed(below)


def folders_in(folder: Path) -> list[str]:
    """Return the names of the folders in ``folder``, in alphabetical order: no hidden ones, no system's, no links."""
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries if _is_folder(entry))
    except OSError:
        return []
    return [name for name in names if not hidden_or_systems(name)]


def _is_folder(entry: os.DirEntry) -> bool:
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False


def hidden_or_systems(name: str) -> bool:
    """Tell whether people who look into a folder don't see a file or a folder of this name."""
    return name.startswith(".") or name.lower() in (*SYSTEM_FILES, *SYSTEM_FOLDERS)


def is_text(name: str) -> bool:
    """Tell whether a name is valid text: one that isn't would break every table and file written later."""
    try:
        name.encode()
    except UnicodeEncodeError:  # bytes of another encoding
        return False
    return True


def why_no_photo(root: Path, path: str) -> str:
    """Say why the file at ``path``, relative to ``root`` with "/", can't be a photo to use; "" if it may be one."""
    *folders, name = path.split("/")
    if name.lower() in SYSTEM_FILES or name.startswith("._") or any(part.lower() in SYSTEM_FOLDERS for part in folders):
        return OF_THE_SYSTEM
    if any(part.startswith(".") for part in (*folders, name)):
        return HIDDEN
    if not is_text(path):
        return "its name is not valid text"
    file = root / path
    is_link = os.path.islink(file)
    try:
        mode = file.stat().st_mode
        if is_link and not _may_follow(root, file.resolve()):
            return "a link that leads out of the folder"
    except (OSError, RuntimeError) as error:  # RuntimeError: a link that leads to itself
        if is_link and getattr(error, "errno", errno.ELOOP) in (errno.ENOENT, errno.ELOOP, errno.ENOTDIR):
            return "a link that leads nowhere"
        return f"cannot be opened ({getattr(error, 'strerror', error)})"
    if stat.S_ISDIR(mode):
        return "a link to a folder"
    return "" if stat.S_ISREG(mode) else "not a file"


def _may_follow(root: Path, target: Path) -> bool:
    """Tell whether a link may be followed to ``target``: within the folder, or in the store that its folder belongs to.

    Hubs of data sets, git-annex and DVC keep the content of files in a store of their own, and put links into the
    folder that people see.
    """
    root = root.resolve()
    if target.is_relative_to(root):
        return True
    stores = [root.parents[place] / "blobs" for place, above in enumerate(root.parents) if _is_snapshot(root, above)]
    stores += [above / store for above in (root, *root.parents) for store in (".git/annex/objects", ".dvc/cache")]
    return any(target.is_relative_to(store) for store in stores) and target.is_file()


def _is_snapshot(root: Path, above: Path) -> bool:
    """Tell whether ``root`` lies in ``above/snapshots``, beside ``above/blobs``, as in the cache of a hub."""
    return root.relative_to(above).parts[0] == "snapshots" and (above / "blobs").is_dir()


def missed(path: str, reason: str) -> bool:
    """Tell whether a person would miss this file where it was left out: they don't know of a system's own."""
    return reason != OF_THE_SYSTEM and (reason != HIDDEN or path.lower().endswith(PHOTO_ENDINGS))


def why_out_of_place(root: Path, path: str) -> str:
    """Say what is left out with a file outside the folders of classes; "" where nobody would miss it.

    A README is no photo that was left out. What looks like a photo is one, and so is what begins like one; an archive
    may be full of them.
    """
    if path.lower().endswith(PHOTO_ENDINGS):
        return NO_PLACE
    if path.lower().endswith(ARCHIVE_ENDINGS):
        return IN_ARCHIVE
    try:
        with (root / path).open("rb") as stream:
            return NO_PLACE if is_picture(stream.read(400)) else ""
    except OSError as error:
        return f"cannot be opened ({error.strerror})"


def in_tools_folder(path: str) -> bool:
    """Tell whether a path leads through a hidden folder of a program."""
    return any(part.lower().startswith(TOOL_FOLDERS) for part in path.split("/")[:-1])
