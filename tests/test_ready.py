"""Photos that are ready for every chapter, and those that aren't: told in one line, before any work."""

import importlib
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from drawn import draw_pets, fill
from IPython.core.interactiveshell import InteractiveShell

from skinlib.base.errors import InputError
from skinlib.base.settings import load_settings
from skinlib.data import splits
from skinlib.data.opening import open_data
from skinlib.learn.ready import LEAST, open_ready

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def opened(tmp_path, sample_settings):
    """Return a function that opens a folder of ``files`` (names of tiny pictures), ready for the book."""

    def opened(*files: str, seed: int = 0):
        fill(tmp_path / "own", list(files))
        return open_ready(replace(sample_settings, data=str(tmp_path / "own"), seed=seed))

    return opened


def of(name: str, number: int, part: str = "") -> list[str]:
    return [f"{part}/{name}/{part} {i}.png".strip("/") for i in range(number)]


def test_class_folders_alone_get_test_photos_by_the_seed(opened):
    files = [*of("cats", 12), *of("dogs", 9)]
    data = opened(*files)
    counts = data.counts()
    assert data.has_test and list(counts.test) == [2, 2] and len(data.photos) == len(files)
    assert "photo_id" not in data.photos
    again, other = opened(*files), opened(*files, seed=2**32 - 1)
    assert list(again.photos.split) == list(data.photos.split) != list(other.photos.split)
    assert list(other.counts().test) == [2, 2]


def test_what_a_folder_brings_is_kept(pets_settings):
    ready, plain = open_ready(pets_settings), open_data(pets_settings)
    pd.testing.assert_frame_equal(ready.photos, plain.photos)
    assert ready.classes == plain.classes and ready.fingerprint == plain.fingerprint


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (of("cats", 30), "all are of one class, 'cats': add a folder of another class"),
        ([*of("cats", 30), *of("dogs", 1)], "Dogs has 1: add some"),
        ([*of("cats", 30), *of("dogs", 3), *of("hens", 30)], "Dogs has 3: add some"),
        ([*of("cats", 9, "train"), *of("cats", 3, "test"), *of("dogs", 9, "train")], "Dogs has 0 for test"),
        ([*of("cats", 9, "train"), *of("dogs", 9, "test")], "Cats has 0 for test"),
        ([*of("cats", 2, "train"), *of("cats", 9, "test"), *of("dogs", 9, "train")], "Cats has 2 for train"),
        ([*of("cats", 4), *of("dogs", 4)], "no class has more than 4 files"),
    ],
)
def test_too_few_photos_are_told_in_a_line(opened, files, words):
    with pytest.raises(InputError, match="too few photos for the book") as caught:
        opened(*files)
    line = str(caught.value)
    assert words in line and "\n" not in line and f"at least {LEAST} of each" in line


def test_copies_are_no_photos(tmp_path, sample_settings):
    draw_pets(tmp_path, splits=False, per_class=12)
    for number in range(1, 12):
        shutil.copyfile(tmp_path / "dogs" / "dog 00.jpg", tmp_path / "dogs" / f"dog {number:02d}.jpg")
    with pytest.raises(InputError, match="Dogs has 1: add some"):
        open_ready(replace(sample_settings, data=str(tmp_path)))


def test_a_part_of_the_sample(tmp_path, sample, sample_settings):
    """A condition's folder is gone, and truth.csv lists it still: neither is there any more."""
    gone = sample.classes["shingles"]
    shutil.copytree(sample.root, tmp_path / "part")
    for folder in (tmp_path / "part").glob(f"t*_set/{gone.folder}"):
        shutil.rmtree(folder)
    data = open_ready(replace(sample_settings, data=str(tmp_path / "part")))
    assert data.kind == "drawn" and gone.key not in data.classes.keys and len(data.classes) == 7
    assert set(data.truth.path) == {*data.photos.path, *data.left_out.path}
    shutil.rmtree(tmp_path / "part" / "masks")
    assert open_ready(replace(sample_settings, data=str(tmp_path / "part"))).truth is None


@pytest.mark.long
def test_the_sample_suffices_with_every_seed(tmp_path):
    settings = load_settings(data="sample", speed="quick", seed=2**32 - 1, cache=tmp_path)
    assert len(open_ready(settings).classes) == 8


# ---- what a reader sees of it ----------------------------------------------------------------------------------------


@pytest.fixture
def script(monkeypatch):
    """Return a function that loads a script of the book as a module."""
    monkeypatch.syspath_prepend(ROOT / "book")
    yield importlib.import_module
    for name in ("build", "execute"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("name", ["build", "execute"])
@pytest.mark.parametrize(
    ("choice", "value", "words"),
    [
        ("DATA", "few", "too few photos for the book"),
        ("DATA", "nowhere", "no such folder"),
        ("DATA", "clinical", "python -m skinlib fetch"),
        ("SEED", str(2**32), "out of range"),
        ("SPEED", "warp", "use full or quick"),
    ],
)
def test_the_book_says_it_before_any_work(script, tmp_path, monkeypatch, capsys, name, choice, value, words):
    fill(tmp_path / "few", [*of("cats", 2), *of("dogs", 2)])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SKINLIB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv(f"SKINLIB_{choice}", value)
    monkeypatch.setattr(sys, "argv", [name])
    module = script(name)
    monkeypatch.setattr(module, "BUILD", tmp_path / "_build")
    assert module.main() == 2
    said = capsys.readouterr()
    assert words in said.err and said.err.count("\n") == 1 and not said.out
    assert not (tmp_path / "_build").exists()


def test_a_notebook_shows_one_line(capsys):
    shell = InteractiveShell()
    shell.run_cell("from skinlib.base.errors import InputError\nraise InputError('photos: too few: add some')")
    said = capsys.readouterr()
    assert (said.out + said.err).strip() == "skinlib: photos: too few: add some"


# ---- the greatest seed -----------------------------------------------------------------------------------------------


def test_splits_take_the_greatest_seed(sample):
    from skinlib.audit import identified

    photos, greatest = identified(sample).photos, 2**32 - 1
    for split in (splits.official, splits.grouped):
        assert set(split(photos, greatest)) == {"train", "validation", "test"}
    dealt = list(splits.folds(photos, n_repeats=2, seed=greatest))
    assert np.sum(dealt, axis=0).tolist() == [2] * len(photos)
    assert not np.array_equal(dealt[0], dealt[5])
    assert len(splits.table(photos, greatest)) == photos.sha256.nunique()
