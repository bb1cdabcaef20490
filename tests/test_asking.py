"""Asking about folders of photos, and asking an export by any of its names; photos of one's own with odd names."""

import json
import shutil

import pytest
from drawn import encoded, fill, smooth
from strange import kinds
from test_tables import NAMES

from skinlib.__main__ import main
from skinlib.commands.options import export_of
from skinlib.learn.runs import Run
from skinlib.serve import publish

PHOTOS = ["b.png", "a.png", "deeper/than/that.png", "c/d.png"]


@pytest.fixture
def folder(tmp_path):
    """Return a folder of four photos, of which one can't be read, and of other things."""
    folder = fill(tmp_path / "asked", PHOTOS)
    fill(
        folder,
        {
            "page.jpg": kinds()["page.jpg"][0],
            "notes.md": b"about",
            ".DS_Store": b"x",
            "all.zip": kinds()["photos.zip"][0],
        },
    )
    (folder / "out.png").symlink_to(tmp_path / "elsewhere.png")
    return folder


@pytest.fixture(scope="module")
def published(exported, tmp_path_factory):
    """Return a folder as `export` makes it."""
    folder = tmp_path_factory.mktemp("published") / "out"
    for name, write in (("model", publish.model), ("web", publish.web), ("space", publish.space)):
        write(exported, folder / name)
    return folder


def asked(capsys, *arguments):
    code = main(["predict", *map(str, arguments)])
    out, err = capsys.readouterr()
    return code, out, err


@pytest.mark.parametrize("of", ["run", "export"])
def test_a_folder_is_answered_photo_by_photo(of, run, published, folder, capsys):
    model = run.path if of == "run" else published
    code, out, err = asked(capsys, model, folder)
    assert code == 2
    answered = [line.split(": ")[0] for line in out.splitlines()]
    assert sorted(answered) == sorted(str(folder / name) for name in PHOTOS) and len(answered) == 4
    assert "page.jpg: a web page (HTML), no photo" in err
    assert "all.zip: an archive, no photo" in err and "out.png: a link that leads nowhere" in err
    assert "notes.md" not in out + err and "DS_Store" not in out + err
    code, out, err = asked(capsys, model, folder, "--json")
    rows = json.loads(out)
    assert [row["path"] for row in rows if "error" not in row] == answered, "the same order each time"
    assert {row["path"]: row["error"] for row in rows if "error" in row} == {
        str(folder / "page.jpg"): "a web page (HTML), no photo",
        str(folder / "all.zip"): "an archive, no photo",
        str(folder / "out.png"): "a link that leads nowhere",
    }


def test_photos_and_folders_may_be_mixed(run, folder, tmp_path, capsys):
    single = fill(tmp_path, ["single.png"]) / "single.png"
    code, out, _ = asked(capsys, run.path, folder / "c", single, folder / "a.png")
    assert code == 0
    assert [line.split(": ")[0] for line in out.splitlines()] == [
        str(folder / "c/d.png"), str(single), str(folder / "a.png"),
    ]  # fmt: skip


def test_a_folder_without_a_photo_says_so(run, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    code, out, err = asked(capsys, run.path, tmp_path / "empty")
    assert (code, out) == (2, "") and err == f"skinlib: {tmp_path / 'empty'}: a folder without a photo\n"


@pytest.mark.parametrize("name", ["", "model", "web", "space", "model/model-16bit.onnx", "model/model.onnx"])
def test_an_export_is_taken_by_any_of_its_names(published, sample, name, capsys):
    photo = sample.path(sample.photos.path[0])
    code, out, err = asked(capsys, published / name, photo, "--json")
    assert (code, err) == (0, "")
    (answer,) = json.loads(out)
    expected = asked(capsys, published / "model", photo, "--json")[1]
    assert answer == json.loads(expected)[0]


def test_what_is_no_export(published, run, tmp_path, capsys):
    assert export_of(run.path) is None and export_of(tmp_path) is None and export_of(tmp_path / "absent.onnx") is None
    alone = shutil.copy(published / "model" / "model.onnx", tmp_path / "model.onnx")
    code, _, err = asked(capsys, alone, tmp_path)
    assert code == 2 and "is not an exported model" in err and err.count("\n") == 1


@pytest.mark.parametrize("of", ["run", "export"])
def test_a_photo_of_a_few_pixels_gets_no_disease(of, run, published, tmp_path, capsys):
    files = {
        f"{height} {width}.png": encoded(smooth(height, width), "PNG") for height, width in ((1, 1), (2, 900), (15, 15))
    }
    fill(tmp_path / "small", files)
    code, out, err = asked(capsys, run.path if of == "run" else published, tmp_path / "small")
    assert (code, out) == (2, "")
    assert err.count("too small to see anything, less than 16 pixels wide or high") == 3


def test_a_run_of_photos_with_odd_names_reads_back_equal(tmp_path, tiny_settings, monkeypatch, capsys):
    monkeypatch.setenv("SKINLIB_CACHE", str(tiny_settings.cache))
    names = [name for name in NAMES if name != "plain"]
    files = [f"{split}/{kind}/{name}" for split in ("train", "test") for kind in ("a", "b") for name in names]
    folder = fill(tmp_path / "odd", files)
    call = ["train", str(folder), "--out", str(tmp_path / "run"), "--backbone", "tiny", "--epochs", "1"]
    assert main([*call, "--split", "official"]) == 0
    assert sorted(Run(tmp_path / "run").predictions.path) == sorted(files)
    capsys.readouterr()
    code, out, _ = asked(capsys, tmp_path / "run", folder, "--json")
    assert code == 0
    assert sorted(row["path"] for row in json.loads(out)) == sorted(str(folder / name) for name in files)


def test_no_name_is_no_folder(run, tmp_path, capsys, monkeypatch):
    """Nothing, taken for a path, would be the folder in which the command is called."""
    fill(tmp_path, ["a.png"])
    monkeypatch.chdir(tmp_path)
    assert asked(capsys, run.path, "") == (2, "", "skinlib: : no name of a file\n")
