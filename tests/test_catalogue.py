"""The catalogue: every file of a folder in it or left out with a reason, each content decoded once."""

import hashlib
import os
import threading

import pandas as pd
import pytest
from drawn import fill, noise, png, smooth, write_eight
from PIL import Image

from skinlib.base import fingerprint
from skinlib.base.errors import InputError
from skinlib.base.store import Store
from skinlib.data import catalogue
from skinlib.data.conditions import CONDITIONS, KEYS
from skinlib.data.folders import look

IMPETIGO = "train_set/BA-impetigo"


@pytest.fixture
def folder(tmp_path):
    return write_eight(tmp_path / "data")


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "cache")


def catalogued(folder, store):
    return catalogue.catalogue(look(folder), store)


def left_out(folder, store):
    return {row.path: row.reason for row in catalogued(folder, store)[1].itertuples()}


def test_catalogue(folder, store):
    rows, rest = catalogued(folder, store)
    assert tuple(rows.columns) == catalogue.CATALOGUE_COLUMNS
    assert list(rest.columns) == ["path", "reason"]
    assert rest.empty
    assert rows["split"].tolist() == ["train"] * 16 + ["test"] * 8
    assert rows["condition"].tolist() == [key for key in KEYS for _ in "ab"] + list(KEYS)
    assert rows["path"].tolist()[:3] == [
        "train_set/BA- cellulitis/a.png", "train_set/BA- cellulitis/b.jpg", "train_set/BA-impetigo/a.png",
    ]  # fmt: skip
    assert rows["path"].tolist()[-1] == "test_set/VI-shingles/c.webp"
    assert rows["format"].tolist() == ["PNG", "JPEG"] * 8 + ["WEBP"] * 8
    assert (rows[["width", "height"]] == [64, 48]).all(axis=None)
    for row in rows.itertuples():
        data = (folder / row.path).read_bytes()
        assert row.bytes == len(data)
        assert row.sha256 == hashlib.sha256(data).hexdigest()
        assert row.content_id == row.sha256[:16]
        assert row.group == CONDITIONS[row.condition].group
    assert "photo_id" not in rows, "nobody has looked for copies yet"


def test_sizes_are_those_of_the_upright_photo(folder, store):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(smooth()).save(folder / IMPETIGO / "turned.jpg", exif=exif)
    for _ in range(2):  # as decoded, and as kept
        row = catalogued(folder, store)[0].set_index("path").loc[f"{IMPETIGO}/turned.jpg"]
        assert (row.width, row.height) == (48, 64)


def test_identical_files_share_their_content_id(folder, store):
    (folder / IMPETIGO / "copy.jpg").write_bytes((folder / IMPETIGO / "b.jpg").read_bytes())
    rows = catalogued(folder, store)[0].set_index("path")
    assert rows.loc[f"{IMPETIGO}/copy.jpg", "content_id"] == rows.loc[f"{IMPETIGO}/b.jpg", "content_id"]
    assert rows["content_id"].nunique() == len(rows) - 1


def test_what_is_no_photo_is_reported(folder, store):
    whole = (folder / IMPETIGO / "b.jpg").read_bytes()
    for path, data in {
        f"{IMPETIGO}/empty.jpg": b"",
        f"{IMPETIGO}/text.png": b"not a photo",
        f"{IMPETIGO}/cut.jpg": whole[:-200],
        f"{IMPETIGO}/bomb.png": png(65000, 65000, 8, 2),
        f"{IMPETIGO}/.DS_Store": b"x",
        f"{IMPETIGO}/._b.jpg": whole,
        f"{IMPETIGO}/.ipynb_checkpoints/b.jpg": whole,
        f"{IMPETIGO}/Thumbs.db": b"x",
        f"{IMPETIGO}/@eaDir/b.jpg": whole,
        "test_set/b.jpg": whole,
        "masks/b.jpg": whole,
        # Nobody misses these.
        ".git/objects/b.jpg": whole,
        ".DS_Store": b"x",
        "__MACOSX/train_set/BA-impetigo/._b.jpg": b"x",
        "__MACOSX/train_set/BA-impetigo/b.jpg": b"x",
        "README.md": b"about",
    }.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    expected = {
        f"{IMPETIGO}/empty.jpg": "empty file",
        f"{IMPETIGO}/text.png": "a text, no photo",
        f"{IMPETIGO}/cut.jpg": "truncated or damaged",
        f"{IMPETIGO}/bomb.png": "too many pixels, more than 100 million",
        f"{IMPETIGO}/.DS_Store": "left by the operating system",
        f"{IMPETIGO}/._b.jpg": "left by the operating system",
        f"{IMPETIGO}/.ipynb_checkpoints/b.jpg": "hidden file",
        f"{IMPETIGO}/Thumbs.db": "left by the operating system",
        f"{IMPETIGO}/@eaDir/b.jpg": "left by the operating system",
        "test_set/b.jpg": "not in the folder of a class",
        "masks/b.jpg": "not in the folder of a class",
    }
    for _ in range(2):  # as decoded, and with what was kept
        rows, rest = catalogued(folder, store)
        assert dict(rest.itertuples(index=False)) == expected
        assert len(rows) == 24
    assert rest["path"].tolist() == sorted(expected, key=lambda path: (not path.startswith("train"), path))


