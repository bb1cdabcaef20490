"""Photos of one's own with too little in them: a line before any work, or a result that says what it can't judge."""

import warnings

import pytest
from drawn import fill, tiny

from skinlib.__main__ import main
from skinlib.base.settings import Settings
from skinlib.data import splits
from skinlib.data.opening import open_data


def many(split: str, kind: str, number: int) -> list[str]:
    return [f"{split}{kind}/{i}.png" for i in range(number)]


BOTH = [f"{split}/{kind}/{i}.png" for split in ("train", "test") for kind in ("cat", "dog") for i in range(8)]
FOLDERS = {
    "two classes": [
        *many("train/", "cat", 8),
        *many("train/", "dog", 8),
        *many("test/", "cat", 3),
        *many("test/", "dog", 3),
    ],
    "one class": [*many("train/", "cat", 8), *many("test/", "cat", 3)],
    "few": [*many("train/", "cat", 3), *many("train/", "dog", 4), *many("test/", "cat", 1), *many("test/", "dog", 1)],
    "two of each": [*many("", "cat", 2), *many("", "dog", 2)],
    "one of each": [*many("", "cat", 1), *many("", "dog", 1)],
    "one photo": dict.fromkeys(BOTH, tiny("x")),
    "two labels": {name: tiny(name if name.startswith("train") else name[-5:]) for name in BOTH},
    "disjoint": [
        *many("train/", "cat", 8),
        *many("train/", "dog", 8),
        *many("test/", "bird", 4),
        *many("test/", "fish", 4),
    ],
    "test alone": [*many("test/", "cat", 6), *many("test/", "dog", 6)],
    "validation": [
        *many("train/", "cat", 5),
        *many("train/", "dog", 5),
        *many("val/", "cat", 2),
        *many("val/", "dog", 2),
    ],
}
SAME = "all {} training files show one and the same photo"
OFFICIAL = "these photos have no official test photos: use the split 'grouped'"
LINES = {
    # For each command the line with which it refuses; a command that is absent succeeds.
    "one class": dict.fromkeys(["official", "grouped", "results"], "all training photos are of one class, 'cat'"),
    "two of each": {"official": OFFICIAL, "results": "has no test photos of its own",
                    "splits": "4 photos can't be dealt into 5 folds: a clean split needs 5 or more"},
    "one of each": {"official": OFFICIAL, "results": "has no test photos of its own",
                    "splits": "2 photos can't be dealt into 5 folds: a clean split needs 5 or more"},
    "one photo": {"official": SAME.format(12), "grouped": SAME.format(32), "results": SAME.format(12),
                  "splits": "1 photo can't be dealt into 5 folds"},
    "two labels": {"results": "nothing to judge on the split 'official', which has no test photo of one class alone"},
    "test alone": dict.fromkeys(["official", "results"], "has no training photos: put some into its folder"),
    "validation": {"official": OFFICIAL, "results": "has no test photos of its own"},
}  # fmt: skip
COMMANDS = {
    "splits": ["audit", "{data}", "--splits", "{out}/splits.csv"],
    "official": ["train", "{data}", "--split", "official", "--epochs", "1", "--out", "{out}/run"],
    "grouped": ["train", "{data}", "--split", "grouped", "--epochs", "1", "--out", "{out}/run"],
    "results": ["results", "{data}", "--weights", "untrained", "--out", "{out}/results"],
}


@pytest.fixture
def call(tmp_path, sample_settings, tiny, monkeypatch, capsys):
    """Return a function that runs a command on a folder of that name; return code, standard output and error."""
    monkeypatch.setenv("SKINLIB_CACHE", str(sample_settings.cache))
    monkeypatch.setenv("SKINLIB_BACKBONE", tiny.name)

    def run(name, *arguments):
        if not (tmp_path / name).exists():
            fill(tmp_path / name, FOLDERS[name])
        places = {"data": str(tmp_path / name), "out": str(tmp_path / "out")}
        with warnings.catch_warnings():
            warnings.filterwarnings("error", module="sklearn")
            code = main([argument.format(**places) for argument in arguments])
        return code, *capsys.readouterr()

    return run


def mark(name: str, command: str):
    """Return how long a case takes: a line comes at once, training takes seconds, and a ladder many of them."""
    if command in LINES.get(name, {}) or command == "splits":
        return ()
    return pytest.mark.slow if command == "results" else pytest.mark.long


CASES = [pytest.param(name, command, marks=mark(name, command)) for name in FOLDERS for command in COMMANDS]


@pytest.mark.parametrize(("name", "command"), CASES)
def test_a_line_or_a_result(name, command, call, tmp_path):
    code, out, err = call(name, *COMMANDS[command])
    expected = LINES.get(name, {}).get(command)
    if expected:
        assert code == 2 and out == "" and err.count("\n") == 1 and expected in err
        assert not (tmp_path / "out").exists() or not any((tmp_path / "out").iterdir())
    else:
        assert code == 0
        assert all(line.startswith(("note: ", "left out: ")) for line in err.splitlines()), err


NOTES = {
    "two classes": [],
    "one of each": ["there are no test photos: nothing to judge", "there are no validation photos: nothing can"],
    "two labels": ["every test photo lies in the folders of two classes: nothing to judge"],
    "disjoint": [
        "no train photos of Bird, Fish", "no test photos of Cat, Dog",
        "no class has both training and test photos: the score says nothing of what was learned",
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", NOTES)
def test_the_notes_on_a_split(name, tmp_path):
    data = open_data(Settings(data=str(fill(tmp_path / "mine", FOLDERS[name])), cache=tmp_path / "cache"))
    photos = data.photos.assign(photo_id=data.photos.content_id)
    split = splits.official(photos) if data.has_test else splits.grouped(photos)
    sentences = splits.notes(photos, split, data.classes)
    assert len(sentences) == len(NOTES[name])
    for sentence, words in zip(sentences, NOTES[name], strict=True):
        assert sentence.startswith(words)


@pytest.mark.long
def test_what_cannot_be_judged_is_said_from_the_training_to_the_export(call):
    code, out, err = call("two labels", *COMMANDS["official"])
    assert code == 0 and "note: every test photo lies in the folders of two classes: nothing to judge" in err
    words = "test: nothing to judge: no test photo lies in the folder of one class alone"
    assert words in out
    code, out, _ = call("two labels", "evaluate", "{out}/run")
    assert code == 0 and words in out
    code, out, err = call("two labels", "export", "{out}/run", "--data", "{data}", "--out", "{out}/export")
    assert code == 2 and out == "" and err.count("\n") == 1 and "--split grouped" in err
    code, out, _ = call("two labels", "predict", "{out}/run", "{data}", "--json")
    assert code == 0


@pytest.mark.long
def test_a_folder_of_test_photos_alone_is_dealt_anew(call):
    code, out, err = call("test alone", *COMMANDS["grouped"])
    assert code == 0 and err == "" and "test: " in out
