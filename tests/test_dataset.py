"""Opening the data of a run: what it is called and holds, and what kind of photos it is, told by content alone."""

import hashlib
import os
import shutil
import warnings

import numpy as np
import pandas as pd
import pytest
from drawn import fill, noise, write_eight
from PIL import Image

from skinlib.audit import audit, identified
from skinlib.base.errors import InputError
from skinlib.base.settings import Settings
from skinlib.data import croissant, fetch, opening, reading, splits
from skinlib.data.conditions import CONDITIONS, KEYS
from skinlib.data.opening import open_data
from skinlib.data.sample import TRUTH_COLUMNS, write_sample

IMPETIGO = "train_set/BA-impetigo"


@pytest.fixture
def folder(tmp_path):
    return write_eight(tmp_path / "data")


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


def opened(folder, cache):
    return open_data(Settings(data=str(folder), cache=cache))


def test_open_a_folder(folder, cache):
    data = opened(folder, cache)
    assert data.name == "data"
    assert data.root == folder
    assert data.truth is None
    assert data.mask(f"{IMPETIGO}/b.jpg") is None
    assert data.path(f"{IMPETIGO}/a.png") == folder / IMPETIGO / "a.png"
    assert data.read(f"{IMPETIGO}/a.png").shape == (48, 64, 3)
    counts = data.counts()
    assert list(counts.index) == list(KEYS)
    assert list(counts.columns) == ["train", "test"]
    assert (counts == [2, 1]).all(axis=None)
    with pytest.raises(reading.PhotoError):
        data.read("train_set/absent.jpg")


def test_counts_name_conditions_without_photos(folder, cache):
    for file in (folder / IMPETIGO).iterdir():
        file.unlink()
    assert opened(folder, cache).counts().loc["impetigo"].tolist() == [0, 1]


@pytest.mark.parametrize("inner", ["skin-disease-dataset", "skin-disease-datasaet"])
def test_open_the_folder_above(folder, cache, inner):
    (folder.parent / "above" / "something else").mkdir(parents=True)
    folder.rename(folder.parent / "above" / inner)
    data = opened(folder.parent / "above", cache)
    assert data.name == inner
    assert len(data.photos) == 24


def test_open_a_folder_that_is_absent(cache, tmp_path):
    with pytest.raises(InputError, match="no such folder: expected"):
        open_data(Settings(data=str(tmp_path / "absent"), cache=cache))


def test_fingerprint_changes_with_any_photo_and_with_nothing_else(folder, cache):
    settings = Settings(data=str(folder), cache=cache)
    first = open_data(settings).fingerprint
    assert len(bytes.fromhex(first)) == 32
    (folder / IMPETIGO / "empty.jpg").write_bytes(b"")
    renamed = folder.rename(folder.with_name("renamed"))
    settings = Settings(data=str(renamed), cache=cache)
    assert open_data(settings).fingerprint == first
    (renamed / IMPETIGO / "a.png").rename(renamed / IMPETIGO / "z.png")
    second = open_data(settings).fingerprint
    Image.fromarray(noise()).save(renamed / IMPETIGO / "z.png")
    third = open_data(settings).fingerprint
    assert len({first, second, third}) == 3


def test_sample(sample, sample_settings):
    assert sample.name == "sample"
    truth = sample.truth.set_index("path")
    damaged = truth.index[truth["damage"] != ""]
    assert len(damaged) > 0
    assert set(sample.left_out["path"]) == set(damaged)
    assert set(sample.photos["path"]) == set(truth.index) - set(damaged)
    reasons = sample.left_out.set_index("path")["reason"]
    words = {
        "empty": "empty file",
        "text": "a web page (HTML), no photo",
        "truncated": "truncated or damaged",
    }
    assert all(reasons[path] == words[truth.loc[path, "damage"]] for path in damaged)
    rows = sample.photos.set_index("path")
    assert (rows["condition"] == truth.loc[rows.index, "label"]).all()
    assert (rows["split"] == truth.loc[rows.index, "split"]).all()
    assert open_data(sample_settings).fingerprint == sample.fingerprint


