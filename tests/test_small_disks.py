"""Disks that are too small, for each command and each place that it writes to: one line that says so, nothing half."""

import resource
import shutil
import subprocess

import numpy as np
import pytest

from skinlib.__main__ import main
from skinlib.audit.guess import feature_index
from skinlib.audit.sketch import sketch
from skinlib.base.targets import ROOM
from skinlib.learn.runs import Run

AUDIT, SAMPLE = ["audit", "PHOTOS"], ["sample", "--per-class", "5", "--out"]
TRAIN = ["train", "PHOTOS", "--epochs", "1", "--split", "grouped", "--out"]
EXPORT, CROISSANT = ["export", "RUN", "--data", "PHOTOS", "--out"], ["croissant", "PHOTOS", "--out"]
CASES = {
    "cache": [
        (8, AUDIT), (1024, AUDIT), (512, ["audit", "sample"]), (1024, [*CROISSANT, "OUT"]), (1024, [*TRAIN, "OUT"]),
        (64, [*EXPORT, "OUT"]),
    ],
    "target": [
        (8, [*SAMPLE, "DISK/out"]), (512, [*SAMPLE, "DISK/out"]), (8, [*TRAIN, "DISK/out"]), (64, [*TRAIN, "DISK/out"]),
        (8, [*EXPORT, "DISK/out"]), (256, [*EXPORT, "DISK/out"]), (4, [*CROISSANT, "DISK/out"]),
        (4, [*AUDIT, "--sheets", "DISK/out"]), (4, [*AUDIT, "--json", "DISK/out"]),
    ],
    "temporary files": [(8, [*EXPORT, "OUT"]), (64, [*EXPORT, "OUT"])],
}  # fmt: skip
"""What is on the small disk, its kilobytes, and the command."""


@pytest.mark.long
@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    ("where", "kilobytes", "command"), [(where, *case) for where, cases in CASES.items() for case in cases]
)
def test_a_disk_that_is_too_small(
    where, kilobytes, command, disk, sample, grouped_run, exported, tiny_settings, tmp_path, monkeypatch, capfd
):
    place = disk(kilobytes)
    cache = {"cache": place / "cache", "target": tiny_settings.cache}.get(where, tmp_path / "cache")
    if where == "temporary files":  # all is there but the export itself
        shutil.copytree(tiny_settings.cache, cache, ignore=shutil.ignore_patterns("exports"))
        monkeypatch.setattr("tempfile.tempdir", str(place))
    for name, value in {"CACHE": str(cache), "SPEED": "quick", "BACKBONE": tiny_settings.backbone}.items():
        monkeypatch.setenv(f"SKINLIB_{name}", value)
    out = tmp_path / "out"
    names = {"PHOTOS": sample.root, "RUN": grouped_run.path, "OUT": out, "DISK/out": place / "out"}
    arguments = [str(names.get(word, word)) for word in command]
    if where == "target" and "--json" in command:
        (place / "filled").write_bytes(bytes(4096))
    assert main(arguments) == 1
    lines = [line for line in capfd.readouterr().err.splitlines() if not line.startswith(("left out", "note:"))]
    assert len(lines) == 1 and "No space left on device" in lines[0] and str(place) in lines[0]
    assert not out.exists() and not (place / "out").exists()
    assert not [path for path in tmp_path.rglob("*") if ROOM.fullmatch(path.name)], "a draft was left behind"


@pytest.mark.slow
def test_after_it_the_same_command_makes_the_same(disk, sample, grouped_run, tiny_settings, tmp_path, monkeypatch):
    place = disk(1024)
    for name, value in {"CACHE": str(place / "cache"), "BACKBONE": tiny_settings.backbone}.items():
        monkeypatch.setenv(f"SKINLIB_{name}", value)
    command = ["train", str(sample.root), "--split", "grouped", "--out", str(tmp_path / "run")]
    assert main(command) == 1
    subprocess.run(["mount", "-o", "remount,size=64m", str(place)], check=True)
    assert main(command) == 0
    assert Run(tmp_path / "run").metrics == grouped_run.metrics


def test_an_index_that_does_not_fit_is_told_as_the_system_tells_it(tmp_path):
    """The library itself has one error for all that the system may refuse."""
    photo = np.random.default_rng(0).integers(0, 256, (128, 128, 3), np.uint8)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4000, before[1]))
    try:
        with pytest.raises(OSError, match="File too large") as caught:
            feature_index(lambda _: sketch(photo), np.arange(3), tmp_path / "index")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert caught.value.filename == str(tmp_path)
