"""Reading photos of every kind: exact pixels, upright, over white; and one line for each that can't be read."""

import io
import pickle
import struct
import time
import warnings
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from drawn import encoded, noise, png, smooth
from PIL import Image, features

from skinlib.base.errors import InputError
from skinlib.data import reading


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
    assert reason(encoded(np.full((4, 4), 1000.0, np.float32), "TIFF")).startswith("a TIFF of 32-bit")
    assert reason(encoded(np.full((4, 4), 70000, np.int32), "TIFF")).startswith("a TIFF of 32-bit")


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


def test_threads_leave_no_filter_of_warnings_behind():
    """Python's own catch_warnings would, and would take away what others set meanwhile."""
    before = list(warnings.filters)
    content = cv2.imencode(".png", np.zeros((4, 4, 3), np.uint8))[1].tobytes()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(reading.decode, [content] * 400))
    assert warnings.filters == before
    with reading.pillow_quiet():
        warnings.filterwarnings("ignore", "a filter of somebody else's")
    theirs = [rule for rule in warnings.filters if rule not in before]
    assert len(theirs) == 1 and "somebody" in theirs[0][1].pattern
    warnings.filters.remove(theirs[0])
