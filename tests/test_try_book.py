"""The page that runs the model, as it stands in the built book: its colours, its links and its answers.

Like tests/test_site.py these need the built book; the page by itself is tested in tests/test_try.py.
"""

import json
import os

import pytest

pytest.register_assert_rewrite("reader")

from reader import check_looks, same  # noqa: E402
from test_site import SITE, missing  # noqa: E402

from skinlib.serve import exported  # noqa: E402

pytest_plugins = ["reader"]
TRY = SITE / "try"
PAGE = "book/try-it.html"

pytestmark = pytest.mark.site


@pytest.fixture(scope="module")
def model():
    """Return the model that the book carries; skip the test where there is no book, or fail."""
    lacking = missing()
    if not lacking and not (TRY / exported.SMALL).is_file():
        lacking = "the built book has no page to try: run `make book`"
    if lacking:
        (pytest.fail if os.environ.get("SKINLIB_REQUIRE_SITE") else pytest.skip)(lacking)
    return exported.ExportedModel(TRY)


@pytest.fixture(scope="module")
def drawings(model):
    return [TRY / "samples" / sample["file"] for sample in json.loads((TRY / "samples" / "samples.json").read_text())]


@pytest.fixture(scope="module")
def reader(model, visit, serve):
    """A reader at the page in the book, with the model loaded; at the end nothing may have gone wrong."""
    reader = visit(f"{serve(SITE).address}/{PAGE}")
    reader.load()
    yield reader
    assert reader.troubles == []


def test_it_says_what_python_says(reader, model, drawings):
    texts = []
    for drawing in drawings:
        same(reader.choose(drawing), model, drawing.read_bytes())
        texts.append(reader.status)
    assert len(set(texts)) > 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 390, 1280])
def test_it_fits_and_can_be_read(reader, drawings, width, scheme):
    check_looks(reader, width, scheme, [drawings[4], drawings[0], ("a-name-without-a-space" * 6, b"no photo")])


def test_it_leads_to_the_chapter_on_its_map(reader, drawings):
    reader.choose(drawings[0])
    chapter = reader.page.get_by_role("link", name="no proof").get_attribute("href")
    assert (SITE / "book" / chapter).resolve().is_file()
