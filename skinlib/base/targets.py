"""Where a path of the user's leads: along links, to a device, to a stream of this process. Look before any work."""

import errno
import os
import re
import stat
from collections.abc import Iterable
from pathlib import Path

from skinlib.base.errors import InputError

ROOM = re.compile(r"\.skinlib-\w{8}\.part")
"""Name of the folders that drafts are made in: see :func:`skinlib.base.files.room`."""
MOST_LINKS = 40
"""Links that the system follows one after another, too."""


def end_of_links(path: Path) -> Path | int:
    """Return where the links at ``path`` lead, whether anything is there or not.

    It is a number where that is a descriptor of this process, as of ``/dev/stdout``, ``/dev/fd/3`` or a process
    substitution of the shell's: opened anew by their names, a file would be cut and a socket refused.
    """
    ours = re.compile(rf"/dev/fd|/proc/{os.getpid()}(/task/\d+)?/fd")
    place = Path(path)
    for _ in range(MOST_LINKS):
        if place.name.isdecimal() and ours.fullmatch(os.path.realpath(place.parent)):
            return int(place.name)
        if not place.is_symlink():
            break
        place = place.parent / os.readlink(place)
    end = Path(os.path.realpath(path))
    return Path(path) if os.path.exists(path) and not end.exists() else end  # another process's pipe has no path


def state_of(place: Path | int) -> os.stat_result | None:
    """Return the state of what is at a path, or of a descriptor; None where nothing is."""
    try:
        return os.stat(place)
    except FileNotFoundError:
        return None
    except OSError as error:  # of a descriptor it names nothing
        raise OSError(error.errno, error.strerror, str(place)) from None


def is_standard_output(path: Path | None) -> bool:
    """Tell whether a path names what standard output goes to, ``/dev/null`` apart."""
    if path is None:
        return False
    try:
        state, output = state_of(end_of_links(path)), os.fstat(1)
        return (
            state is not None and os.path.samestat(state, output) and not os.path.samestat(state, os.stat(os.devnull))
        )
    except OSError:
        return False


def check_file(path: Path | None) -> None:
    """Raise InputError where no file can be written, since a folder, a socket or a file in place of a folder is there.

    Raises PermissionError where a file is there that this process must not write.
    """
    if path is None:
        return
    _refuse_below_a_file(path)
    place = end_of_links(path)
    state = state_of(place)
    if state is None:
        return
    if stat.S_ISDIR(state.st_mode):
        raise InputError(f"{path} is a folder: name a file in it")
    if isinstance(place, Path):
        if stat.S_ISSOCK(state.st_mode):
            raise InputError(f"{path} is a socket, which nothing can be written into: name a file")
        if not os.access(place, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))


def check_folder(path: Path) -> None:
    """Raise InputError where something stands that is no empty folder: it stays as it is. A link may lead to one."""
    _refuse_below_a_file(path)
    place = end_of_links(path)
    if isinstance(place, int) or not is_free(place):
        raise InputError(f"{path} exists already and is not an empty folder: choose another, or remove it")


def is_free(place: Path, draft: Path | None = None) -> bool:
    """Tell whether nothing is at a path, or an empty folder: drafts in it, of this package, count for nothing."""
    if not os.path.lexists(place):
        return True
    return place.is_dir() and all(ROOM.fullmatch(name) or place / name == draft for name in os.listdir(place))


def check_apart(paths: Iterable[Path | None]) -> None:
    """Raise InputError where two of the paths are one file: the second content would replace the first."""
    ends: dict = {}
    for path in paths:
        if path is None:
            continue
        end = end_of_links(path)
        state = state_of(end)
        if end in ends and (state is None or stat.S_ISREG(state.st_mode)):
            raise InputError(f"{ends[end]} and {path} are one file: name two")
        ends[end] = path


def _refuse_below_a_file(path: Path) -> None:
    for above in Path(path).absolute().parents:
        if above.is_dir():
            return
        if above.exists():
            raise InputError(f"{path}: {above} is a file, and no folder: name another place")
