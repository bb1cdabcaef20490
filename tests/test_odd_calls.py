"""Every command with whatever a person may give it: an answer, or one line and an exit code; never a traceback.

In this process, with the tests' small backbone. A spread of the calls is tried each time, all of them by the slow
tests, which print how many there were.
"""

import contextlib
import io
import sys
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import odd
import pytest
from hostile import files
from odd import Call

from skinlib.__main__ import main


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("odd")


@pytest.fixture(scope="module")
def good(grouped_run, exported, sample, place) -> dict[str, str]:
    """Return, by name, a run, an export, a folder of photos and a photo that nothing is wrong with."""
    photo = str(sample.path(sample.photos.path[0]))
    return {"run": str(grouped_run.path), "export": str(exported.folder), "data": str(sample.root), "photo": photo}


@pytest.fixture(scope="module")
def calls(place, good) -> list[Call]:
    return [*_on_folders(place), *_on_runs(place, good), *_on_targets(place, good), *_on_values(place, good),
            *_on_photos(place, good)]  # fmt: skip


def _on_folders(place) -> Iterator[Call]:
    for number, (what, folder) in enumerate(odd.folders(place / "folders")):
        out = place / "out" / f"{number}"
        data = str(folder)
        yield Call(what, ("audit", data))
        files = ("--json", f"{out}.json", "--splits", f"{out}.csv", "--sheets", f"{out}-sheets")
        yield Call(what, ("audit", data, *files))
        yield Call(what, ("croissant", data, "--out", f"{out}-croissant.json"))
        for split in ("grouped", "official"):
            run = f"{out}-{split}"
            yield Call(what, ("train", data, "--out", run, "--split", split, "--epochs", "1"))
            yield Call(what, ("evaluate", run))
            yield Call(what, ("export", run, "--out", f"{run}-export", "--data", data))
        yield Call(what, ("results", data, "--out", f"{out}-results", "--weights", "untrained"))


def _on_runs(place, good) -> Iterator[Call]:
    for number, (what, run) in enumerate(odd.runs(Path(good["run"]), place / "runs")):
        yield Call(what, ("evaluate", str(run)))
        yield Call(what, ("evaluate", good["run"], "--against", str(run)))
        yield Call(what, ("predict", str(run), good["photo"]))
        yield Call(what, ("export", str(run), "--out", str(place / "exports" / f"{number}"), "--data", good["data"]))
        yield Call(what, ("train", good["data"], "--out", str(run), "--split", "grouped"))
    for what, export in _exports(Path(good["export"]), place / "damaged exports"):
        yield Call(what, ("predict", str(export), good["photo"]))
        yield Call(what, ("predict", str(export), good["photo"], "--json"))
        yield Call(what, ("app", str(export), "--port", "7860"))


def _exports(export: Path, place: Path) -> Iterator[tuple[str, Path]]:
    for part in sorted(file.name for file in export.iterdir() if file.is_file() and not file.name.startswith(".")):
        for what, damage in odd.DAMAGES.items():
            copy = odd.copy_of(export, place, part, what)
            (copy / part).write_bytes(damage((export / part).read_bytes()))
            yield f"{part}: {what}", copy


def _on_targets(place, good) -> Iterator[Call]:
    for what, target in odd.targets(place / "targets"):
        yield Call(what, ("sample", "--out", str(target), "--per-class", "1"))
        yield Call(what, ("audit", good["data"], "--json", str(target)))
        yield Call(what, ("audit", good["data"], "--splits", str(target)))
        yield Call(what, ("audit", good["data"], "--sheets", str(target)))
        yield Call(what, ("croissant", good["data"], "--out", str(target)))
        yield Call(what, ("train", good["data"], "--out", str(target), "--split", "grouped", "--epochs", "1"))
        yield Call(what, ("evaluate", good["run"], "--json", str(target)))
        yield Call(what, ("export", good["run"], "--out", str(target), "--data", good["data"]))
        yield Call(what, ("fetch", "--out", str(target)))


def _on_values(place, good) -> Iterator[Call]:
    takes = {
        "train": ("train", good["data"], "--out", str(place / "values")),
        "sample": ("sample", "--out", str(place / "values")),
        "audit": ("audit", good["data"]),
        "results": ("results", good["data"], "--out", str(place / "values")),
        "cache": ("cache",),
    }
    options = {
        "train": ("--seed", "--epochs", "--batch-size", "--bits", "--fine-tune", "--augment", "--split", "--weights",
                  "--backbone"),
        "sample": ("--seed", "--per-class"), "audit": ("--seed",), "results": ("--seed", "--weights"),
        "cache": ("--prune",),
    }  # fmt: skip
    for command, names in options.items():
        for name in names:
            for value in odd.VALUES[name]:
                yield Call(f"{name} {value}", (*takes[command], name, value))


def _on_photos(place, good) -> Iterator[Call]:
    for file in files(place / "hostile", 70):
        yield Call(f"{file.kind}: {file.why}", ("predict", good["run"], file.path))
        yield Call(f"{file.kind}: {file.why}", ("predict", good["export"], file.path, "--json"))


def outcome(call: Call) -> tuple[str, str]:
    """Make a call; return what is wrong with how it ended, "" where nothing is, and the last line that it said."""
    out, err = io.StringIO(), io.StringIO()
    wrong, code = "", None
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), warnings.catch_warnings():
        warnings.simplefilter("always")
        for kind in (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning):
            warnings.simplefilter("ignore", kind)  # as Python does for whoever runs a command
        try:
            code = main([*call.arguments])
        except SystemExit as end:
            code = end.code
        except BaseException:  # whatever it is, it is what this looks for
            wrong = traceback.format_exc(limit=-3)
    lines = err.getvalue().strip().splitlines()
    if not wrong and code not in (0, 1, 2):
        wrong = f"exit code {code}"
    if not wrong and code and not any(line.strip() for line in lines):
        wrong = "no word why"
    for word in ("Traceback", "Warning"):
        if not wrong and word in err.getvalue():
            wrong = f"{word}:\n{err.getvalue()[-600:]}"
    if not wrong and sum(line.startswith("skinlib: ") for line in lines) > 1 and call.arguments[0] != "predict":
        wrong = "more than a line"
    return wrong, (lines or out.getvalue().strip().splitlines() or [""])[-1]


@pytest.fixture(autouse=True)
def surroundings(monkeypatch, tiny_settings, tmp_path):
    """The shared cache, the small backbone, and an app that is made and not served."""
    monkeypatch.setenv("SKINLIB_CACHE", str(tiny_settings.cache))
    monkeypatch.setenv("SKINLIB_BACKBONE", tiny_settings.backbone)
    from skinlib.serve import app

    monkeypatch.setattr(app, "launch", lambda model, port: app.build(model).close())


def try_all(calls: list[Call]) -> None:
    by_command, wrong = Counter(), []
    for call in calls:
        by_command[call.arguments[0]] += 1
        fault, last = outcome(call)
        if fault:
            wrong.append(f"{call.what}\n  {' '.join(call.arguments)}\n  {fault}\n  {last}")
    counts = ", ".join(f"{number} {command}" for command, number in by_command.items())
    print(f"{sum(by_command.values())} calls ({counts}): {len(wrong)} wrong", file=sys.__stdout__)
    assert not wrong, f"{len(wrong)} of {len(calls)} calls:\n" + "\n".join(wrong)


@pytest.mark.long
def test_a_spread_of_calls(calls):
    try_all(calls[::12])


@pytest.mark.slow
def test_all_calls(calls):
    try_all(calls)
