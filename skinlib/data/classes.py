"""The classes of a data set: what its folders are called, and how tables and figures name and colour them.

Classes belong to the data. The eight conditions of the book (:mod:`skinlib.data.conditions`) are those of the drawn
and of the clinical photos; any other folder brings its own. Introduced in chapter 1, Data exploration.
"""

import itertools
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

COLOURS = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#5E3C99", "#B8A000", "#8C510A", "#1B7837",
    "#C51B7D", "#35978F", "#762A83", "#A50026", "#4D4D4D", "#80B1D3", "#FB8072", "#B3DE69", "#BC80BD", "#FDB462",
)  # fmt: skip
"""Colours for classes that bring none: those of Okabe and Ito (2008) first, which everybody can tell apart. The
twenty-first class has the first one's again."""

GAPS = "'`\u00b4\u02bc\u02b9\u2032\u2212\u2010\u2011"
"""Apostrophes and dashes that Unicode doesn't count among its dashes and quotation marks."""

RESERVED = ("path", "photo_id", "split", "condition", "predicted", "files")
"""Columns of a table of predictions, which no class may be called."""


@dataclass(frozen=True)
class Class:
    """One of the classes that a network learns to tell apart."""

    key: str
    """Short name used in tables, files and on the command line."""
    folder: str
    """Name of the folder that holds its photos."""
    title: str
    """Name shown to people."""
    group: str = ""
    """What it belongs to, such as a disease's cause; empty where nobody said."""
    colour: str = COLOURS[0]
    """Hex colour, used for this class in every figure."""
    marks: str = ""
    """What an expert looks for, in a few words; empty where nobody said."""


@dataclass(frozen=True)
class Classes:
    """The classes of a data set or of a run, in the order of the model's outputs."""

    members: tuple[Class, ...]

    def __iter__(self) -> Iterator[Class]:
        """Iterate over the classes in their order."""
        return iter(self.members)

    def __len__(self) -> int:
        """Return how many they are."""
        return len(self.members)

    def __getitem__(self, key: str) -> Class:
        """Return the class called ``key``. Raises KeyError where there is none."""
        return self._by_key[key]

    @cached_property
    def _by_key(self) -> dict[str, Class]:
        return {one.key: one for one in self.members}

    @cached_property
    def _by_folder(self) -> dict[str, Class]:
        return {same_name(one.folder): one for one in self.members}

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """The classes' keys, in their order."""
        return tuple(one.key for one in self.members)

    def of_folder(self, folder: str) -> Class | None:
        """Return the class whose photos stand in a folder of this name, or None: see :func:`same_name`."""
        return self._by_folder.get(same_name(folder))


@lru_cache
def same_name(folder: str) -> str:
    """Return what two spellings of a folder's name have in common: capitals, spaces, dashes and _ don't count.

    Many have ``Cats`` in one split and ``cats`` in another, and the public data set has a stray space in a name. Word
    processors and web pages make dashes, spaces and apostrophes of many kinds, and signs that nobody sees. Nor does it
    count whether an accent is a character of its own, as on a Mac, or one with its letter.

    >>> same_name("Guinea- pigs") == same_name("guinea_Pigs") == same_name("Guinea\u2013pig\u2019s\u00a0")
    True
    """
    letters = (letter for letter in _composed(_composed(folder).casefold()) if not _is_gap(letter))
    return "".join(letters) or folder


def _is_gap(letter: str) -> bool:
    """Tell whether a character only stands between others: spaces, dashes, quotation marks, what nobody sees."""
    return letter in GAPS or unicodedata.category(letter) in ("Zs", "Zl", "Zp", "Pd", "Pc", "Pi", "Pf", "Cf", "Cc")


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def from_folders(folders: Iterable[str], known: Iterable[Class] = ()) -> Classes:
    """Return the classes of a data set from the names of its folders, in alphabetical order.

    A folder that is that of a class in ``known`` is this class; the others get names and colours of their own.

    >>> cats = from_folders(["Golden retriever", "cat", "Cat"])["cat"]
    >>> cats.title, cats.colour
    ('Cat', '#0072B2')
    """
    names: dict[str, str] = {}
    for folder in sorted(folders):
        names.setdefault(same_name(folder), folder)
    named = {same_name(one.folder): one for one in known}
    taken_colours = {named[name].colour for name in names if name in named}
    colours = itertools.cycle([colour for colour in COLOURS if colour not in taken_colours] or COLOURS)
    members: list[Class] = []
    for number, (name, folder) in enumerate(sorted(names.items())):
        if name in named:
            members.append(named[name])
            continue
        key = re.sub(r"\W+", "-", _composed(folder).casefold()).strip("-_") or f"class-{number + 1}"
        taken = {*RESERVED, *(one.key for one in (*members, *named.values()))}
        free = (candidate for candidate in (key, f"{key}-class", *(f"{key}-{n}" for n in range(2, 10_000))))
        key = next(candidate for candidate in free if candidate not in taken)
        title = " ".join(re.sub(r"[_-]+", " ", _composed(folder)).split()) or folder
        # Strangers choose the names of folders, and a terminal obeys some characters.
        title = "".join(character if character.isprintable() else "?" for character in title)
        members.append(Class(key, folder, title[:1].upper() + title[1:], colour=next(colours)))
    return Classes(tuple(members))