def test_links(folder, store, tmp_path):
    outside = tmp_path / "elsewhere"
    outside.mkdir()
    (outside / "secret.jpg").write_bytes((folder / IMPETIGO / "b.jpg").read_bytes())
    (folder / IMPETIGO / "out.jpg").symlink_to(outside / "secret.jpg")
    (folder / IMPETIGO / "out").symlink_to(outside)
    (folder / IMPETIGO / "inside").symlink_to(folder / "test_set")
    (folder / IMPETIGO / "nowhere.jpg").symlink_to(outside / "absent.jpg")
    (folder / IMPETIGO / "round.jpg").symlink_to(folder / IMPETIGO / "round.jpg")
    (folder / IMPETIGO / "within.jpg").symlink_to("b.jpg")
    os.mkfifo(folder / IMPETIGO / "pipe.jpg")  # reading it would wait for ever
    assert left_out(folder, store) == {
        f"{IMPETIGO}/out.jpg": "a link that leads out of the folder",
        f"{IMPETIGO}/out": "a link that leads out of the folder",
        f"{IMPETIGO}/inside": "a link to a folder",
        f"{IMPETIGO}/nowhere.jpg": "a link that leads nowhere",
        f"{IMPETIGO}/round.jpg": "a link that leads nowhere",
        f"{IMPETIGO}/pipe.jpg": "not a file",
    }
    assert f"{IMPETIGO}/within.jpg" in set(catalogued(folder, store)[0]["path"])


def test_a_folder_reached_through_a_link_is_whole(folder, store, tmp_path):
    (tmp_path / "link").symlink_to(folder)
    rows, rest = catalogued(tmp_path / "link", store)
    assert len(rows) == 24
    assert rest.empty


def test_a_name_that_is_not_text(folder, store):
    name = os.fsencode(folder / IMPETIGO) + b"/caf\xe9.jpg"
    with open(name, "wb") as file:
        file.write((folder / IMPETIGO / "b.jpg").read_bytes())
    rows, rest = catalogued(folder, store)
    assert rest["reason"].tolist() == ["its name is not valid text"]
    assert (rows["path"].str.encode("utf-8").str.len() > 0).all()
    assert rest["path"].item() == f"{IMPETIGO}/caf?.jpg"


@pytest.fixture
def decoded(monkeypatch):
    """Return the list of names that get decoded from here on."""
    names = []
    right_one = catalogue.decode_with_format

    def counting(data, name):
        names.append(name)
        return right_one(data, name)

    monkeypatch.setattr(catalogue, "decode_with_format", counting)
    return names


def test_each_content_is_decoded_once(folder, store, decoded):
    first = catalogued(folder, store)[0]
    assert len(decoded) == 24
    decoded.clear()
    (folder / IMPETIGO / "renamed.jpg").write_bytes((folder / IMPETIGO / "b.jpg").read_bytes())
    second = catalogued(folder, store)[0]
    assert decoded == []
    again = second[second["path"] != f"{IMPETIGO}/renamed.jpg"].reset_index(drop=True)
    pd.testing.assert_frame_equal(first, again)
    Image.fromarray(noise()).save(folder / IMPETIGO / "renamed.jpg")
    catalogued(folder, store)
    assert decoded == [f"{IMPETIGO}/renamed.jpg"]


