"""Write a file or a folder whole, or not at all."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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
        yield draft
        if draft.is_dir() and target.is_dir():
            target.rmdir()  # an empty one; Windows does not rename onto it
        os.replace(draft, target)
    finally:
        shutil.rmtree(room, ignore_errors=True)
