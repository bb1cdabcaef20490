"""The examples in docstrings give what they say."""

import doctest
import importlib
from pathlib import Path

import pytest

import skinlib

PACKAGE = Path(skinlib.__file__).parent
SOURCES = sorted(path for path in PACKAGE.rglob("*.py") if ">>> " in path.read_text("utf-8"))
"""Only modules with examples are imported: TensorFlow takes seconds, and most modules have none."""


def name_of(source: Path) -> str:
    return ".".join(source.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")


@pytest.mark.parametrize("name", [name_of(source) for source in SOURCES])
def test_examples(name):
    outcome = doctest.testmod(importlib.import_module(name), raise_on_error=True)
    assert outcome.attempted > 0


def test_there_are_examples():
    assert {"skinlib.data.classes", "skinlib.data.folders"} <= set(map(name_of, SOURCES))