def test_another_reader_checks_anew(folder, store, decoded, monkeypatch):
    catalogued(folder, store)
    decoded.clear()
    catalogued(folder, store)
    assert decoded == []
    versions, code = fingerprint.package_versions, fingerprint.code_digest
    monkeypatch.setattr(fingerprint, "package_versions", lambda module: versions(module) | {"pillow": "99.0"})
    catalogued(folder, store)
    assert len(decoded) == 24, "another Pillow may decode to other pixels"
    decoded.clear()
    monkeypatch.setattr(fingerprint, "code_digest", lambda module: code(module)[::-1])
    catalogued(folder, store)
    assert len(decoded) == 24, "so may another decode of ours"


def kept(store):
    """Return the one file that holds what decoding found."""
    (file,) = (path for path in (store.root / "decoded").rglob("*") if path.is_file())
    return file


@pytest.mark.parametrize("rubbish", ["", "{", "[]", '{"0": 1}', '{"0": ["JPEG", "wide", 1]}', '{"0": null}'])
def test_a_damaged_cache_costs_only_time(folder, store, decoded, rubbish):
    catalogued(folder, store)
    kept(store).write_text(rubbish)
    decoded.clear()
    assert len(catalogued(folder, store)[0]) == 24
    assert len(decoded) == 24
    assert len(catalogue._load_known(store)) == 24


def test_a_cache_that_cannot_be_written(folder, store):
    store.root.write_text("a file where the folder should be")
    assert len(catalogued(folder, store)[0]) == 24


def test_what_others_kept_meanwhile_stays(store):
    catalogue._save_known(store, {"a": ["JPEG", 1, 2]})
    catalogue._save_known(store, {"b": ["PNG", 3, 4]})
    assert catalogue._load_known(store) == {"a": ["JPEG", 1, 2], "b": ["PNG", 3, 4]}
    assert kept(store).parent.parent.name == catalogue._decoded_key()


def test_catalogues_at_the_same_time(folder, store):
    results = []
    threads = [threading.Thread(target=lambda: results.append(catalogued(folder, store))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    for rows, _ in results:
        pd.testing.assert_frame_equal(rows, results[0][0])
    assert kept(store).is_file()
    assert len(catalogue._load_known(store)) == 24


def test_the_store_of_the_settings_is_the_default(folder, own_cache):
    catalogue.catalogue(look(folder))
    assert kept(Store(own_cache)).is_file()


def test_a_class_called_like_a_split_leaves_the_order_as_it_is(tmp_path, store):
    """A bus company sorts its photos: "train" is one of its classes."""
    fill(tmp_path, ["train/train/1.png", "train/bus/2.png", "test/train/3.png", "test/bus/4.png", "val/bus/5.png"])
    rows = catalogued(tmp_path, store)[0]
    assert list(zip(rows.split, rows.condition, strict=True)) == [
        ("train", "bus"), ("train", "train"), ("validation", "bus"), ("test", "bus"), ("test", "train"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("files", "line"),
    [
        ({"cat/a.jpg": b"", "dog/b.jpg": b"", "dog/c.jpg": b"text"}, r"none of 3 files .*: empty file \(2 of 3\)$"),
        ({"cat/a.jpg": b"text"}, r"none of 1 file .*: a text, no photo$"),
    ],
)
def test_a_folder_of_which_nothing_can_be_used_says_how_many_files_and_why(tmp_path, store, files, line):
    with pytest.raises(InputError, match=line) as caught:
        catalogued(fill(tmp_path / "mine", files), store)
    assert str(caught.value).startswith(f"{tmp_path / 'mine'}: ") and "\n" not in str(caught.value)


def test_empty_class_folders_hold_no_photo(tmp_path, store):
    (tmp_path / "train" / "cat").mkdir(parents=True)
    with pytest.raises(InputError, match="holds no photo: put photos into a folder for each class"):
        catalogued(tmp_path, store)


def test_a_folder_that_cannot_be_opened_is_left_out_with_its_reason(folder, store, monkeypatch):
    """Nobody may be root here, and root may open anything: the system's answer is made up."""
    scan = os.scandir

    def forbidden(path="."):
        if str(path).endswith("BA-impetigo"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", forbidden)
    rows, rest = catalogued(folder, store)
    assert len(rows) == 21
    assert dict(rest.itertuples(index=False)) == {
        IMPETIGO: "a folder that cannot be opened (Permission denied)",
        "test_set/BA-impetigo": "a folder that cannot be opened (Permission denied)",
    }
