"""What a file is that can't be read: named, with a remedy. "Damaged" is said of damaged files only."""

import numpy as np
import pytest
from drawn import encoded, noise, smooth
from PIL import Image
from strange import DAMAGED, bmp, kinds, of_our_formats, turned
from test_reading import UPRIGHT

from skinlib.data import jpeg, reading
from skinlib.data.kinds import is_picture, remedy_of

ALL = kinds() | of_our_formats()


@pytest.mark.parametrize("name", ALL)
def test_what_is_no_photo_for_us_is_named_with_a_remedy(name):
    content, expected = ALL[name]
    with pytest.raises(reading.PhotoError) as caught:
        reading.decode(content, name)
    error = caught.value
    assert error.reason == expected
    assert str(error) == f"{name}: {error.reason}: {error.remedy}"
    assert error.remedy and "\n" not in str(error)
    if error.reason != DAMAGED:
        assert "damaged" not in str(error)


def test_the_remedy_for_a_folder_full_of_them():
    assert remedy_of("a Git LFS pointer, not the photo") == "run git lfs pull"
    assert remedy_of("a git-annex pointer, not the photo") == "run git annex get"
    assert "JPEG" in remedy_of("an iPhone photo (HEIC), which is not read here")
    assert remedy_of("an archive, no photo") == "unpack it"
    assert remedy_of("empty file") == ""


def test_pictures_are_known_by_their_first_bytes():
    pictures = {"photo.heic", "photo.cr2", "photo.dng", "cut.jpg", "float.tif", "photo.jxl", "scan.dcm", "head.bmp"}
    for name in pictures:
        assert is_picture(ALL[name][0][:400]), name
    for kind in ("JPEG", "PNG", "WEBP", "AVIF", "GIF", "TIFF", "BMP"):
        assert is_picture(encoded(smooth(), kind)[:400]), kind
    for name in ("notes.txt", "paper.pdf", "photos.zip", "film.mp4", "random.bin", "zeros.jpg", "BM.txt"):
        assert not is_picture(ALL[name][0][:400]), name
    assert not is_picture(b"")


# ---------------------------------------------------------------- a JPEG that lacks its end mark alone


@pytest.mark.parametrize(
    "options", [{}, {"progressive": True}, {"subsampling": 0}, {"restart_marker_rows": 1}], ids=str
)
@pytest.mark.parametrize("lacking", [1, 2])
def test_a_jpeg_that_lacks_its_end_mark_alone_is_read(options, lacking):
    for picture in (smooth(), noise(90, 70), smooth()[..., 0], Image.fromarray(smooth()).convert("CMYK")):
        whole = encoded(picture, "JPEG", quality=90, **options)
        assert whole.endswith(jpeg.END)
        np.testing.assert_array_equal(reading.decode(whole[:-lacking]), reading.decode(whole))


@pytest.mark.parametrize("options", [{}, {"progressive": True}], ids=str)
@pytest.mark.parametrize("lacking", [3, 4, 5, 8, 20, 100])
def test_a_jpeg_that_lacks_pixels_is_damaged(options, lacking):
    for picture in (smooth(), noise(90, 70)):
        whole = encoded(picture, "JPEG", quality=90, **options)
        with pytest.raises(reading.PhotoError, match=DAMAGED):
            reading.decode(whole[:-lacking])


def test_a_progressive_jpeg_that_lacks_its_last_scans_is_damaged():
    """Each scan is whole, but the photo is blurred: its finest bits are in the last."""
    whole = encoded(noise(90, 70), "JPEG", progressive=True)
    for scan in list(reading.SCANS.finditer(whole))[1:]:
        with pytest.raises(reading.PhotoError, match=DAMAGED):
            reading.decode(whole[: scan.start()])


def test_the_turn_of_a_jpeg_without_its_end_counts():
    whole = turned(Image.fromarray(smooth()), "JPEG", 6)
    np.testing.assert_array_equal(reading.decode(whole[:-2]), reading.decode(whole))


# ---------------------------------------------------------------- as people see it


def test_an_alpha_that_its_maker_left_at_zero_hides_nothing():
    green = np.tile(np.array([10, 200, 30], np.uint8), (20, 30, 1))
    np.testing.assert_array_equal(reading.decode(bmp(0)), green)
    np.testing.assert_array_equal(reading.decode(bmp(255)), green)
    half = reading.decode(bmp(128))
    assert (half > green).all(axis=(0, 1))[[0, 2]].all(), "an alpha that is used is laid over white"
    clear = np.dstack([green, np.zeros((20, 30), np.uint8)])
    assert (reading.decode(encoded(clear, "PNG")) == 255).all(), "a PNG that is clear all over is shown as nothing"


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_avif_is_turned_as_it_says(orientation):
    stored = reading.decode(turned(Image.fromarray(smooth()), "AVIF", 1, quality=95))
    photo = reading.decode(turned(Image.fromarray(smooth()), "AVIF", orientation, quality=95))
    np.testing.assert_array_equal(photo, UPRIGHT[orientation](stored))


def test_only_exif_turns_a_photo():
    """Pillow would follow XMP, too, and an old text of ImageMagick's: no browser does."""
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    for kind in ("JPEG", "WEBP"):
        photo = reading.decode(encoded(smooth(), kind, xmp=xmp))
        assert photo.shape == (48, 64, 3), kind


# ---------------------------------------------------------------- too small to see anything


def test_photos_of_a_few_pixels_are_too_small_to_ask_about():
    least = reading.LEAST_SIDE
    for shape in ((least, least, 3), (least, 1000, 3), (28, 28, 3), (32, 32, 3)):
        photo = np.zeros(shape, np.uint8)
        assert reading.large_enough(photo, "a.png") is photo
    for shape in ((1, 1, 3), (1, 1000, 3), (1000, least - 1, 3), (2, 2, 3)):
        with pytest.raises(reading.PhotoError, match=r"^a\.png: too small to see anything, less than 16 pixels"):
            reading.large_enough(np.zeros(shape, np.uint8), "a.png")
