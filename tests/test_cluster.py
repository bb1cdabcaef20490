"""The runner of many machines: a Ray cluster of two workers gives what the threads of one process give, to the bit."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from skinlib.__main__ import main
from skinlib.audit.copies import audit
from skinlib.base import runner
from skinlib.base.errors import SkinlibError
from skinlib.base.store import Store
from skinlib.data import reading
from skinlib.data.conditions import CONDITIONS
from skinlib.learn import extraction
from skinlib.scale import cluster
from skinlib.serve.exported import answer_files

pytestmark = pytest.mark.slow

two = partial(cluster.ray, workers=2)


@pytest.fixture(scope="module", autouse=True)
def two_workers():
    """Start one cluster for all tests here: to start one takes seconds."""
    import ray

    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_BACKEND_LOG_LEVEL": "fatal"}
    cluster._start(ray, 2, "local")
    yield
    ray.shutdown()


def test_results_come_in_order_from_processes_of_one_core():
    def make():
        return lambda item: (item * item, os.getpid(), runner.cores())

    squares, processes, cores = zip(*two(make, range(60)), strict=True)
    assert list(squares) == [item * item for item in range(60)]
    assert os.getpid() not in processes and set(cores) == {1}
    assert list(two(make, [])) == []


def test_an_error_of_a_worker_comes_out_as_it_is():
    def make():
        def fails(item):
            if item == 20:
                raise reading.PhotoError("photo 20", "empty file", "leave it out")
            return item

        return fails

    with pytest.raises(reading.PhotoError, match=r"^photo 20: empty file: leave it out$") as caught:
        list(two(make, range(40)))
    assert caught.value.path == "photo 20" and caught.value.reason == "empty file"


def test_an_error_of_make_comes_out_as_it_is():
    def make():
        raise SkinlibError("the weights are gone: fetch them again")

    with pytest.raises(SkinlibError, match=r"^the weights are gone: fetch them again$"):
        list(two(make, range(40)))


@pytest.mark.parametrize("holds_lock", [False, True])
def test_an_error_that_cannot_travel_is_told_in_one_line(holds_lock):
    def make():
        class Unreadable(Exception):
            """Can be pickled, but not read again: it takes two things and keeps one."""

            def __init__(self, what, where):
                super().__init__(f"{what} in {where}")

        def fails(item):
            error = Unreadable("a hole", "the disk\nof this machine")
            if holds_lock:  # then it can't even be pickled
                error.lock = threading.Lock()
            raise error

        return fails

    with pytest.raises(SkinlibError, match=r"^Unreadable: a hole in the disk$"):
        list(two(make, range(3)))


def test_more_items_than_one_pipeline_takes_in(monkeypatch):
    monkeypatch.setattr(cluster, "WINDOW", 20)
    taken = []

    def items():
        for item in range(50):
            taken.append(item)
            yield item

    results = two(lambda: lambda item: -item, items())
    assert next(results) == 0 and len(taken) == 20, "no more is taken in than one pipeline's worth"
    assert list(results) == [-item for item in range(1, 50)]


def test_relative_names_mean_what_they_mean_here(tmp_path, monkeypatch):
    (tmp_path / "note").write_text("found")
    monkeypatch.chdir(tmp_path)
    assert list(two(lambda: lambda name: Path(name).read_text(), ["note"])) == ["found"]


def test_a_killed_worker_costs_only_time(tmp_path):
    def make():
        def slow(item, folder=tmp_path):
            (folder / str(os.getpid())).touch()
            time.sleep(0.05)
            return np.sqrt(item)

        return slow

    results = two(make, range(200))
    first = next(results)
    victims = [int(file.name) for file in tmp_path.iterdir()]
    os.kill(victims[0], signal.SIGKILL)
    np.testing.assert_array_equal([first, *results], np.sqrt(np.arange(200)))
    assert len(list(tmp_path.iterdir())) > len(victims), "another process took over"


def test_features_are_the_same_to_the_bit(sample, resnet_weights, tmp_path):
    """By ResNet50: the workers know the package's backbones, and none that this process has registered."""
    paths, layer = sample.photos.path[:20], resnet_weights.backbone.last_stage
    rows = extraction.features(replace(sample, store=Store(tmp_path)), resnet_weights, layer, paths, runner=two)
    np.testing.assert_array_equal(rows, extraction.features(sample, resnet_weights, layer, paths))


