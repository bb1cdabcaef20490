"""A run that somebody hands over: whatever is wrong with a file of it is told in a line, and nothing is made of it."""

import io
import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest

from skinlib.__main__ import main
from skinlib.base.errors import InputError
from skinlib.data.classes import Classes
from skinlib.data.conditions import KEYS
from skinlib.judge import evaluate
from skinlib.learn.runs import PARTS, Run


@pytest.fixture
def copy(run, tmp_path):
    """Return a copy of a run, of which nobody wrote down what its files hold, so that only what they say can tell."""
    folder = tmp_path / "copy"
    shutil.copytree(run.path, folder)
    write(folder, "provenance.json", json.dumps({**run.provenance, "files": {}}))
    return folder


def write(folder, part, content):
    """Put a text, bytes, a folder (...) or nothing (None) in a file's place."""
    (folder / part).unlink()
    if content is ...:
        (folder / part).mkdir()
    elif isinstance(content, bytes):
        (folder / part).write_bytes(content)
    elif content is not None:
        (folder / part).write_text(content, "utf-8")


def cell(row, column, value):
    """Return what puts a value into a table of predictions, its row and column by number."""

    def change(text):
        table = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False)
        table.iloc[row, column] = value
        return table.to_csv(index=False)

    return change


def lines(change):
    """Return what changes the lines of a text."""
    return lambda text: "".join(change(text.splitlines(keepends=True)))


def values(change):
    """Return what changes the content of a JSON text."""
    return lambda text: json.dumps(change(json.loads(text)))


