"""What of a folder was not looked at, how much and why: nobody may take silence about it for a good sign.

Introduced in chapter 1, Data exploration.
"""

from collections import Counter

import pandas as pd

from skinlib.data.kinds import remedy_of


def commonest(reasons: list[str]) -> str:
    """Return the reason that most files have, in words for people.

    >>> commonest(["empty file", "empty file", "hidden file"])
    'empty file (2 of 3)'
    """
    (reason, count), *_ = Counter(reasons).most_common(1)
    words = reason if count == len(reasons) else f"{reason} ({count} of {len(reasons)})"
    remedy = remedy_of(reason)
    return f"{words}: {remedy}" if remedy else words


def number(reasons: list[str]) -> str:
    """Return how many files these are, in words: a folder that can't be opened may hold any number of them.

    >>> number(["empty file"]), number(["empty file", "a link to a folder"])
    ('1 file', '2 files or folders')
    """
    folders = any("folder" in reason.split(" (")[0].split(" of ")[0] for reason in reasons)
    what = ("file" if len(reasons) == 1 else "files") + (" or folders" if folders and len(reasons) > 1 else "")
    return f"{len(reasons)} {'folder' if folders and len(reasons) == 1 else what}"


def were(reasons: list[str]) -> str:
    """Return the verb that goes with :func:`number`."""
    return "was" if len(reasons) == 1 else "were"


def in_words(missed: pd.DataFrame) -> str:
    """Say how many files were not looked at and why, as the rest of a sentence; "" where there are none.

    ``missed`` is :attr:`skinlib.data.dataset.DataSet.missed`: path and reason.
    """
    reasons = missed.reason.tolist()
    if not reasons:
        return ""
    return f"{number(reasons)} {were(reasons)} not looked at; the commonest reason: {commonest(reasons)}"


def summary(missed: pd.DataFrame) -> dict:
    """Return the same for JSON: number, how many for each reason and in each folder, and the files, path and reason."""
    folders = missed.path.str.rpartition("/")[0].replace("", ".") if len(missed) else missed.path
    return {
        "number": len(missed),
        "reasons": dict(Counter(missed.reason.tolist()).most_common()),
        "folders": dict(sorted(Counter(folders.tolist()).items())),
        "files": missed.to_dict("records"),
    }