def test_sample_masks_fit_their_photos(sample):
    marked = [path for path in sample.photos["path"] if sample.mask(path) is not None]
    assert len(marked) > len(sample.photos) / 2
    for path in marked[::7]:
        mask = sample.mask(path)
        assert mask.dtype == bool
        assert mask.shape == sample.read(path).shape[:2]
        assert 0 < mask.mean() < 1
    assert sample.mask("train_set/absent.jpg") is None


# ---------------------------------------------------------------- what kind of photos they are


OWN = ["train/cat/1.png", "train/dog/2.png", "test/cat/3.png", "test/dog/4.png"]


def test_photos_of_ones_own_in_a_folder_called_sample(tmp_path, cache):
    data = opened(fill(tmp_path / "sample", OWN), cache)
    assert (data.name, data.kind, data.truth) == ("sample", "own", None)
    assert data.classes.keys == ("cat", "dog")
    assert data.mask(OWN[0]) is None


RAGGED = ",".join(TRUTH_COLUMNS).encode() + b"\n" + b"a,b,c\n" + b"x," * 40 + b"\n"


@pytest.mark.parametrize(
    "content",
    [
        b"image,label\ntrain/cat/1.png,cat\n", b"", b"\n\n", bytes(range(256)) * 4,
        "Größe,Übel\n1,2\n".encode("latin-1"),
        b"a,b\n1,2,3\n4,5,6,7,8\n", RAGGED, b'"never closed\n1,2\n', ",".join(TRUTH_COLUMNS).encode() + b"\n",
        ",".join(TRUTH_COLUMNS).encode("utf-16"), b"\xef\xbb\xbfpath\r\n", b"\0" * 1000,
    ],
    ids=[
        "of one's own", "empty", "blank", "binary", "Latin-1", "ragged", "ragged, our columns", "an open quote",
        "our columns, no row", "UTF-16", "BOM", "zeros",
    ],
)  # fmt: skip
def test_another_truth_csv_says_nothing(tmp_path, cache, content, capfd):
    folder = fill(tmp_path / "mine", OWN)
    (folder / "truth.csv").write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = opened(folder, cache)
    assert (data.kind, data.truth, len(data.photos)) == ("own", None, 4)
    assert data.left_out.empty
    assert "Warning" not in "".join(capfd.readouterr())


def test_a_truth_csv_that_is_no_file_says_nothing(tmp_path, cache):
    for make in (os.mkdir, os.mkfifo):  # reading the second would wait for ever
        folder = fill(tmp_path / make.__name__, OWN)
        make(folder / "truth.csv")
        assert opened(folder, cache).kind == "own"


def _in_our_columns(folder, **changes):
    """Write a truth.csv in the simulation's columns for photos of somebody's own, each with its true SHA-256."""
    row = dict.fromkeys(TRUTH_COLUMNS, "")
    row |= {"label": "impetigo", "condition": "impetigo", "split": "train", "source": "s0001", "kind": "original"}
    row |= {"tone": 4, "watermark": False, "mislabelled": False, "format": "PNG"} | changes
    files = [file for file in folder.rglob("*.png") if "masks" not in file.parts]
    rows = [
        row | {
            "path": file.relative_to(folder).as_posix(), "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        }
        for file in files
    ]  # fmt: skip
    pd.DataFrame(rows).to_csv(folder / "truth.csv", index=False)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"mask": "masks/mine.png"},
        {"tone": "dark"},
        {"tone": ""},
        {"split": "val"},
        {"label": "cat"},
        {"kind": "mine"},
    ],
    ids=str,
)
@pytest.mark.parametrize("names", [OWN, [f"{IMPETIGO}/mine.png", f"{IMPETIGO}/impetigo-001.png"]], ids=["own", "eight"])
def test_photos_of_ones_own_in_the_columns_of_the_simulation_are_no_drawings(tmp_path, cache, names, changes):
    folder = fill(tmp_path / "mine", [*names, "masks/mine.png"])
    _in_our_columns(folder, **changes)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = opened(folder, cache)
    assert (data.kind, data.truth) == ("own", None)
    description = croissant.describe(identified(data))
    assert "No person was photographed" not in str(description) and description["license"].startswith("Unknown")


