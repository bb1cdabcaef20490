"""What a run may choose: data, weights, speed, seed and where to keep things.

Each choice is read once, from an argument or else from the environment:

=================== ============================================================ ==========
variable            meaning                                                      default
=================== ============================================================ ==========
``SKINLIB_DATA``    ``sample``, ``clinical``, or a folder of photos              ``sample``
``SKINLIB_WEIGHTS`` ``auto``, ``imagenet``, ``untrained``, or a weights file     ``auto``
``SKINLIB_BACKBONE`` name of a backbone                                          ``resnet50``
``SKINLIB_SPEED``   ``full``, or ``quick`` for a smaller sample                  ``full``
``SKINLIB_SEED``    any whole number from 0 to 2**32 - 1                         ``0``
``SKINLIB_CACHE``   folder for drawn, downloaded and computed things             the user's
                                                                                 cache
=================== ============================================================ ==========
"""

import operator
import os
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path

import platformdirs

from skinlib.base.errors import InputError
from skinlib.base.store import Store

SPEEDS = {"full": 50, "quick": 12}
"""Photos drawn per condition for the sample, by speed."""

SPLITS = ("train", "validation", "test")
"""What photos are for: learning, choosing, judging."""

MOST = 2**32 - 1
"""The greatest seed."""

PLACES = {
    "SKINLIB_DATA": ("sample", "clinical"),
    "SKINLIB_WEIGHTS": ("auto", "imagenet", "untrained"),
    "SKINLIB_CACHE": (),
    "KERAS_HOME": (),
}
"""Variables of the environment that name a file or a folder, or else one of these words."""


def home_expanded(path: Path | str) -> Path:
    """Return a path without the ~ that it begins with; as it is where nobody knows whose home is meant."""
    return Path(os.path.expanduser(path))


def anchored(environment: Mapping[str, str]) -> dict[str, str]:
    """Return those of :data:`PLACES` that are set, as they have to be for work in another folder than this one."""
    named = {name: environment[name] for name in PLACES if environment.get(name)}
    return {name: path if path in PLACES[name] else str(home_expanded(path).absolute()) for name, path in named.items()}


def user_cache() -> Path:
    """Return the folder for this user's cache. Raises InputError where no home folder is known."""
    try:
        folder = Path(platformdirs.user_cache_dir("skinlib", appauthor=False))
    except RuntimeError:  # the user has neither HOME nor a name
        folder = Path()
    homeless = os.environ.get("HOME") == "" and not os.environ.get("XDG_CACHE_HOME")
    if homeless or not folder.is_absolute():
        raise InputError("there is no home folder here to keep things in: set SKINLIB_CACHE to a folder")
    return folder


@dataclass(frozen=True)
class Settings:
    """The choices of one run. Use :func:`load_settings` to make one."""

    data: str = "sample"
    weights: str = "auto"
    backbone: str = "resnet50"
    speed: str = "full"
    seed: int = 0
    cache: Path = field(default_factory=user_cache)

    @property
    def store(self) -> Store:
        """Where everything that is computed once is kept: below the cache."""
        return Store(self.cache)

    @property
    def per_class(self) -> int:
        """Photos per condition in the sample."""
        return SPEEDS[self.speed]


def load_settings(**choices) -> Settings:
    """Return the settings of this run: each from ``choices``, else the environment, else its default.

    A choice of None counts as not made. Raises InputError, naming the remedy, for a value that can't be used.
    """
    values = {}
    for choice in fields(Settings):
        value = choices.pop(choice.name, None)
        if value is None:
            value = os.environ.get(f"SKINLIB_{choice.name.upper()}") or choice.default
        if value is MISSING:
            value = user_cache()
        values[choice.name] = value
    if choices:
        raise TypeError(f"unknown settings: {', '.join(choices)}")

    if values["speed"] not in SPEEDS:
        raise InputError(f"speed {values['speed']!r} is not known: use {' or '.join(SPEEDS)}")
    values["seed"] = _seed(values["seed"])
    values["cache"] = home_expanded(values["cache"])
    if str(values["cache"]).startswith("~"):
        raise InputError(
            f"{values['cache']} lies in a home that nobody knows here: set SKINLIB_CACHE to another folder"
        )
    return Settings(**values)


def _seed(value) -> int:
    """Return a seed as a number. Raises InputError for what is no whole number, or none from 0 to :data:`MOST`."""
    try:
        seed = int(value) if isinstance(value, str) else operator.index(value)
    except (TypeError, ValueError):
        raise InputError(f"seed {value!r} is not a whole number: use 0, 1, 2, …") from None
    if isinstance(value, bool):
        raise InputError(f"seed {value!r} is not a whole number: use 0, 1, 2, …")
    if not 0 <= seed <= MOST:
        raise InputError(f"seed {value} is out of range: use 0 to {MOST}")
    return seed