ANYTHING = {
    "empty": lambda text: "",
    "no text": lambda text: b"\xff\xfe\x00bin",
    "zeros": lambda text: b"\0" * 100,
    "a folder": lambda text: ...,
    "gone": lambda text: None,
}
TABLES = {
    "header only": lines(lambda text: text[:1]),
    "semicolons": lambda text: text.replace(",", ";"),
    "a column less": lines(lambda text: [line.partition(",")[2] for line in text]),
    "a column more": lines(lambda text: [line.strip() + ",1\n" for line in text]),
    "a row too long": lines(lambda text: [*text, text[-1].strip() + ",1,1\n"]),
    "other names": lines(lambda text: [text[0].upper(), *text[1:]]),
}
PREDICTIONS = {
    **TABLES,
    "rows gone": lines(lambda text: text[:20]),
    "a row twice": lines(lambda text: [*text, text[-1]]),
    "text for a number": cell(3, 7, "much"),
    "nothing for a number": cell(3, 7, ""),
    "nan": cell(3, 7, "nan"),
    "inf": cell(3, 7, "inf"),
    "negative": cell(3, 7, "-0.5"),
    "sum": cell(3, 7, "7"),
    "another class": cell(2, 3, "plague"),
    "another answer": cell(2, 4, "plague"),
    "another split": cell(2, 2, "exam"),
    "no photo": cell(2, 1, ""),
    "a path twice": lambda text: cell(2, 0, text.splitlines()[1].split(",")[0])(text),
}
JSONS = {
    "a list": lambda text: "[1, 2]",
    "a number": lambda text: "3",
    "null": lambda text: "null",
    "a text": lambda text: '"run"',
    "cut": lambda text: text[: len(text) // 2],
    "deep": lambda text: "[" * 100_000,
}
PROVENANCE = {
    **JSONS,
    "nothing in it": lambda text: "{}",
    "a list in it": values(lambda all_of_it: all_of_it | {"data": ["sample"]}),
    "no seed": values(lambda all_of_it: all_of_it | {"seed": None}),
    "half a seed": values(lambda all_of_it: all_of_it | {"seed": 1.5}),
    "files of another shape": values(lambda all_of_it: all_of_it | {"files": ["model.keras"]}),
    "another photo": values(lambda all_of_it: all_of_it | {"photos": {"files": 3}}),
}
METRICS = {
    **JSONS,
    "a number in it": values(lambda all_of_it: all_of_it | {"test": 0.9}),
    "text in it": values(lambda all_of_it: all_of_it | {"test": all_of_it["test"] | {"correct": "most"}}),
}
LABELS = {
    **JSONS,
    "no classes": lambda text: "[]",
    "a key more": values(lambda all_of_it: [one | {"cure": "rest"} for one in all_of_it]),
    "a number for a name": values(lambda all_of_it: [one | {"key": 1} for one in all_of_it]),
    "a class twice": values(lambda all_of_it: all_of_it[:1] + all_of_it[:-1]),
    "other classes": values(lambda all_of_it: [one | {"key": one["key"] + "s"} for one in all_of_it]),
}
DAMAGES = [
    (part, name, change)
    for part, changes in {
        "predictions.csv": ANYTHING | PREDICTIONS,
        "history.csv": ANYTHING | TABLES,
        "provenance.json": ANYTHING | PROVENANCE,
        "metrics.json": ANYTHING | METRICS,
        "labels.json": ANYTHING | LABELS,
    }.items()
    for name, change in changes.items()
]


def damage(folder, part, change):
    write(folder, part, change((folder / part).read_text("utf-8")))


@pytest.mark.parametrize(("part", "name", "change"), DAMAGES, ids=[f"{part}-{name}" for part, name, _ in DAMAGES])
def test_every_damage_is_told(copy, part, name, change):
    damage(copy, part, change)
    with pytest.raises(InputError, match="train") as caught:
        Run(copy)
    assert "\n" not in str(caught.value) and re.search(
        r"is damaged \(.+\): train the run again|is missing", str(caught.value)
    )


def commands(folder, out, photo):
    """Return every call that reads a run."""
    return {
        "evaluate": ["evaluate", folder],
        "evaluate, to a file": ["evaluate", folder, "--json", out],
        "export": ["export", folder, "--out", out],
        "predict": ["predict", folder, photo],
        "app": ["app", folder],
    }


@pytest.mark.parametrize("command", list(commands("", "", "")))
@pytest.mark.parametrize("part", PARTS)
def test_every_command_tells_it_in_a_line(run, tmp_path, sample, part, command, capsys):
    shutil.copytree(run.path, tmp_path / "copy")
    write(tmp_path / "copy", part, "no such thing")
    photo = sample.path(sample.photos.path[0])
    assert main([str(word) for word in commands(tmp_path / "copy", tmp_path / "out", photo)[command]]) == 2
    out, error = capsys.readouterr()
    assert not out and re.fullmatch(rf"skinlib: \S+{part} is damaged \(.+\): train the run again\n", error)
    assert not (tmp_path / "out").exists()


def test_a_network_that_nobody_can_open_is_told_when_it_is_asked(copy, sample, capsys):
    write(copy, "model.keras", b"no such thing")
    assert main(["predict", str(copy), str(sample.path(sample.photos.path[0]))]) == 2
    assert "model.keras is damaged" in capsys.readouterr().err


def test_comparing_and_training_tell_it_too(run, copy, sample, tiny_settings, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SKINLIB_CACHE", str(tiny_settings.cache))
    write(copy, "predictions.csv", "path,condition\n")
    assert main(["evaluate", str(run.path), "--against", str(copy)]) == 2
    assert "predictions.csv is damaged (its columns are path, condition): train" in capsys.readouterr().err
    call = ["train", str(sample.root), "--out", str(copy), "--backbone", "tiny", "--split", "official"]
    assert main(call) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert "is damaged" in error and error.endswith("choose another folder, or remove it")


@pytest.mark.parametrize("part", PARTS[:-1])
def test_what_was_changed_after_the_training_is_told(run, tmp_path, part):
    """A run says what its files held: a table that was made better, or a network that was exchanged, shows."""
    shutil.copytree(run.path, tmp_path / "run")
    with (tmp_path / "run" / part).open("ab") as file:
        file.write(b" ")
    with pytest.raises(InputError, match=rf"{part} is damaged \(it is not what was written\): train the run again"):
        Run(tmp_path / "run")


def test_the_terminal_and_the_file_say_the_same_of_a_run_of_an_older_version(copy, tmp_path, capsys):
    """Neither provenance nor metrics tell that the table is another: then all numbers come from the table."""
    table = Run(copy).predictions
    test = table.split == "test"
    table.loc[test, list(KEYS)] = np.eye(len(KEYS))[[KEYS.index(key) for key in table.condition[test]]]
    table.loc[test, "predicted"] = table.condition[test]
    write(copy, "predictions.csv", table.to_csv(index=False))
    assert main(["evaluate", str(copy)]) == 2, "metrics.json counts others"
    assert "metrics.json is damaged (its correct in test are not those of predictions.csv)" in capsys.readouterr().err
    write(copy, "metrics.json", json.dumps(evaluate.metrics(table)))
    assert main(["evaluate", str(copy), "--json", str(tmp_path / "metrics.json")]) == 0
    judged = json.loads((tmp_path / "metrics.json").read_text("utf-8"))
    assert judged == evaluate.metrics(table)
    photos = judged["test"]["photos"]
    assert f"      test: {photos}/{photos} right, accuracy 1.0000" in capsys.readouterr().out


def test_a_network_of_other_classes_is_told(copy):
    handed = Run(copy)
    vars(handed)["classes"] = Classes(handed.classes.members[:-1])
    with pytest.raises(InputError, match=r"model.keras is damaged \(it knows 8 classes, labels.json 7\)"):
        _ = handed.model
