"""What was not looked at is told: how much, why, where. No command sounds like an all-clear on what it didn't see."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import unicodedata
from pathlib import Path

import pandas as pd
import pytest
from drawn import encoded, fill, smooth, tiny
from strange import kinds

from skinlib.__main__ import main
from skinlib.audit.copies import audit, identified
from skinlib.base.errors import InputError
from skinlib.base.settings import Settings
from skinlib.data import croissant
from skinlib.data.classes import same_name
from skinlib.data.folders import photos_below, split_of
from skinlib.data.opening import open_data
from skinlib.data.reading import LEAST_SIDE, TOO_SMALL

USUAL = [
    f"{split}/{name}/{number}.png" for split in ("train", "test") for name in ("cat", "dog") for number in range(4)
]
"""Photos of two classes in two splits."""
LFS = kinds()["pointer.jpg"][0]


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


def opened(folder, cache):
    return open_data(Settings(data=str(folder), cache=cache))


# ---------------------------------------------------------------- one folder for all of it


@pytest.fixture
def full_of_gaps(tmp_path):
    """Return a folder of photos with much in it that has no place: {path: reason}, and what is no photo anyway."""
    folder = fill(tmp_path / "mine", USUAL)
    photo = tiny("x")
    gaps = {
        "holdout/cat/1.png": "not in the folder of a class",
        "holdout/cat/2": "not in the folder of a class",
        "IMG_0001.HEIC": "not in the folder of a class",
        "train/loose.jpg": "not in the folder of a class",
        "more.zip": "an archive, no photo",
        "train/cat/old.zip": "an archive, no photo",
        "train/cat/patient 1/phone.heic": "an iPhone photo (HEIC), which is not read here",
        "train/cat/pointer.jpg": "a Git LFS pointer, not the photo",
        ".hidden/cat/1.jpg": "hidden file",
        "train/.old/2.jpg": "hidden file",
    }
    content = {name: photo for name in gaps}
    content |= {"more.zip": kinds()["photos.zip"][0], "train/cat/old.zip": kinds()["photos.zip"][0]}
    content |= {"train/cat/patient 1/phone.heic": kinds()["photo.heic"][0], "train/cat/pointer.jpg": LFS}
    fill(folder, content)
    fill(
        folder,
        {
            "README.md": b"about", "labels.csv": b"a,b\n", ".git/objects/1.png": photo, "train/.DS_Store": b"x",
            "train/cat/._1.png": b"x", "train/dog/Icon\r": b"", "__MACOSX/train/cat/1.png": photo, "Thumbs.db": b"x",
            "train/cat/patient 1/seen.png": photo,
        },
    )  # fmt: skip
    (tmp_path / "elsewhere" / "dog").mkdir(parents=True)
    (folder / "test" / "linked").symlink_to(tmp_path / "elsewhere" / "dog")
    return folder, gaps | {"test/linked": "a link that leads out of the folder"}


def test_every_photo_is_either_listed_or_left_out_with_its_reason(full_of_gaps, cache):
    folder, gaps = full_of_gaps
    data = opened(folder, cache)
    assert dict(data.missed.itertuples(index=False)) == gaps
    assert len(data.photos) == len(USUAL) + 1 and "train/cat/patient 1/seen.png" in set(data.photos.path)
    assert not {"README.md", "labels.csv", ".git/objects/1.png"} & set(data.left_out.path)


def test_the_audit_says_it_in_text_json_and_sheets(full_of_gaps, own_cache, tmp_path, capsys):
    folder, gaps = full_of_gaps
    call = ["audit", str(folder), "--json", str(tmp_path / "f.json"), "--sheets", str(tmp_path / "sheets")]
    assert main(call) == 0
    first, *_, last = [line for line in capsys.readouterr().out.splitlines() if "sheets in" not in line]
    assert (
        f"{len(gaps)} files or folders were not looked at (commonest reason: not in the folder of a class (4 of"
        in first
    )
    assert (
        last.startswith("this is no all-clear: nothing is known of the 11 files or folders")
        and "holdout/cat (2)" in last
    )
    left_out = json.loads((tmp_path / "f.json").read_text("utf-8"))["left_out"]
    assert left_out["number"] == len(gaps) == sum(left_out["reasons"].values()) == sum(left_out["folders"].values())
    assert left_out["reasons"]["not in the folder of a class"] == 4 == max(left_out["reasons"].values())
    assert left_out["folders"]["."] == 2 and left_out["folders"]["holdout/cat"] == 2
    assert {row["path"]: row["reason"] for row in left_out["files"]} == gaps
    listed = pd.read_csv(tmp_path / "sheets" / "left-out.csv", keep_default_na=False)
    assert dict(listed.itertuples(index=False)) == gaps


def test_the_description_and_the_other_commands_say_it(full_of_gaps, own_cache, tmp_path, capsys):
    folder, gaps = full_of_gaps
    words = f"{len(gaps)} files or folders were not looked at; the commonest reason: not in the folder of a class"
    assert main(["croissant", str(folder), "--out", str(tmp_path / "c.json")]) == 0
    assert f"left out: {words}" in capsys.readouterr().err
    limits = json.loads((tmp_path / "c.json").read_text("utf-8"))["rai:dataLimitations"]
    assert any(words in sentence for sentence in limits)


def test_nothing_left_out_is_nothing_said(tmp_path, cache, own_cache, capsys):
    folder = fill(tmp_path / "mine", [*USUAL, ".DS_Store", "train/cat/._0.png", "train/cat/Icon\r"])
    data = opened(folder, cache)
    assert data.missed.empty and len(data.left_out) == 2
    report = audit(data).report()
    assert report["left_out"] == {"number": 0, "reasons": {}, "folders": {}, "files": []}
    assert not any("looked at" in sentence for sentence in croissant.describe(identified(data))["rai:dataLimitations"])
    assert main(["audit", str(folder), "--sheets", str(tmp_path / "sheets")]) == 0
    out = capsys.readouterr().out
    assert "not looked at" not in out and "no all-clear" not in out
    assert not (tmp_path / "sheets" / "left-out.csv").exists()


# ---------------------------------------------------------------- names that look alike


@pytest.mark.parametrize(
    "other",
    [
        "Golden\u00a0retriever", "Golden\u2013retriever", "golden\u2010retriever", "Golden_Retriever",
        "Golden retriever ", " Golden  retriever", "Golden\u200bretriever", "\ufeffGolden retriever",
        "Golden\u2212retriever",
        "Golden\u3000retriever", "Gol\u00adden retriever", "Golden\tretriever", "Golden retriever\r",
    ],
    ids=ascii,
)  # fmt: skip
def test_one_class_under_names_that_look_alike(tmp_path, cache, other):
    data = opened(fill(tmp_path, ["train/Golden retriever/1.png", f"test/{other}/2.png", "train/cat/3.png"]), cache)
    assert data.classes.keys == ("cat", "golden-retriever")
    assert data.counts().loc["golden-retriever"].tolist() == [1, 1]
    assert data.missed.empty


def test_apostrophes_and_accents_of_every_kind():
    assert same_name("Farmer's dog") == same_name("Farmer\u2019s dog") == same_name("farmer\u02bcs-dog")
    assert same_name(unicodedata.normalize("NFD", "ÉTÉ")) == same_name("été")
    assert same_name("cat") != same_name("cats") and same_name("a+b") != same_name("ab")


@pytest.mark.parametrize("name", ["test\u2013set", "Test\u00a0Set", "TEST-images ", "test\u200b"])
def test_splits_under_names_that_look_alike(name):
    assert split_of(name) == "test"


# ---------------------------------------------------------------- what can't be opened


@pytest.fixture
def forbid(monkeypatch):
    """Return a function that makes the system refuse to list a folder: nobody may be root, who may do anything."""
    scan, forbidden = os.scandir, []

    def refuse(path="."):
        if any(str(path).rstrip("/") == str(folder) for folder in forbidden):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    return forbidden.append


@pytest.mark.parametrize("place", ["train/cat", "test", "test/dog", "train/cat/patient 1"])
def test_a_folder_that_cannot_be_opened_is_told(tmp_path, cache, forbid, place):
    folder = fill(tmp_path / "mine", [*USUAL, "train/cat/patient 1/5.png"])
    forbid(folder / place)
    data = opened(folder, cache)
    assert dict(data.missed.itertuples(index=False)) == {place: "a folder that cannot be opened (Permission denied)"}
    report = audit(data).report()
    assert report["left_out"]["number"] == 1


def test_a_plain_folder_with_a_class_that_cannot_be_opened(tmp_path, cache, forbid):
    folder = fill(tmp_path / "mine", ["cat/1.png", "dog/2.png", "bird/3.png"])
    forbid(folder / "bird")
    data = opened(folder, cache)
    assert data.classes.keys == ("cat", "dog")
    assert data.missed.path.tolist() == ["bird"]


def test_a_root_that_cannot_be_opened(tmp_path, cache, forbid):
    folder = fill(tmp_path / "mine", USUAL)
    forbid(folder)
    with pytest.raises(InputError, match=r"cannot be opened \(Permission denied\)"):
        opened(folder, cache)


@pytest.mark.skipif(not shutil.which("setpriv") or os.getuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize("mode", [0o000, 0o444, 0o111], ids=oct)
def test_as_somebody_who_may_not(mode):
    """The true system: a folder without the right to list it, or to open what is in it."""
    with tempfile.TemporaryDirectory() as place:  # pytest's own folders are nobody else's
        os.chmod(place, 0o755)
        _as_somebody_who_may_not(Path(place), mode)


def _as_somebody_who_may_not(tmp_path, mode):
    folder = fill(tmp_path / "mine", USUAL)
    (folder / "train" / "dog" / "0.png").chmod(0o000)
    (folder / "test" / "cat").chmod(mode)
    (tmp_path / "cache").mkdir(mode=0o777)
    (tmp_path / "cache").chmod(0o777)
    code = (
        "import sys; from pathlib import Path; from skinlib.base.settings import Settings;"
        "from skinlib.data.opening import open_data;"
        f"data = open_data(Settings(data={str(folder)!r}, cache=Path({str(tmp_path / 'cache')!r})));"
        "print(data.missed.to_csv(index=False))"
    )
    root = str(Path(__file__).parents[1])
    done = subprocess.run(
        ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", sys.executable, "-c", code],
        capture_output=True, text=True, timeout=120, cwd=root, env=os.environ | {"PYTHONPATH": root, "HOME": "/tmp"},
    )  # fmt: skip
    if "Permission denied" in done.stderr and "skinlib" not in done.stderr:
        pytest.skip("Python itself lies where nobody else may look")
    assert done.returncode == 0, done.stderr
    assert "train/dog/0.png,cannot be opened (Permission denied)" in done.stdout
    if mode & 0o444:
        assert done.stdout.count("test/cat/") == 4
    else:
        assert "test/cat,a folder that cannot be opened (Permission denied)" in done.stdout


def test_folders_deeper_than_python_calls(tmp_path, cache):
    folder = fill(tmp_path / "mine", USUAL)
    deep = folder / "train" / "cat"
    here = os.open(deep, os.O_RDONLY)
    try:
        for _ in range(1200):  # one by one, since the whole path is longer than a system takes at once
            os.mkdir("d", dir_fd=here)
            below = os.open("d", os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = below
    finally:
        os.close(here)
    fill(folder / "train" / "cat" / "/".join("d" * 50), ["1.png"])
    try:
        data = opened(folder, cache)
        assert len(data.photos) == len(USUAL) + 1
    finally:
        subprocess.run(["rm", "-rf", str(folder)], check=True)


# ---------------------------------------------------------------- nothing that can be used


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (LFS, "none of 16 files can be used; the commonest reason: a Git LFS pointer, not the photo: run git lfs pull"),
        (kinds()["photo.heic"][0], "an iPhone photo (HEIC), which is not read here: save them as JPEG or PNG"),
        (kinds()["annexed.jpg"][0], "a git-annex pointer, not the photo: run git annex get"),
        (encoded(smooth(), "PNG")[:200], "the commonest reason: truncated or damaged"),
        (encoded(smooth(2, 2), "PNG"), f"the commonest reason: {TOO_SMALL}"),
        (kinds()["photos.zip"][0], "an archive, no photo: unpack it"),
    ],
    ids=["LFS", "HEIC", "annex", "cut", "small", "zip"],
)
def test_where_no_file_can_be_used_the_commonest_reason_is_said(tmp_path, cache, content, words):
    folder = fill(tmp_path / "mine", dict.fromkeys(USUAL, content))
    with pytest.raises(InputError) as caught:
        opened(folder, cache)
    assert words in str(caught.value) and "none of 16 files can be used" in str(caught.value)
    assert "expected" not in str(caught.value), "the folders are as they should be"


def test_a_folder_of_links_that_lead_out(tmp_path, cache):
    fill(tmp_path / "elsewhere", USUAL)
    for name in USUAL:
        (tmp_path / "mine" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "mine" / name).symlink_to(tmp_path / "elsewhere" / name)
    with pytest.raises(InputError, match=r"none of 16 files can be used; .*: a link that leads out of the folder"):
        opened(tmp_path / "mine", cache)


def test_links_to_folders_are_named_where_there_is_nothing_else(tmp_path, cache):
    fill(tmp_path / "elsewhere", USUAL)
    (tmp_path / "mine").mkdir()
    for name in ("train", "test"):
        (tmp_path / "mine" / name).symlink_to(tmp_path / "elsewhere" / name)
    with pytest.raises(InputError, match="holds no folder with photos, but 2 links to folders, which are not followed"):
        opened(tmp_path / "mine", cache)


@pytest.mark.parametrize(
    ("files", "words"),
    [(["1.png", "2.jpg"], "but 2 photos that are in no folder of a class"), (["all.zip"], r"but 1 archives \(unpack")],
)
def test_what_a_folder_without_classes_holds_instead(tmp_path, cache, files, words):
    with pytest.raises(InputError, match=words):
        opened(fill(tmp_path / "mine", files), cache)


# ---------------------------------------------------------------- links in the store that a folder belongs to


def test_links_into_the_store_of_a_hub_are_followed(tmp_path, cache):
    """As the cache of a hub of data sets has them: content in blobs/, names in snapshots/."""
    repository = tmp_path / "datasets--somebody--pets"
    snapshot = repository / "snapshots" / "0123456789abcdef"
    for number, name in enumerate(USUAL):
        blob = repository / "blobs" / f"{number:064x}"
        fill(repository, {f"blobs/{number:064x}": tiny(name)})
        (snapshot / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        (snapshot / "data" / name).symlink_to(os.path.relpath(blob, (snapshot / "data" / name).parent))
    fill(tmp_path, {"secret.png": tiny("s")})
    (snapshot / "data" / "train" / "cat" / "out.png").symlink_to(tmp_path / "secret.png")
    for place in (snapshot, snapshot / "data"):
        data = opened(place, cache)
        assert len(data.photos) == len(USUAL)
        assert list(data.missed.reason) == ["a link that leads out of the folder"]
        assert data.read(data.photos.path[0]).shape == (24, 32, 3)


@pytest.mark.parametrize("store", [".git/annex/objects", ".dvc/cache"])
def test_links_into_the_store_of_a_repository_are_followed(tmp_path, cache, store):
    for name in USUAL:
        fill(tmp_path / store, [f"{name}.object"])
        (tmp_path / "images" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "images" / name).symlink_to(tmp_path / store / f"{name}.object")
    (tmp_path / "images" / "train" / "cat" / "absent.png").symlink_to(tmp_path / store / "absent")
    data = opened(tmp_path / "images", cache)
    assert len(data.photos) == len(USUAL)
    assert dict(data.missed.itertuples(index=False)) == {"train/cat/absent.png": "a link that leads nowhere"}


# ---------------------------------------------------------------- too small, and a folder of any photos


def test_a_photo_of_a_few_pixels_is_left_out_and_small_ones_stay(tmp_path, cache):
    files = {name: tiny(name) for name in USUAL}
    files |= {"train/cat/dot.png": encoded(smooth(1, 1), "PNG"), "train/cat/line.png": encoded(smooth(3, 900), "PNG")}
    files |= {f"train/dog/{side}.png": encoded(smooth(side, side), "PNG") for side in (LEAST_SIDE, 28, 32)}
    for _ in range(2):  # as decoded, and as kept
        data = opened(fill(tmp_path / "mine", files), cache)
        assert dict(data.missed.itertuples(index=False)) == {
            "train/cat/dot.png": TOO_SMALL, "train/cat/line.png": TOO_SMALL,
        }  # fmt: skip
        assert len(data.photos) == len(USUAL) + 3
    assert set(data.damaged.path) == {"train/cat/dot.png", "train/cat/line.png"}


def test_the_photos_below_any_folder(full_of_gaps):
    folder, _ = full_of_gaps
    files, left_out = photos_below(folder)
    assert set(USUAL) <= set(files) and len(files) == len(set(files))
    assert {"holdout/cat/2", "IMG_0001.HEIC", "train/cat/patient 1/seen.png", "train/loose.jpg"} <= set(files)
    assert {path for path, _ in left_out} == {
        "more.zip", "train/cat/old.zip", ".hidden/cat/1.jpg", "train/.old/2.jpg", "test/linked",
    }  # fmt: skip
    assert photos_below(folder) == (files, left_out), "in a stable order"
