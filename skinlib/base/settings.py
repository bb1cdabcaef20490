"""What a run may choose: data, weights, speed, seed and where to keep things.

Each choice is read once, from an argument or else from the environment:

=================== ============================================================ ==========
variable            meaning                                                      default
=================== ============================================================ ==========
``SKINLIB_DATA``    ``sample``, ``clinical``, or a folder with ``train_set/``    ``sample``
                    and ``test_set/``
``SKINLIB_WEIGHTS`` ``auto``, ``imagenet``, ``untrained``, or a weights file     ``auto``
``SKINLIB_BACKBONE`` name of a backbone                                          ``resnet50``
``SKINLIB_SPEED``   ``full``, or ``quick`` for a smaller sample                  ``full``
``SKINLIB_SEED``    any whole number from 0 to 2**32 - 1                         ``0``
``SKINLIB_CACHE``   folder for drawn, downloaded and computed things             the user's
                                                                                 cache
=================== ============================================================ ==========
"""

import os
from dataclasses import dataclass, fields
from pathlib import Path

import platformdirs

from skinlib.base.errors import InputError
from skinlib.base.store import Store

SPEEDS = {"full": 50, "quick": 12}
"""Photos drawn per condition for the sample, by speed."""

SPLITS = ("train", "validation", "test")
"""What photos are for: learning, choosing, judging."""


@dataclass(frozen=True)
class Settings:
    """The choices of one run. Use :func:`load_settings` to make one."""

    data: str = "sample"
    weights: str = "auto"
    backbone: str = "resnet50"
    speed: str = "full"
    seed: int = 0
    cache: Path = Path(platformdirs.user_cache_dir("skinlib", appauthor=False))

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
    for field in fields(Settings):
        value = choices.pop(field.name, None)
        if value is None:
            value = os.environ.get(f"SKINLIB_{field.name.upper()}") or field.default
        values[field.name] = value
    if choices:
        raise TypeError(f"unknown settings: {', '.join(choices)}")

    if values["speed"] not in SPEEDS:
        raise InputError(f"speed {values['speed']!r} is not known: use {' or '.join(SPEEDS)}")
    try:
        values["seed"] = int(values["seed"])
    except ValueError:
        raise InputError(f"seed {values['seed']!r} is not a whole number: use 0, 1, 2, …") from None
    if not 0 <= values["seed"] < 2**32:
        raise InputError(f"seed {values['seed']} is out of range: use 0 to {2**32 - 1}")
    values["cache"] = Path(values["cache"]).expanduser()
    return Settings(**values)