def test_the_audit_finds_the_same(sample, tmp_path):
    again, before = audit(replace(sample, store=Store(tmp_path)), two), audit(sample)
    for table in ("photos", "pairs", "doubtful"):
        assert getattr(again, table).equals(getattr(before, table))
    assert len(again.pairs), "there was something to find"


def test_predictions_are_the_same(sample, exported, tmp_path):
    wrong = tmp_path / "wrong.jpg"
    wrong.write_text("no photo")
    files = [*map(sample.path, sample.photos.path[:20]), wrong]
    answers = list(answer_files(exported.folder, files))
    assert list(answer_files(exported.folder, files, two)) == answers
    assert [answer["path"] for answer in answers] == [str(file) for file in files]
    assert answers[-1] == {"path": str(wrong), "error": "a text, no photo"}
    assert answers[0]["probabilities"] == exported.answer(exported.read(files[0])).as_dict()["probabilities"]


def skinlib(*arguments, capsys):
    """Run a command in this process; return its exit code, what it printed and its errors."""
    code = main(list(map(str, arguments)))
    return code, *capsys.readouterr()


def test_the_command_line_takes_a_cluster(sample, exported, resnet_weights, tmp_path, monkeypatch, capsys):
    photos, weights_file = tmp_path / "photos", tmp_path / "resnet.weights.h5"
    for condition in CONDITIONS.keys[:2]:
        for split in ("train_set", "test_set"):
            place = f"{split}/{CONDITIONS[condition].folder}"
            shutil.copytree(sample.root / place, photos / place)
    backbone = resnet_weights.backbone.build(None)
    backbone.set_weights(resnet_weights.arrays)
    backbone.save_weights(weights_file)
    outcomes = {}
    for name, more in (("threads", []), ("cluster", ["--cluster", "local"])):
        monkeypatch.setenv("SKINLIB_CACHE", str(tmp_path / f"cache-{name}"))
        report_file, trained = tmp_path / f"{name}.json", tmp_path / f"run-{name}"
        assert skinlib("audit", photos, "--json", report_file, *more, capsys=capsys)[0] == 0
        options = ["--weights", weights_file, "--epochs", "1", "--out", trained]
        assert skinlib("train", photos, *options, *more, capsys=capsys)[0] == 0
        photo = sample.path(sample.photos.path[0])
        answered = skinlib("predict", exported.folder, photo, "--json", *more, capsys=capsys)
        report = json.loads(report_file.read_text())
        del report["seconds"]
        outcomes[name] = report, (trained / "predictions.csv").read_text(), answered
    assert outcomes["threads"] == outcomes["cluster"]


def test_a_run_is_refused_on_a_cluster_in_one_line(tmp_path, capsys):
    code, _, error = skinlib("predict", tmp_path, "a.jpg", "--cluster", "local", capsys=capsys)
    assert code == 2
    assert error == f"skinlib: {tmp_path} is a run, and --cluster asks exported models: use export first\n"


def test_without_ray_one_line_says_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(SkinlibError, match=r"^Ray is not installed: pip install skinlib\[cluster\]$"):
        list(two(lambda: str, [1]))


def test_a_cluster_of_its_own_starts_and_stops_quietly(tmp_path):
    script = """
from skinlib.scale import cluster
print(*cluster.ray(lambda: lambda item: item + 1, range(5), workers=1))
import ray
assert not ray.is_initialized()
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "1 2 3 4 5\n"
    assert done.stderr == ""


def test_an_address_that_nobody_answers_is_told_soon():
    with socket.socket() as taken:  # bound, and not listening: a connection is refused
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        started = time.monotonic()
        with pytest.raises(SkinlibError, match=rf"^no Ray cluster at {address} \(.*refused\): see `ray status`$"):
            cluster._start(None, 2, address)
    assert time.monotonic() - started < cluster.PATIENCE


def test_a_cluster_out_of_reach_is_told_in_one_line(monkeypatch):
    monkeypatch.setattr(socket, "create_connection", lambda *_: socket.socket())

    class Nobody:
        def init(self, **settings):
            raise ConnectionError("nobody answers\nthere\nreally")

    with pytest.raises(SkinlibError, match=r"^no Ray cluster at far:6379 \(nobody answers\): see `ray status`$"):
        cluster._start(Nobody(), 2, "far:6379")
