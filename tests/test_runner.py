"""The runner of one machine: in order, bounded, and stopped by the first error."""

import threading
import time

import numpy as np
import pytest

from skinlib.base import files, runner


def test_results_come_in_the_order_of_the_items():
    def slow_first(item):
        time.sleep(0.02 if item == 0 else 0)
        return item * item

    assert list(runner.threads(lambda: slow_first, range(50))) == [item * item for item in range(50)]


def test_the_worker_is_made_once_and_not_for_nothing():
    made = []

    def make():
        made.append(1)
        return str

    assert list(runner.threads(make, [])) == [] and not made
    assert list(runner.threads(make, iter([1, 2, 3]))) == ["1", "2", "3"] and len(made) == 1


def test_items_are_taken_only_a_little_ahead(monkeypatch):
    monkeypatch.setattr(runner, "AHEAD", 5)
    taken = []

    def items():
        for item in range(100):
            taken.append(item)
            yield item

    results = runner.threads(lambda: lambda item: item, items())
    assert next(results) == 0 and len(taken) <= 6
    assert list(results) == list(range(1, 100))


def test_an_error_comes_out_and_ends_the_work(monkeypatch):
    monkeypatch.setattr(runner, "AHEAD", 4)
    done = []

    def worker(item):
        if item == 3:
            raise ValueError("three")
        done.append(item)
        return item

    with pytest.raises(ValueError, match="three"):
        list(runner.threads(lambda: worker, range(1000)))
    assert len(done) < 20


def test_all_cores_are_used(monkeypatch):
    monkeypatch.setattr(runner, "cores", lambda: 3)
    meeting = threading.Barrier(3, timeout=10)  # opens only where three workers wait at a time
    assert list(runner.threads(lambda: lambda item: meeting.wait() >= 0, range(3))) == [True] * 3


def test_array_on_disk_leaves_no_file_and_keeps_its_numbers(tmp_path):
    array = files.array_on_disk((3, 4), np.float32, tmp_path / "new")
    assert not array.any() and type(array) is np.ndarray
    array[1] = 7
    assert array.sum() == 28
    assert not list((tmp_path / "new").iterdir())
    assert files.array_on_disk((0, 4), np.float32, tmp_path).shape == (0, 4)