def test_a_truth_csv_that_cannot_be_read_or_is_huge_says_nothing(tmp_path, cache, monkeypatch):
    folder = fill(tmp_path / "mine", OWN)
    with (folder / "truth.csv").open("wb") as file:
        file.truncate(3_000_000_000)  # of zeros, without a line's end; it takes no room on the disk
    assert opened(folder, cache).kind == "own"
    opener = type(folder).open

    def refuse(path, *arguments, **options):
        if path.name == "truth.csv":
            raise PermissionError(13, "Permission denied", str(path))
        return opener(path, *arguments, **options)

    monkeypatch.setattr(type(folder), "open", refuse)
    assert opened(folder, cache).kind == "own"


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Return a sample that was written into a folder of somebody's own. Copy it before you change it."""
    folder = tmp_path_factory.mktemp("written") / "of mine"
    write_sample(folder, 5, seed=2)
    return folder


def test_a_written_sample_is_known_wherever_it_lies(written, cache):
    data = opened(written, cache)
    assert (data.name, data.kind) == ("of mine", "drawn")
    assert data.classes is CONDITIONS
    assert set(data.left_out.path) == set(data.truth.path[data.truth.damage != ""]) == set(data.damaged.path)
    assert data.mask(data.photos.path[0]) is not None


def test_a_part_of_a_written_sample_is_drawn_as_well(written, cache, tmp_path):
    folder = tmp_path / "part"
    shutil.copytree(written, folder)
    shutil.rmtree(folder / IMPETIGO)
    data = opened(folder, cache)
    assert data.kind == "drawn"
    assert data.counts().loc["impetigo", "train"] == 0


def add_a_photo(folder, photos):
    fill(folder, [f"{IMPETIGO}/mine.png"])


def change_a_photo(folder, photos):
    fill(folder, {photos[0]: (folder / photos[1]).read_bytes()})


def move_a_photo(folder, photos):
    (folder / photos[0]).rename(folder / IMPETIGO / "moved.jpg")


@pytest.mark.parametrize("change", [add_a_photo, change_a_photo, move_a_photo])
def test_a_sample_with_a_change_is_somebodys_own(written, sample_settings, tmp_path, change):
    """What was planted says nothing of the new photo, and who is on it nobody knows."""
    folder = tmp_path / "changed"
    shutil.copytree(written, folder)
    photos = list(opened(written, sample_settings.cache).photos.path)
    change(folder, photos)
    data = opened(folder, sample_settings.cache)
    assert (data.kind, data.truth) == ("own", None)
    assert data.mask(photos[2]) is None
    found = audit(data)
    assert len(found.photos) >= len(photos) and found.leaked.any()
    assert found.report()["n_files"] == len(data.photos) + len(data.damaged)


@pytest.fixture
def as_if_clinical(folder, monkeypatch):
    """Return a folder whose photos are, for this test, those of the clinical manifest."""
    hashes = frozenset(hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.rglob("*.*"))
    monkeypatch.setattr(opening, "clinical_hashes", lambda: hashes)
    return folder


def test_clinical_photos_are_known_wherever_they_lie(as_if_clinical, cache, tmp_path):
    assert opened(as_if_clinical, cache).kind == "clinical"
    part = tmp_path / "holiday photos"
    shutil.copytree(as_if_clinical / "train_set" / "VI-shingles", part / "VI shingles" / "deeper")
    shutil.copytree(as_if_clinical / "test_set" / "BA-impetigo", part / "ba_impetigo")
    data = opened(part, cache)
    assert (data.name, data.kind, len(data.photos)) == ("holiday photos", "clinical", 3)
    assert data.classes is CONDITIONS
    assert sorted(set(data.photos.condition)) == ["impetigo", "shingles"]


