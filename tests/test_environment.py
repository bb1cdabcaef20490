"""Where a command runs: without a home, in another locale, called from another folder, with odd seeds."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from skinlib.base.errors import InputError
from skinlib.base.settings import MOST, Settings, anchored, load_settings

ROOT = Path(__file__).parents[1]

NAMELESS = """
import pwd, runpy, sys

def nobody(_):
    raise KeyError("uid not found")

pwd.getpwuid = nobody
runpy.run_module("skinlib", run_name="__main__", alter_sys=True)
"""
"""Runs a command as in a container: the user's number has no name, and so no home."""


def command(*words, code=None, cwd=None, **environment):
    """Run a command; return its exit code and its streams, as bytes. A variable of None is unset."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    start = ["-c", code] if code else ["-m", "skinlib"]
    done = subprocess.run(
        [sys.executable, *start, *map(os.fspath, words)], capture_output=True, cwd=cwd, timeout=120,
        env={name: value for name, value in environment.items() if value is not None},
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


# --- no home ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("home", [None, ""])
def test_without_a_home_everything_works_that_needs_none(home, tmp_path):
    nowhere = {"HOME": home, "XDG_CACHE_HOME": None, "SKINLIB_CACHE": None}
    assert command("--help", code=NAMELESS, **nowhere)[::2] == (0, b"")
    code, out, error = command("cache", code=NAMELESS, **nowhere)
    assert (code, out) == (2, b"") and re.fullmatch(rb"skinlib: .*set SKINLIB_CACHE to a folder\n", error)
    code, out, error = command("cache", code=NAMELESS, **nowhere | {"SKINLIB_CACHE": str(tmp_path / "cache")})
    assert (code, error) == (0, b"") and b"0 entries" in out
    figures = "import pwd; pwd.getpwuid = {}.__getitem__; import skinlib.figures.shared"
    assert command(code=figures, **nowhere | {"SKINLIB_CACHE": str(tmp_path / "cache")}) == (0, b"", b"")


def test_a_home_that_nobody_knows_is_told(monkeypatch):
    with pytest.raises(InputError, match="set SKINLIB_CACHE to another folder"):
        load_settings(cache="~nobody-of-this-name/cache")


# --- names ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "locale",
    [
        pytest.param({"PYTHONIOENCODING": "cp1252"}, marks=pytest.mark.slow),
        pytest.param({"PYTHONIOENCODING": "ascii"}, marks=pytest.mark.slow),
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
    ids=["cp1252", "ascii", "C"],
)
def test_every_name_is_told_in_every_locale(locale, tmp_path):
    name = "фото 日本 é"
    call = ["sample", "--out", tmp_path / name, "--per-class", "5"]
    code, out, error = command(*call, **locale)
    assert (code, error) == (0, b"") and out.count(b"40 files in ") == 1
    assert (tmp_path / name / "truth.csv").is_file(), "the name on disk is the one that was given"
    code, out, error = command("audit", tmp_path / f"{name} absent", **locale)
    assert code == 2 and not out and len(error.splitlines()) == 1 and b"no such folder" in error


@pytest.mark.slow
def test_a_folder_with_any_name_is_used_in_every_locale(tmp_path):
    folder = tmp_path / "é"
    plain = {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "SKINLIB_CACHE": str(tmp_path / "cache")}
    assert command("sample", "--out", folder, "--per-class", "5")[0] == 0
    results = [
        command("audit", folder, "--splits", tmp_path / f"{number}.csv", **plain | {"PYTHONUTF8": str(number)})[::2]
        for number in (0, 1)
    ]
    assert results == [(0, b""), (0, b"")]
    assert (tmp_path / "0.csv").read_bytes() == (tmp_path / "1.csv").read_bytes()


# --- places -----------------------------------------------------------------------------------------------------------


def test_places_are_named_from_where_a_command_is_called(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/me")
    named = {
        "SKINLIB_DATA": "my photos/", "SKINLIB_WEIGHTS": "~/w.h5", "SKINLIB_CACHE": "sample", "KERAS_HOME": "",
    }  # fmt: skip
    assert anchored(named) == {
        "SKINLIB_DATA": str(tmp_path / "my photos"),
        "SKINLIB_WEIGHTS": "/home/me/w.h5",
        "SKINLIB_CACHE": str(tmp_path / "sample"),
    }
    words = {"SKINLIB_DATA": "clinical", "SKINLIB_WEIGHTS": "untrained"}
    assert anchored(words) == words, "what is no place stays"


def test_notebooks_get_whole_places(tmp_path):
    code = "import sys; sys.path.insert(0, sys.argv[1]); import execute; print(execute.environment()['SKINLIB_CACHE'])"
    assert command(ROOT / "book", code=code, cwd=tmp_path, SKINLIB_CACHE="my cache", SKINLIB_DATA="~nobody/x") == (
        0, f"{tmp_path / 'my cache'}\n".encode(), b"",
    )  # fmt: skip


# --- seeds ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [0, 7, "7", " 7 ", MOST, str(MOST)])
def test_seeds(seed):
    assert load_settings(seed=seed).seed == int(seed)


@pytest.mark.parametrize(
    "seed", [1.9, 1.0, True, float("inf"), float("nan"), "1e3", "1.0", "", "one", -1, MOST + 1, [1]]
)
def test_what_is_no_seed_is_told(seed):
    with pytest.raises(InputError, match=r"^seed .*: use 0"):
        load_settings(seed=seed)


def test_settings_have_a_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert Settings().cache == tmp_path / "skinlib"
