"""Epochs: what is kept of them, and that a training which was stopped ends as if it never had been."""

import shutil

import numpy as np
import pandas as pd
import pytest

from skinlib.learn import fitting
from skinlib.learn.engines import keras, seeded

ROWS = np.random.default_rng(0).random((20, 6), np.float32)
LABELS = np.arange(20) % 3


def network() -> keras.Model:
    """Return a head for three classes, the same each time."""
    entry = keras.Input((6,))
    with seeded(1):
        head = keras.layers.Dense(3, activation="softmax")
    return fitting.compile_recipe(keras.Model(entry, head(entry)), 0.1)


def fitted(epochs=4, progress=None, versions=(ROWS,), validation=(ROWS[:5], LABELS[:5])):
    """Train that head on twenty rows in batches of eight."""
    return fitting.fit(network(), versions, LABELS, validation, epochs, 8, 3, "head", progress)


def assert_same(first, second):
    """Assert that two fitted networks and their histories are equal to the bit."""
    assert first[1] == second[1]
    assert all(map(np.array_equal, first[0].get_weights(), second[0].get_weights()))


@pytest.fixture(scope="module")
def straight():
    return fitted()


@pytest.fixture
def stopped(tmp_path, monkeypatch):
    """Return the progress of a training of four epochs that was stopped after its second, and what it saves since."""
    monkeypatch.setattr(fitting, "KEEP_EVERY", 0.0)
    progress, save, saved = fitting.Progress(tmp_path), fitting.Progress.save, []

    def interrupted(self, stage, history, network):
        save(self, stage, history, network)
        saved.append(len(history))
        if len(saved) == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(fitting.Progress, "save", interrupted)
        fitted(progress=progress)
    saved.clear()
    monkeypatch.setattr(fitting.Progress, "save", lambda self, *some: (saved.append(len(some[1])), save(self, *some)))
    return progress, saved


def test_every_epoch_has_a_row_and_learns(straight):
    rows = pd.DataFrame(straight[1])
    assert list(rows.columns) == ["stage", "epoch", "loss", "accuracy", "val_loss", "val_accuracy"]
    assert list(rows.epoch) == [1, 2, 3, 4] and set(rows.stage) == {"head"}
    assert rows.loss.iloc[-1] < rows.loss.iloc[0]
    loss, accuracy = straight[0].test_on_batch(ROWS[:5], np.eye(3)[LABELS[:5]])
    assert (rows.val_loss.iloc[-1], rows.val_accuracy.iloc[-1]) == pytest.approx((loss, accuracy), rel=1e-5)


def test_the_same_training_gives_the_same_bits(straight):
    assert_same(fitted(), straight)


def test_without_validation_photos_nothing_is_said_of_them():
    _, history = fitted(1, validation=(ROWS[:0], LABELS[:0]))
    assert set(history[0]) == {"stage", "epoch", "loss", "accuracy"}


def test_versions_take_turns_epoch_by_epoch():
    """The second epoch sees the second version alone: two versions that are one are no augmentation."""
    other = 1 - ROWS
    _, both = fitted(2, versions=(ROWS, other))
    _, one = fitted(2, versions=(ROWS, ROWS))
    assert both[0] == one[0] and both[1] != one[1]


def test_a_stopped_training_goes_on_and_ends_with_the_same_bits(stopped, straight):
    progress, saved = stopped
    assert_same(fitted(progress=progress), straight)
    assert saved == [3, 4], "no epoch was trained twice"
    assert [folder.name for folder in progress.folder.iterdir()] == ["head-4"], "older ones are gone"


@pytest.mark.parametrize("name", ["network.keras", "history.json"])
@pytest.mark.parametrize("damage", ["cut", "gone", "other bytes", "a folder", "all of it a file"])
def test_damaged_progress_begins_anew(damage, name, stopped, straight):
    progress, saved = stopped
    file = progress.folder / "head-2" / name
    content = file.read_bytes()
    file.unlink()
    if damage == "a folder":
        file.mkdir()
    elif damage == "all of it a file":
        shutil.rmtree(file.parent)
        file.parent.write_bytes(content)
    elif damage != "gone":
        file.write_bytes(content[: len(content) // 2] if damage == "cut" else b"7" * len(content))
    assert_same(fitted(progress=progress), straight)
    assert saved == [1, 2, 3, 4], "all epochs were trained again"
