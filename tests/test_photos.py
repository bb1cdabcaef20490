"""Reading photos of every kind, the catalogue of a folder, and opening the data of a run."""

import hashlib
import io
import json
import os
import pickle
import struct
import threading
import time
import warnings
import zlib

import cv2
import numpy as np
import pandas as pd
import pytest
from PIL import Image, features

from skinlib.base.errors import InputError
from skinlib.base.settings import Settings
from skinlib.data import catalogue, fetch, reading
from skinlib.data.conditions import CONDITIONS, KEYS, by_key
from skinlib.data.dataset import open_data


def smooth(height=48, width=64):
    """Return a photo-like uint8 (height, width, 3) that lossy formats keep nearly unchanged."""
    y, x = np.mgrid[0:height, 0:width]
    channels = [120 + 100 * np.sin(x / 20), 130 + 90 * np.cos(y / 15), 90 + 60 * np.sin((x + y) / 25)]
    return np.stack(channels, axis=-1).round().astype(np.uint8)


def noise(height=20, width=30, channels=3, dtype=np.uint8):
    shape = (height, width, channels) if channels > 1 else (height, width)
    return np.random.default_rng(7).integers(0, np.iinfo(dtype).max, shape, dtype=dtype, endpoint=True)


def encoded(image, kind, **options):
    """Return the bytes of a Pillow image or array, stored as ``kind``."""
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def png(width, height, depth, colour_type, rows=b"", *chunks):
    """Return a PNG made by hand: what its header claims need not be what it holds."""

    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0)
    parts = [chunk(b"IHDR", header), *(chunk(*c) for c in chunks), chunk(b"IDAT", zlib.compress(rows))]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts) + chunk(b"IEND", b"")


def over_white(rgba):
    """Return what uint8 (H, W, 4) shows on white paper, rounded to the nearest level."""
    colour, alpha = rgba[..., :3].astype(int), rgba[..., 3:].astype(int)
    return np.floor((colour * alpha + 255 * (255 - alpha)) / 255 + 0.5).astype(np.uint8)


def reason(data):
    """Return why ``data`` can't be decoded; check that the error is the one line promised."""
    with pytest.raises(reading.PhotoError) as caught:
        reading.decode(data, "folder/photo.jpg")
    error = caught.value
    assert isinstance(error, InputError)
    assert error.exit_code == 2
    assert error.path == "folder/photo.jpg"
    assert str(error).startswith(f"folder/photo.jpg: {error.reason}: ")
    assert "\n" not in str(error)
    return error.reason


def check(photo, expected, tolerance=0):
    assert photo.dtype == np.uint8
    assert photo.shape == expected.shape
    assert photo.flags.writeable
    assert np.abs(photo.astype(int) - expected.astype(int)).max() <= tolerance


# ---------------------------------------------------------------- formats and pixel types


@pytest.mark.parametrize(
    ("kind", "options"), [("PNG", {}), ("BMP", {}), ("TIFF", {}), ("TIFF", {"compression": "tiff_lzw"}),
                          ("WEBP", {"lossless": True})]
)  # fmt: skip
def test_lossless_formats_exactly(kind, options):
    check(reading.decode(encoded(noise(), kind, **options)), noise())


@pytest.mark.parametrize(("kind", "tolerance"), [("JPEG", 6), ("WEBP", 8), ("AVIF", 8)])
def test_lossy_formats_closely(kind, tolerance):
    if not features.check(kind.lower() if kind != "JPEG" else "jpg"):
        pytest.skip(f"this Pillow was built without {kind}")
    check(reading.decode(encoded(smooth(), kind, quality=95)), smooth(), tolerance)


def test_channel_order_is_that_of_opencv_reversed():
    data = encoded(smooth(), "JPEG", quality=90)
    bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    check(reading.decode(data), bgr[..., ::-1], tolerance=2)


def test_progressive_jpeg():
    check(reading.decode(encoded(smooth(), "JPEG", quality=95, progressive=True)), smooth(), tolerance=6)


def test_two_photos_in_one_jpeg():
    data = encoded(smooth(), "MPO", save_all=True, append_images=[Image.fromarray(255 - smooth())], quality=95)
    check(reading.decode(data), smooth(), tolerance=6)


def test_grey():
    grey = noise(channels=1)
    check(reading.decode(encoded(grey, "PNG")), np.dstack([grey] * 3))
    assert reading.decode(encoded(grey, "JPEG")).shape == (20, 30, 3)


