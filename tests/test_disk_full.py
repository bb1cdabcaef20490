"""A disk that is full: one line that says so and names the place, and nothing half is left."""

import os
import subprocess
import sys

import pytest

from skinlib.base.store import KINDS, Store
from skinlib.data.sample import write_sample

pytestmark = [pytest.mark.slow, pytest.mark.network]


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drawn") / "sample"
    write_sample(folder, 6)
    return folder


def skinlib(*arguments, **environment) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "skinlib", *map(str, arguments)]
    return subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, timeout=300)


@pytest.mark.parametrize(("command", "megabytes"), [("audit", 1), ("audit", 2), ("train", 1), ("train", 130)])
def test_the_cache_is_full(command, megabytes, photos, disk, tmp_path):
    place = disk(1024 * megabytes)
    arguments = [command, photos] + (["--out", tmp_path / "run"] if command == "train" else [])
    done = skinlib(*arguments, SKINLIB_CACHE=str(place / "cache"), SKINLIB_WEIGHTS="untrained")
    *others, last = done.stderr.splitlines()
    assert done.returncode == 1, done.stderr
    assert "No space left on device" in last and str(place) in last and not any("Traceback" in line for line in others)
    assert not (tmp_path / "run").exists()
    left = [path for path in place.rglob("*") if path.is_file() and ".part" in str(path)]
    assert not left, "a draft was left behind"


def test_the_cache_is_whole_after_it(photos, disk):
    place = disk(30 * 1024)
    arguments = ["train", photos, "--out", place / "run"]
    environment = {"SKINLIB_CACHE": str(place / "cache"), "SKINLIB_WEIGHTS": "untrained"}
    assert skinlib(*arguments, **environment).returncode == 1
    subprocess.run(["mount", "-o", "remount,size=900m", str(place)], check=True)
    store = Store(place / "cache")
    assert {entry.kind for entry in store.entries()} <= set(KINDS)
    done = skinlib(*arguments, **environment)
    assert done.returncode == 0, done.stderr


def test_the_place_of_the_run_is_full(photos, disk, tmp_path):
    place = disk(20 * 1024)
    done = skinlib(
        "train", photos, "--out", place / "run", SKINLIB_CACHE=str(tmp_path / "cache"), SKINLIB_WEIGHTS="untrained"
    )
    assert done.returncode == 1 and "No space left on device" in done.stderr and str(place) in done.stderr
    assert list(place.iterdir()) == []


def test_the_folder_for_temporary_files_is_full(disk, tmp_path):
    photos = tmp_path / "photos"
    write_sample(photos, 12)  # enough for a clean split, which an export asks for
    place, cache = disk(1024), {"SKINLIB_CACHE": str(tmp_path / "cache"), "SKINLIB_WEIGHTS": "untrained"}
    assert skinlib("train", photos, "--split", "grouped", "--out", tmp_path / "run", **cache).returncode == 0
    export = ["export", tmp_path / "run", "--data", photos, "--out", tmp_path / "out"]
    done = skinlib(*export, **cache, TMPDIR=str(place))
    assert done.returncode == 1 and "No space left on device" in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()
    assert skinlib(*export, **cache).returncode == 0
