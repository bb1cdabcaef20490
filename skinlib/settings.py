"""What a run may choose: data, weights, speed, seed and where to keep things.

Each choice is read once, from an argument or else from the environment:

=================== ============================================================ ==========
variable            meaning                                                      default
=================== ============================================================ ==========
``SKINLIB_DATA``    ``sample``, ``clinical``, or a folder with ``train_set/``    ``sample``
                    and ``test_set/``
``SKINLIB_WEIGHTS`` ``auto``, ``imagenet``, ``untrained``, or a weights file     ``auto``
``SKINLIB_SPEED``   ``full``, or ``quick`` for a smaller sample                  ``full``
``SKINLIB_SEED``    any whole number from 0 to 2**32 - 1                         ``0``
``SKINLIB_CACHE``   folder for drawn, downloaded and computed things             the user's
                                                                                 cache
=================== ============================================================ ==========
"""

import os
import platform
from dataclasses import dataclass, fields
from importlib import metadata
from pathlib import Path

import platformdirs

import skinlib

SPEEDS = {"full": 50, "quick": 12}
"""Photos drawn per condition for the sample, by speed."""

SHAPERS = ("numpy", "opencv-python-headless", "scikit-learn", "keras", "tensorflow", "openvino")
"""Installed packages whose version can change a result."""


class SkinlibError(Exception):
    """A failure told in one line: what is wrong, with which file, and what to do."""

    exit_code = 1


class InputError(SkinlibError):
    """The caller gave something that can't be used. The command line exits with 2."""

    exit_code = 2


@dataclass(frozen=True)
class Settings:
    """The choices of one run. Use :func:`load` to make one."""

    data: str = "sample"
    weights: str = "auto"
    speed: str = "full"
    seed: int = 0
    cache: Path = Path(platformdirs.user_cache_dir("skinlib", appauthor=False))

    @property
    def per_class(self) -> int:
        """Photos per condition in the sample."""
        return SPEEDS[self.speed]


def load(**choices) -> Settings:
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


def versions() -> dict[str, str]:
    """Return the versions that can change a result: Python's, skinlib's and those of :data:`SHAPERS`."""
    packages = {package: metadata.version(package) for package in SHAPERS}
    return {"Python": platform.python_version(), "skinlib": skinlib.__version__, **packages}