def test_clinical_photos_sorted_anew_keep_the_classes_of_their_folders(as_if_clinical, cache, tmp_path):
    """By cause, say: they are other people's photos still, but their labels are no longer the eight."""
    for row in opened(as_if_clinical, cache).photos.itertuples():
        place = tmp_path / "by cause" / row.group / f"{row.condition} {row.path.split('/')[-1]}"
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(as_if_clinical / row.path, place)
    data = opened(tmp_path / "by cause", cache)
    assert data.kind == "clinical"
    assert data.classes.keys == ("bacterial", "fungal", "parasitic", "viral")
    assert data.counts().train.tolist() == [6, 9, 3, 6]
    assert np.bincount(data.labels()).tolist() == [6, 9, 3, 6]


def test_one_photo_that_is_not_in_the_manifest_makes_them_somebodys_own(as_if_clinical, cache):
    fill(as_if_clinical, [f"{IMPETIGO}/mine.png"])
    data = opened(as_if_clinical, cache)
    assert data.kind == "own"
    assert data.classes.keys == KEYS, "their folders are still called like the eight"


def test_what_is_said_of_ones_own_photos_is_what_is_known(tmp_path, cache):
    data = identified(opened(fill(tmp_path / "sample", OWN), cache))
    description = croissant.describe(data)
    assert "No person was photographed" not in str(description)
    assert "nobody is shown" not in str(description)
    assert description["license"].startswith("Unknown")
    assert "Photos of 2 classes: Cat, Dog." in description["description"]
    for claim in ("rai:dataCollection", "rai:personalSensitiveInformation", "creator", "citeAs", "url"):
        assert claim not in description
    assert not {"dermatology", "skin"} & set(description["keywords"])


# ---------------------------------------------------------------- what photos have before and after the audit


def test_opened_photos_have_a_content_id_and_no_photo_id(plain_pets):
    assert (plain_pets.photos.content_id == plain_pets.photos.sha256.str[:16]).all()
    assert "photo_id" not in plain_pets.photos


NEEDS_AN_AUDIT = {
    "grouped": lambda data: splits.grouped(data.photos),
    "folds": lambda data: list(splits.folds(data.photos)),
    "table": lambda data: splits.table(data.photos),
    "croissant": croissant.describe,
}


@pytest.mark.parametrize("name", NEEDS_AN_AUDIT)
def test_what_needs_to_know_the_copies_refuses_before_the_audit(name, pets):
    with pytest.raises(
        InputError, match=r"nobody has looked for copies .*: use the photos of skinlib\.audit\.identified"
    ):
        NEEDS_AN_AUDIT[name](pets)
    assert len(NEEDS_AN_AUDIT[name](identified(pets))) > 0


# ---------------------------------------------------------------- the clinical photos

README_COUNTS = {
    "cellulitis": [136, 34],
    "impetigo": [80, 20],
    "athlete-foot": [124, 32],
    "nail-fungus": [129, 33],
    "ringworm": [90, 23],
    "cutaneous-larva-migrans": [100, 25],
    "chickenpox": [136, 34],
    "shingles": [130, 33],
}


@pytest.mark.clinical
def test_clinical_photos(clinical_folder, cache):
    data = open_data(Settings(data=str(clinical_folder), cache=cache))
    assert len(data.photos) == 1159
    assert data.left_out.empty
    assert data.counts().T.to_dict("list") == README_COUNTS
    assert data.photos["format"].value_counts().to_dict() == {"JPEG": 1137, "PNG": 20, "WEBP": 2}
    assert (data.photos[["width", "height"]] >= 128).all(axis=None)

    manifest = pd.read_csv(fetch.MANIFEST)
    ours = data.photos[["path", "bytes", "sha256"]].sort_values("path").reset_index(drop=True)
    pd.testing.assert_frame_equal(ours, manifest.sort_values("path").reset_index(drop=True))
    assert fetch._missing(clinical_folder, manifest.set_index("path")) == []