def test_one_bit():
    bits = noise(channels=1) > 127
    check(reading.decode(encoded(Image.fromarray(bits), "PNG")), np.dstack([bits * np.uint8(255)] * 3))


@pytest.mark.parametrize("depth", [2, 4])
def test_few_bits_fill_the_range(depth):
    levels = np.arange(2**depth)
    bits = "".join(f"{level:0{depth}b}" for level in levels)
    row = int(bits, 2).to_bytes(len(bits) // 8, "big")
    photo = reading.decode(png(len(levels), 1, depth, 0, b"\0" + row))
    assert photo[0, :, 0].tolist() == [255 * int(level) // (2**depth - 1) for level in levels]


def test_palette():
    image = Image.fromarray(smooth()).quantize(200)
    check(reading.decode(encoded(image, "PNG")), np.asarray(image.convert("RGB")))


def test_palette_with_transparency():
    palette = [200, 10, 10, 10, 200, 10, 10, 10, 200]
    image = Image.fromarray(np.array([[0, 1, 2]], np.uint8))
    image.putpalette(palette)
    photo = reading.decode(encoded(image, "PNG", transparency=bytes([255, 0, 128])))
    rgba = np.array([[[200, 10, 10, 255], [10, 200, 10, 0], [10, 10, 200, 128]]], np.uint8)
    check(photo, over_white(rgba))
    assert photo[0, 1].tolist() == [255, 255, 255]


def test_colour_that_stands_for_transparent():
    rows = b"\0" + bytes([1, 2, 3, 4, 5, 6])
    photo = reading.decode(png(2, 1, 8, 2, rows, (b"tRNS", struct.pack(">HHH", 1, 2, 3))))
    assert photo.tolist() == [[[255, 255, 255], [4, 5, 6]]]


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_alpha_over_white(kind):
    rgba = noise(channels=4)
    rgba[0, :, 3] = 0
    rgba[1, :, 3] = 255
    # WebP would otherwise change colours where nothing shows.
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    photo = reading.decode(encoded(rgba, kind, **options))
    check(photo, over_white(rgba))
    assert (photo[0] == 255).all()
    assert (photo[1] == rgba[1, :, :3]).all()


def test_grey_with_alpha():
    pair = noise(channels=2)
    photo = reading.decode(encoded(Image.fromarray(pair, "LA"), "PNG"))
    check(photo, over_white(pair[..., [0, 0, 0, 1]]))


@pytest.mark.parametrize("ending", [".png", ".tiff"])
def test_16_bits_keep_the_high_byte(ending):
    colour = noise(channels=3, dtype=np.uint16)
    check(reading.decode(cv2.imencode(ending, colour[..., ::-1])[1].tobytes()), (colour >> 8).astype(np.uint8))
    grey = noise(channels=1, dtype=np.uint16)
    expected = np.dstack([(grey >> 8).astype(np.uint8)] * 3)
    check(reading.decode(cv2.imencode(ending, grey)[1].tobytes()), expected)
    rgba = noise(channels=4, dtype=np.uint16)
    high = (rgba >> 8).astype(np.uint8)
    check(reading.decode(cv2.imencode(ending, rgba[..., [2, 1, 0, 3]])[1].tobytes()), over_white(high), tolerance=1)


def test_8_bits_stored_as_16_come_back_exactly():
    for pixels in (noise(), noise(channels=1)):
        wide = pixels.astype(np.uint16) * 257
        expected = pixels if pixels.ndim == 3 else np.dstack([pixels] * 3)
        check(reading.decode(cv2.imencode(".png", wide[..., ::-1] if wide.ndim == 3 else wide)[1].tobytes()), expected)


def test_32_bits_have_no_known_range():
    assert reason(encoded(np.full((4, 4), 1000.0, np.float32), "TIFF")) == "32-bit pixels, whose range is unknown"
    assert reason(encoded(np.full((4, 4), 70000, np.int32), "TIFF")) == "32-bit pixels, whose range is unknown"


def test_cmyk():
    cmyk = Image.fromarray(smooth()).convert("CMYK")
    check(reading.decode(encoded(cmyk, "TIFF")), smooth())
    jpeg = encoded(cmyk, "JPEG", quality=95)
    assert b"Adobe" in jpeg  # such files store every channel inverted
    check(reading.decode(jpeg), smooth(), tolerance=12)


def test_first_frame_of_an_animation():
    frames = [Image.new("RGB", (8, 6), colour) for colour in ("#ff0000", "#00ff00", "#0000ff")]
    for kind in ("GIF", "PNG", "TIFF"):
        data = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
        check(reading.decode(data), np.broadcast_to(np.array([255, 0, 0], np.uint8), (6, 8, 3)))
    data = encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    check(reading.decode(data), np.broadcast_to(np.array([255, 0, 0], np.uint8), (6, 8, 3)))


UPRIGHT = {
    1: lambda stored: stored,
    2: lambda stored: stored[:, ::-1],
    3: lambda stored: stored[::-1, ::-1],
    4: lambda stored: stored[::-1],
    5: lambda stored: stored.swapaxes(0, 1),
    6: lambda stored: np.rot90(stored, -1),
    7: lambda stored: stored[::-1, ::-1].swapaxes(0, 1),
    8: lambda stored: np.rot90(stored),
}


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", UPRIGHT)
def test_orientation(kind, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if kind == "WEBP" else {}
    turned = encoded(smooth(), kind, exif=exif, **options)
    as_stored = reading.decode(encoded(smooth(), kind, **options))
    check(reading.decode(turned), UPRIGHT[orientation](as_stored))
    if kind == "JPEG":  # OpenCV turns photos as well: a second opinion on which way is up
        bgr = cv2.imdecode(np.frombuffer(turned, np.uint8), cv2.IMREAD_COLOR)
        check(reading.decode(turned), bgr[..., ::-1], tolerance=2)


def test_damaged_exif_is_no_reason_to_lose_the_photo():
    for exif in (b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + bytes(range(200)), b"Exif\0\0", b"Exif\0\0nonsense"):
        check(reading.decode(encoded(smooth(), "JPEG", quality=95, exif=exif)), smooth(), tolerance=6)


def test_content_decides_and_not_the_name(tmp_path):
    path = tmp_path / "photo.jpg"
    path.write_bytes(encoded(noise(), "PNG"))
    check(reading.read(path), noise())
    check(reading.read(str(path)), noise())


# ---------------------------------------------------------------- what can't be read


def test_reasons():
    assert reason(b"") == "empty file"
    assert reason(b"this is only text") == "not an image in a format we read"
    assert reason(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n") == "not an image in a format we read"
    assert reason(b"<svg xmlns='http://www.w3.org/2000/svg'/>") == "not an image in a format we read"
    assert reason(encoded(noise(), "PPM")) == "not an image in a format we read"
    assert reason(bytes(1000)) == "not an image in a format we read"
    assert reason(b"\x89PNG\r\n\x1a\n") == "truncated or damaged"
    assert reason(b"\xff\xd8\xff") == "truncated or damaged"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "GIF", "TIFF", "BMP"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.7, 0.95])
def test_truncated(kind, share):
    if kind == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow was built without AVIF")
    data = encoded(noise(60, 80), kind)
    assert reason(data[: int(len(data) * share)]) == "truncated or damaged"


def test_damage_that_a_checksum_shows():
    data = bytearray(encoded(noise(), "PNG"))
    data[data.index(b"IDAT") + 50] ^= 1
    assert reason(bytes(data)) == "truncated or damaged"


@pytest.mark.parametrize(("width", "height"), [(65000, 65000), (12000, 9000), (10001, 10000), (2**31 - 1, 2**31 - 1)])
def test_bombs_are_stopped_at_the_header(width, height):
    assert reason(png(width, height, 8, 2)) == "too many pixels, more than 100 million"


def test_a_jpeg_bomb():
    data = bytearray(encoded(noise(), "JPEG"))
    start = data.index(b"\xff\xc0") + 5
    data[start : start + 4] = struct.pack(">HH", 65500, 65500)
    assert reason(bytes(data)) == "too many pixels, more than 100 million"


def test_at_the_limit_a_photo_is_read(monkeypatch):
    # In small: Pillow warns of what is above its own limit, which lies below ours, and refuses twice as much.
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    monkeypatch.setattr(reading, "PIXEL_LIMIT", 1500)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check(reading.decode(encoded(noise(50, 30), "PNG")), noise(50, 30))
        assert reason(encoded(noise(51, 30), "PNG")).startswith("too many pixels")
        assert reason(encoded(noise(100, 30), "PNG")).startswith("too many pixels")


def test_no_such_file(tmp_path):
    with pytest.raises(reading.PhotoError, match="no such file: check the path") as caught:
        reading.read(tmp_path / "absent.jpg")
    assert caught.value.reason == "no such file"
    with pytest.raises(reading.PhotoError, match="cannot be opened"):
        reading.read(tmp_path)


def test_mutated_files_give_a_photo_or_a_photo_error(capfd):
    rng = np.random.default_rng(0)
    outcomes = {"photo": 0, "error": 0}
    # TIFF only uncompressed: of damage in a compressed one, the C library libtiff itself writes a line to stderr.
    kinds = ("JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for kind in kinds:
            exif = Image.Exif()
            exif[0x0112], exif[0x010E] = 6, "a ringworm"
            options = {"exif": exif} if kind in ("JPEG", "PNG", "WEBP") else {}
            data = encoded(smooth(), kind, **options)
            for _ in range(100):
                mutated = bytearray(data)
                for position in rng.integers(0, len(data), rng.integers(1, 12)):
                    mutated[position] ^= 1 << rng.integers(0, 8)
                if rng.random() < 0.3:
                    mutated = mutated[: rng.integers(0, len(data))]
                try:
                    photo = reading.decode(bytes(mutated), "mutated")
                except reading.PhotoError:
                    outcomes["error"] += 1
                else:
                    outcomes["photo"] += 1
                    assert photo.dtype == np.uint8
                    assert photo.ndim == 3
                    assert photo.shape[2] == 3
                    assert photo.size > 0
    assert outcomes["photo"] > 50
    assert outcomes["error"] > 50
    assert not caught, [str(warning.message) for warning in caught]
    assert capfd.readouterr() == ("", "")


# ---------------------------------------------------------------- the catalogue


@pytest.fixture
def folder(tmp_path):
    """Return a data folder with two photos of every condition in train_set and one in test_set."""
    root = tmp_path / "data"
    for number, condition in enumerate(CONDITIONS):
        for place, name in (("train_set", "b.jpg"), ("train_set", "a.png"), ("test_set", "c.webp")):
            photo = np.roll(smooth(), 3 * number + ord(name[0]), axis=1)
            (root / place / condition.folder).mkdir(parents=True, exist_ok=True)
            Image.fromarray(photo).save(root / place / condition.folder / name)
    return root


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


IMPETIGO = "train_set/BA-impetigo"


def left_out(folder, cache):
    return {row.path: row.reason for row in catalogue.catalogue(folder, cache)[1].itertuples()}


def test_catalogue(folder, cache):
    rows, rest = catalogue.catalogue(folder, cache)
    assert tuple(rows.columns) == catalogue.PHOTO_COLUMNS
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
        assert row.photo_id == row.sha256[:16]
        assert row.group == by_key(row.condition).group


def test_sizes_are_those_of_the_upright_photo(folder, cache):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(smooth()).save(folder / IMPETIGO / "turned.jpg", exif=exif)
    for _ in range(2):  # as decoded, and as kept
        row = catalogue.catalogue(folder, cache)[0].set_index("path").loc[f"{IMPETIGO}/turned.jpg"]
        assert (row.width, row.height) == (48, 64)


def test_identical_files_share_their_photo_id(folder, cache):
    (folder / IMPETIGO / "copy.jpg").write_bytes((folder / IMPETIGO / "b.jpg").read_bytes())
    rows = catalogue.catalogue(folder, cache)[0].set_index("path")
    assert rows.loc[f"{IMPETIGO}/copy.jpg", "photo_id"] == rows.loc[f"{IMPETIGO}/b.jpg", "photo_id"]
    assert rows["photo_id"].nunique() == len(rows) - 1


def test_what_is_no_photo_is_reported(folder, cache):
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
        f"{IMPETIGO}/more/b.jpg": whole,
        "train_set/BA-unheard-of/b.jpg": whole,
        "test_set/b.jpg": whole,
    }.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    # Beside the two splits anything may lie.
    (folder / "README.md").write_text("about")
    (folder / "masks").mkdir()
    (folder / "masks" / "b.jpg").write_bytes(whole)

    expected = {
        f"{IMPETIGO}/empty.jpg": "empty file",
        f"{IMPETIGO}/text.png": "not an image in a format we read",
        f"{IMPETIGO}/cut.jpg": "truncated or damaged",
        f"{IMPETIGO}/bomb.png": "too many pixels, more than 100 million",
        f"{IMPETIGO}/.DS_Store": "hidden file",
        f"{IMPETIGO}/._b.jpg": "hidden file",
        f"{IMPETIGO}/.ipynb_checkpoints/b.jpg": "hidden file",
        f"{IMPETIGO}/Thumbs.db": "left by the operating system",
        f"{IMPETIGO}/more/b.jpg": "in a folder within a condition's folder",
        "train_set/BA-unheard-of/b.jpg": "unknown folder 'BA-unheard-of'",
        "test_set/b.jpg": "not in a condition's folder",
    }
    for _ in range(2):  # as decoded, and with what was kept
        rows, rest = catalogue.catalogue(folder, cache)
        assert dict(rest.itertuples(index=False)) == expected
        assert len(rows) == 24
    assert rest["path"].tolist() == sorted(expected, key=lambda path: (path.startswith("test"), path))


def test_links(folder, cache, tmp_path):
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
    assert left_out(folder, cache) == {
        f"{IMPETIGO}/out.jpg": "a link that leads out of the folder",
        f"{IMPETIGO}/out": "a link that leads out of the folder",
        f"{IMPETIGO}/inside": "a link to a folder",
        f"{IMPETIGO}/nowhere.jpg": "a link that leads nowhere",
        f"{IMPETIGO}/round.jpg": "a link that leads nowhere",
        f"{IMPETIGO}/pipe.jpg": "not a file",
    }
    assert f"{IMPETIGO}/within.jpg" in set(catalogue.catalogue(folder, cache)[0]["path"])


def test_a_folder_reached_through_a_link_is_whole(folder, cache, tmp_path):
    (tmp_path / "link").symlink_to(folder)
    rows, rest = catalogue.catalogue(tmp_path / "link", cache)
    assert len(rows) == 24
    assert rest.empty


def test_a_name_that_is_not_text(folder, cache):
    name = os.fsencode(folder / IMPETIGO) + b"/caf\xe9.jpg"
    with open(name, "wb") as file:
        file.write((folder / IMPETIGO / "b.jpg").read_bytes())
    rows, rest = catalogue.catalogue(folder, cache)
    assert rest["reason"].tolist() == ["its name is not valid text"]
    assert (rows["path"].str.encode("utf-8").str.len() > 0).all()
    assert rest["path"].item() == f"{IMPETIGO}/caf?.jpg"


def test_missing_condition_folders_are_reported(folder, cache):
    for file in (folder / IMPETIGO).iterdir():
        file.unlink()
    (folder / "test_set/VI-shingles/c.webp").unlink()
    (folder / "test_set/VI-shingles").rmdir()
    assert left_out(folder, cache) == {
        IMPETIGO: "no photo in this folder",
        "test_set/VI-shingles": "no such folder",
    }


def test_a_folder_of_another_shape(folder, cache, tmp_path):
    empty = tmp_path / "empty"
    for wrong, says in ((tmp_path / "absent", "no such folder"), (empty, "has no folder train_set/")):
        with pytest.raises(InputError, match=f"{wrong}: {says}: expected train_set/ and test_set/.*README") as caught:
            catalogue.catalogue(wrong, cache)
        assert all(condition.folder in str(caught.value) for condition in CONDITIONS)
        empty.mkdir(exist_ok=True)
    for file in folder.glob("test_set/*/*"):
        file.write_bytes(b"")
    with pytest.raises(InputError, match="test_set/ holds no photo that can be read"):
        catalogue.catalogue(folder, cache)
    for path in sorted((folder / "test_set").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    (folder / "test_set").rmdir()
    with pytest.raises(InputError, match="has no folder test_set/"):
        catalogue.catalogue(folder, cache)


@pytest.fixture
def decoded(monkeypatch):
    """Return the list of names that get decoded from here on."""
    names = []
    right_one = reading.decode_with_format

    def counting(data, name):
        names.append(name)
        return right_one(data, name)

    monkeypatch.setattr(reading, "decode_with_format", counting)
    return names


def test_each_content_is_decoded_once(folder, cache, decoded):
    first = catalogue.catalogue(folder, cache)[0]
    assert len(decoded) == 24
    decoded.clear()
    (folder / IMPETIGO / "renamed.jpg").write_bytes((folder / IMPETIGO / "b.jpg").read_bytes())
    second = catalogue.catalogue(folder, cache)[0]
    assert decoded == []
    again = second[second["path"] != f"{IMPETIGO}/renamed.jpg"].reset_index(drop=True)
    pd.testing.assert_frame_equal(first, again)
    Image.fromarray(noise()).save(folder / IMPETIGO / "renamed.jpg")
    catalogue.catalogue(folder, cache)
    assert decoded == [f"{IMPETIGO}/renamed.jpg"]


def test_another_reader_checks_anew(folder, cache, decoded, monkeypatch):
    catalogue.catalogue(folder, cache)
    monkeypatch.setattr(reading, "READER", reading.READER + 1)
    decoded.clear()
    catalogue.catalogue(folder, cache)
    assert len(decoded) == 24


@pytest.mark.parametrize("rubbish", ["", "{", "[]", '{"0": 1}', '{"0": ["JPEG", "wide", 1]}', '{"0": null}'])
def test_a_damaged_cache_costs_only_time(folder, cache, decoded, rubbish):
    catalogue.catalogue(folder, cache)
    (kept,) = (cache / "photos").iterdir()
    kept.write_text(rubbish)
    decoded.clear()
    assert len(catalogue.catalogue(folder, cache)[0]) == 24
    assert len(decoded) == 24
    assert len(json.loads(kept.read_text())) == 24


def test_a_cache_that_cannot_be_written(folder, cache):
    cache.write_text("a file where the folder should be")
    assert len(catalogue.catalogue(folder, cache)[0]) == 24


def test_what_others_kept_meanwhile_stays(folder, cache, monkeypatch):
    kept = cache / "photos" / "decoded.json"
    catalogue._save_known(kept, {"a": ["JPEG", 1, 2]})
    catalogue._save_known(kept, {"b": ["PNG", 3, 4]})
    assert catalogue._load_known(kept) == {"a": ["JPEG", 1, 2], "b": ["PNG", 3, 4]}
    assert list(kept.parent.iterdir()) == [kept]


def test_catalogues_at_the_same_time(folder, cache):
    results = []
    threads = [threading.Thread(target=lambda: results.append(catalogue.catalogue(folder, cache))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    for rows, _ in results:
        pd.testing.assert_frame_equal(rows, results[0][0])
    (kept,) = (cache / "photos").iterdir()
    assert len(json.loads(kept.read_text())) == 24


def test_the_cache_of_the_settings_is_the_default(folder, own_cache):
    catalogue.catalogue(folder)
    assert len(list((own_cache / "photos").iterdir())) == 1


# ---------------------------------------------------------------- the data of a run


def test_open_a_folder(folder, cache):
    data = open_data(Settings(data=str(folder), cache=cache))
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
    assert open_data(Settings(data=str(folder), cache=cache)).counts().loc["impetigo"].tolist() == [0, 1]


@pytest.mark.parametrize("inner", ["skin-disease-dataset", "skin-disease-datasaet"])
def test_open_the_folder_above(folder, cache, inner):
    (folder.parent / "above").mkdir()
    folder.rename(folder.parent / "above" / inner)
    data = open_data(Settings(data=str(folder.parent / "above"), cache=cache))
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
        "text": "not an image in a format we read",
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
    assert fetch._missing(clinical_folder, {row.path: (row.bytes, row.sha256) for row in manifest.itertuples()}) == []


def test_a_jpeg_of_thousands_of_scans_is_refused_at_once(tmp_path):
    """A progressive JPEG may pass over all of its pixels again and again, each time for a few bytes."""
    good = io.BytesIO()
    Image.new("RGB", (3000, 2000), (90, 60, 50)).save(good, "JPEG", progressive=True)
    data = good.getvalue()
    assert reading.decode(data).shape == (2000, 3000, 3)
    begins = [match.start() for match in reading.SCANS.finditer(data)]
    assert 5 < len(begins) <= reading.SCAN_LIMIT
    last = data[begins[-1] : -2]
    bomb = data[:-2] + 3000 * last + data[-2:]
    assert len(bomb) < 30_000_000
    started = time.perf_counter()
    with pytest.raises(reading.PhotoError, match="more than 100 scans"):
        reading.decode(bomb)
    assert time.perf_counter() - started < 5  # decoding it takes over a minute


def test_a_photos_error_comes_whole_out_of_another_process():
    error = reading.PhotoError("a\nb.jpg", "empty file", "leave it out")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is reading.PhotoError and str(again) == str(error)
    assert (again.path, again.reason, again.remedy) == ("a\nb.jpg", "empty file", "leave it out")
