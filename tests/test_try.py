"""Try the page that runs the model in the browser, as a reader does: with files, the keyboard and a bad network.

What it says is compared with what Python says to the same bytes. Like tests/test_site.py these need the built book.
"""

import base64
import functools
import hashlib
import http.server
import io
import json
import mimetypes
import os
import re
import shutil
import struct
import threading
import zlib
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image
from test_site import CHROMIUM, DESKTOP, FLAGS, PHONE, SITE, QuietHandler, luminance, missing

from skinlib.data import reading
from skinlib.serve import exported

TRY = SITE / "try"
PAGE = "book/try-it.html"
MODEL = exported.SMALL
SOURCES = Path(__file__).parents[1] / "space" / "web"
ROOT = ".skin-try"

pytestmark = pytest.mark.site


@pytest.fixture(scope="module")
def page_and_browser_are_here():
    lacking = missing() or (None if (TRY / MODEL).is_file() else "the built book has no page to try: run `make book`")
    if lacking and os.environ.get("SKINLIB_REQUIRE_SITE"):
        pytest.fail(f"SKINLIB_REQUIRE_SITE is set, and {lacking}")
    if lacking:
        pytest.skip(lacking)


class Handler(QuietHandler):
    """Serves a folder, keeps a list of what was asked for, and fails as ``server.fault`` says, once."""

    def do_GET(self):
        self.server.asked.append(self.path)
        fault, path = self.server.fault, self.path.partition("?")[0]
        if path.endswith(".wasm.gz") and fault == "packed":
            # Some servers send a .gz as an encoded .wasm.
            body = Path(self.translate_path(path)).read_bytes()
            self.reply(body, len(body), ("Content-Encoding", "gzip"))
        elif path.endswith(MODEL) and fault in ("cut", "damaged", "absent"):
            self.server.fault = None
            body = bytearray(Path(self.translate_path(path)).read_bytes())
            if fault == "absent":
                self.send_error(503)
            elif fault == "cut":
                self.reply(body[: len(body) // 2], len(body))
            else:
                body[len(body) // 2] ^= 1
                self.reply(body, len(body))
        else:
            super().do_GET()

    def reply(self, body, length, *headers):
        self.send_response(200)
        for header in (("Content-Length", str(length)), *headers):
            self.send_header(*header)
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True


@pytest.fixture(scope="module")
def serve(page_and_browser_are_here):
    """Return a function that serves a folder and returns the server, which has an address, asked and fault."""
    servers = []

    def start(folder: Path):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=folder))
        server.asked, server.fault, server.address = [], None, f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def site(serve):
    return serve(SITE)


@pytest.fixture(scope="module")
def browser(page_and_browser_are_here):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # A host that is neither this machine's name nor https: such pages have no store and no hashing.
        flags = [*FLAGS, "--host-resolver-rules=MAP plain.test 127.0.0.1"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield browser
        browser.close()


class Reader:
    """A person at the page: what they do, and what they are told."""

    def __init__(self, page, troubles):
        self.page, self.troubles = page, troubles
        page.locator(f"{ROOT}[data-ready]").wait_for()

    @property
    def data(self) -> dict:
        return self.page.locator(ROOT).evaluate("root => ({...root.dataset})")

    @property
    def status(self) -> str:
        return self.page.get_by_role("status").inner_text()

    def choose(self, *files, wait=True):
        """Choose a file: a path, or a name and its bytes."""
        if isinstance(files[0], str):
            name, content = files
            kind = mimetypes.guess_type(name)[0] or "application/octet-stream"  # as a browser does
            files = [{"name": name, "mimeType": kind, "buffer": content}]
        self.page.get_by_label("Choose a photo").set_input_files(files)
        return self.told() if wait else None

    def told(self):
        """Wait until something is said; return the answer, a dict, or else the line, a str."""
        self.page.wait_for_function(
            "['answered', 'error'].includes(document.querySelector('.skin-try').dataset.state)", timeout=60_000
        )
        answer = self.data.get("answer")
        return json.loads(answer) if answer else self.status

    def load(self):
        self.page.get_by_role("button", name="Load the model now").click()
        self.page.get_by_text("The model is loaded. It works without a network now.").wait_for(timeout=60_000)

    def picture(self) -> np.ndarray:
        """Return what is on the canvas, uint8 (h, w, 3)."""
        link = self.page.get_by_role("img", name="heat map").evaluate("canvas => canvas.toDataURL()")
        return np.asarray(Image.open(io.BytesIO(base64.b64decode(link.partition(",")[2]))).convert("RGB"))


@pytest.fixture(scope="module")
def visit(browser):
    """Return a function that opens a page of a server as a reader."""
    contexts = []

    def open_page(address: str, context=None, **settings):
        context = context or browser.new_context(**({"viewport": DESKTOP} | settings))
        contexts.append(context)
        page, troubles = context.new_page(), []
        home = tuple(address.split("/")[:3])

        def check(request):
            if not request.url.startswith(("/".join(home), "data:", "blob:")):
                troubles.append(f"asks another host for {request.url}")
            if request.method != "GET":
                troubles.append(f"sends something: {request.method} {request.url}")

        context.on("request", check)
        page.on("pageerror", lambda error: troubles.append(f"script error: {error}"))
        page.on("console", lambda line: troubles.append(f"console: {line.text}") if line.type == "error" else None)
        page.goto(address)
        return Reader(page, troubles)

    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture(scope="module")
def reader(visit, site):
    """A reader at the page, with the model loaded. It is shared; at the end nothing may have gone wrong."""
    reader = visit(f"{site.address}/{PAGE}")
    reader.load()
    yield reader
    assert reader.troubles == []


@pytest.fixture(scope="module")
def model(page_and_browser_are_here):
    return exported.ExportedModel(TRY)


@pytest.fixture(scope="module")
def drawings(page_and_browser_are_here) -> list[Path]:
    listed = json.loads((TRY / "samples" / "samples.json").read_text())
    return [TRY / "samples" / sample["file"] for sample in listed]


def same(said: dict, model, content: bytes, numbers_within: float = 1e-3):
    """Check that the page said what Python says to the same bytes."""
    answer = model.answer(reading.decode(content, pixel_limit=model.labels["limits"]["pixels"]))
    expected = answer.as_dict()
    for key in ("condition", "doubt", "best_guess", "percent"):
        assert said[key] == expected[key]
    for key, probability in answer.probabilities.items():
        assert said["probabilities"][key] == pytest.approx(probability, abs=numbers_within)
    assert said["strangeness"] == pytest.approx(answer.strangeness, abs=numbers_within)


def stored(photo: Image.Image, kind: str, **options) -> bytes:
    stream = io.BytesIO()
    photo.save(stream, kind, **options)
    return stream.getvalue()


# ---- the same answers as in Python


def test_a_photo_gets_the_answer_that_python_gives(reader, model, drawings):
    texts = []
    for drawing in drawings:
        answer = reader.choose(drawing)
        same(answer, model, drawing.read_bytes())
        best = model.title(answer["best_guess"])
        percent = f"{answer['percent'][answer['best_guess']]}\u00a0%"
        texts.append(reader.status)
        assert (
            reader.status
            == {
                None: f"{best}, {percent}",
                "unsure": "I don't know: no condition is likely enough.",
                "strange": "I don't know: this photo is unlike those it learned from.",
            }[answer["doubt"]]
        )
        rows = reader.page.locator(f"{ROOT} ol li").all_inner_texts()
        order = sorted(answer["probabilities"], key=answer["probabilities"].get, reverse=True)
        assert [" ".join(row.split()) for row in rows] == [f"{model.title(k)} {answer['percent'][k]} %" for k in order]
        heading = "What it would have guessed" if answer["doubt"] else "How likely it finds each"
        assert reader.page.get_by_text(heading).is_visible()
    assert len(set(texts)) > 1


def test_twenty_photos_of_the_sample(reader, model, sample):
    paths = sample.photos.path.iloc[:: len(sample.photos) // 20][:20]
    assert len(paths) == 20
    for path in paths:
        same(reader.choose(sample.path(path)), model, sample.path(path).read_bytes())


@pytest.mark.clinical
def test_twenty_clinical_photos(reader, model, clinical_folder):
    files = sorted(file for file in clinical_folder.rglob("*") if file.is_file())
    odd = [file for file in files if file.suffix in (".png", ".webp")][:8]
    for file in (*odd, *files[:: len(files) // 12][:12]):
        same(reader.choose(file), model, file.read_bytes())


def odd_photos():
    """Return photos stored in ways that decoders like to disagree on: (name, bytes)."""
    random = np.random.default_rng(0)
    smooth = random.integers(0, 256, (6, 9, 3), dtype=np.uint8)
    photo = Image.fromarray(smooth).resize((301, 203), Image.Resampling.BICUBIC)
    clear = photo.convert("RGBA")
    clear.putalpha(Image.fromarray(np.tile(np.linspace(0, 255, 301).astype(np.uint8), (203, 1))))
    turned = Image.Exif()
    turned[0x0112] = 6
    profile = _swapped_profile()
    return {
        "turned.jpg": stored(photo, "JPEG", exif=turned),
        "turned.png": stored(photo, "PNG", exif=turned),
        "clear.png": stored(clear, "PNG"),
        "clear.webp": stored(clear, "WEBP", lossless=True),
        "palette.gif": stored(photo.quantize(32), "GIF"),
        "moving.gif": stored(photo, "GIF", save_all=True, append_images=[photo.rotate(180)]),
        "profile.jpg": stored(photo, "JPEG", icc_profile=profile),
        "grey.jpg": stored(photo.convert("L"), "JPEG"),
        "print.jpg": stored(photo.convert("CMYK"), "JPEG"),
        "progressive.jpg": stored(photo, "JPEG", progressive=True, subsampling=2),
        "deep.png": stored(Image.fromarray(random.integers(0, 65536, (40, 50)).astype(np.uint16)), "PNG"),
        "old.bmp": stored(photo, "BMP"),
        "new.avif": stored(photo, "AVIF"),
        "one.png": stored(Image.new("RGB", (1, 1), (200, 100, 50)), "PNG"),
        "thin.png": stored(photo.resize((2, 1500)), "PNG"),
        "tail.jpg": stored(photo, "JPEG") + b"left by a phone" * 9,
        "wrong.txt": stored(photo, "JPEG"),
        "wrong.svg": stored(photo, "PNG"),
    }


def _swapped_profile() -> bytes:
    """Return a colour profile that swaps red and green: nobody overlooks that it was applied."""
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return profile.replace(b"rXYZ", b"????").replace(b"gXYZ", b"rXYZ").replace(b"????", b"gXYZ")


@pytest.mark.parametrize("name", odd_photos())
def test_it_decodes_as_pillow_does(reader, model, name):
    content = odd_photos()[name]
    same(reader.choose(name, content), model, content)
    upright = reading.decode(content).shape[:2]
    shown = reader.picture().shape[:2]
    assert (upright[0] > upright[1]) == (shown[0] > shown[1])


def test_the_largest_photo_that_is_allowed(reader, model):
    pixels = model.labels["limits"]["pixels"]
    height = 6000
    content = stored(Image.linear_gradient("L").resize((pixels // height, height)).convert("RGB"), "JPEG")
    same(reader.choose("large.jpg", content), model, content)
    assert max(reader.picture().shape) <= 640


# ---- what cannot be read gets a line, and the page goes on


def png(width: int, height: int) -> bytes:
    """Return a PNG of a few bytes that claims a size."""

    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


def bad_files() -> dict[str, tuple[bytes, str]]:
    """Return files that are no photo for us, with what the reader has to be told."""
    photo = Image.linear_gradient("L").convert("RGB")
    whole = stored(photo, "JPEG")
    claim = whole.index(b"\xff\xc0") + 5
    svg = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9"/></svg>'
    return {
        "half.jpg": (whole[: len(whole) // 2], "damaged"),
        "end.jpg": (whole[:-2], "damaged"),
        "half.png": (stored(photo, "PNG")[:300], "damaged"),
        "flipped.png": (stored(photo, "PNG").replace(b"IDAT", b"IDAT\x00", 1), "damaged"),
        "head.jpg": (whole[:20], "damaged"),
        "empty.jpg": (b"", "empty"),
        "words.jpg": (b"This is not a photo.", "JPEG, PNG or WebP"),
        "paper.pdf": (b"%PDF-1.7\n", "JPEG, PNG or WebP"),
        "film.mp4": (b"\0\0\0\x18ftypisom\0\0\0\0isommp42" + bytes(50), "JPEG, PNG or WebP"),
        "IMG_1.HEIC": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(50), "Most Compatible"),
        "IMG_2.jpg": (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic" + bytes(50), "Most Compatible"),
        "scan.tif": (stored(photo, "TIFF"), "TIFF"),
        "drawing.svg": (svg, "JPEG, PNG or WebP"),
        "drawing.png": (svg, "JPEG, PNG or WebP"),
        "bomb.png": (png(65_535, 65_535), "million pixels"),
        "wide.png": (png(50_000, 1001), "million pixels"),
        "bomb.jpg": (whole[:claim] + struct.pack(">HH", 65_500, 65_500) + whole[claim + 4 :], "million pixels"),
        "scans.jpg": (stored(photo, "JPEG", progressive=True)[:-2] + 200 * b"\xff\xda\0\x08\1\1\0\0\x3f\0", "scans"),
        "bomb.gif": (b"GIF89a" + struct.pack("<HH", 65_535, 65_535) + bytes(50), "million pixels"),
    }


@pytest.mark.parametrize("name", bad_files())
def test_a_bad_file_gets_a_line(reader, drawings, name):
    content, words = bad_files()[name]
    line = reader.choose(name, content)
    assert isinstance(line, str) and line.startswith(f"{name} ") and words in line
    assert not reader.page.locator(f"{ROOT} ol").is_visible()
    assert reader.choose(drawings[0])["name"] == drawings[0].name  # and the next photo is looked at


def test_a_photo_of_seventy_million_pixels_is_refused_unseen(reader):
    content = stored(Image.new("L", (10_000, 7_000), 128), "JPEG")
    assert "more than 50 million pixels" in reader.choose("huge.jpg", content)


def test_a_file_of_too_many_bytes_is_refused(reader, model, tmp_path, drawings):
    file = tmp_path / "heavy.jpg"
    limit = model.labels["limits"]["bytes"]
    whole = drawings[0].read_bytes()
    file.write_bytes(whole + bytes(limit - len(whole)))
    assert isinstance(reader.choose(file), dict)
    file.write_bytes(whole + bytes(limit - len(whole) + 1))
    assert "more than 30\u00a0MB" in reader.choose(file)


def test_a_name_is_shown_as_text(reader):
    line = reader.choose("<img src=x onerror=alert(1)>.jpg", b"nothing")
    assert "<img src=x" in line
    assert reader.page.locator(f"{ROOT} .status img").count() == 0


# ---- ways in


def test_the_same_file_twice(reader, drawings):
    first = reader.choose(drawings[1])
    second = reader.choose(drawings[1])
    assert second["number"] > first["number"]
    assert second["probabilities"] == first["probabilities"]


def test_of_two_photos_the_last_one_wins(reader, model, drawings):
    for one, other in ((drawings[2], drawings[7]), (drawings[7], drawings[2])):
        reader.choose(one, wait=False)
        same(reader.choose(other), model, other.read_bytes())
        reader.page.wait_for_timeout(1500)
        assert json.loads(reader.data["answer"])["name"] == other.name


def test_a_bad_file_takes_the_place_of_a_photo_that_is_looked_at(reader, drawings):
    reader.choose(drawings[2], wait=False)
    assert "empty" in reader.choose("empty.jpg", b"")
    reader.page.wait_for_timeout(1500)
    assert "empty" in reader.status


@pytest.mark.parametrize("way", ["drop", "paste"])
def test_a_photo_can_be_dropped_and_pasted(reader, model, drawings, way):
    content = drawings[3].read_bytes()
    reader.choose("empty.jpg", b"")
    prevented = reader.page.evaluate(
        """([way, encoded]) => {
             const bytes = Uint8Array.from(atob(encoded), (c) => c.charCodeAt(0));
             const data = new DataTransfer();
             data.items.add(new File([bytes], "given.jpg", { type: "image/jpeg" }));
             const options = { bubbles: true, cancelable: true, dataTransfer: data, clipboardData: data };
             const event = way === "drop" ? new DragEvent("drop", options) : new ClipboardEvent("paste", options);
             return !document.body.dispatchEvent(event);
           }""",
        [way, base64.b64encode(content).decode()],
    )
    assert prevented == (way == "drop")  # else the browser would leave the page for the photo
    said = reader.told()
    assert said["name"] == "given.jpg"
    same(said, model, content)


def test_words_that_are_dropped_are_no_photo(reader):
    reader.page.evaluate(
        """() => {
             const data = new DataTransfer();
             data.setData("text/plain", "https://example.org/photo.jpg");
             const options = { bubbles: true, cancelable: true, dataTransfer: data };
             document.querySelector(".skin-try .drop").dispatchEvent(new DragEvent("drop", options));
           }"""
    )
    assert "save the photo first" in reader.told()


def test_a_sample_photo(reader, model, drawings):
    titles = [sample["title"] for sample in json.loads((TRY / "samples" / "samples.json").read_text())]
    for title, drawing in zip(titles, drawings, strict=True):
        reader.page.get_by_role("button", name=title).click()
        said = reader.told()
        assert said["name"] == title
        same(said, model, drawing.read_bytes())


@pytest.mark.parametrize("touch", [True, False])
def test_the_camera_is_offered_on_touch_screens_only(visit, site, touch):
    settings = {"viewport": PHONE, "has_touch": True, "is_mobile": True} if touch else {}
    reader = visit(f"{site.address}/{PAGE}", **settings)
    camera = reader.page.locator(f"{ROOT} input[capture=environment]")
    assert camera.count() == 1
    assert reader.page.get_by_text("Take a photo").is_visible() == touch


# ---- the picture


def test_the_slider_lays_the_heat_over_the_photo(reader, model, drawings):
    drawing = drawings[4]
    reader.choose(drawing)
    slider = reader.page.get_by_role("slider", name="Heat map")
    photo = model.read(drawing)
    heat = model.answer(photo).heat()
    for strength in (0, 70, 100):
        slider.fill(str(strength))
        expected = exported.laid_over(photo, heat, strength / 100).astype(int)
        shown = reader.picture()
        assert shown.shape == expected.shape
        assert np.abs(shown - expected).mean() < 2, strength
    assert np.abs(reader.picture() - exported.laid_over(photo, heat, 0).astype(int)).mean() > 5
    slider.fill("70")


def test_the_keyboard_alone_is_enough(reader, drawings):
    page = reader.page
    reader.choose("empty.jpg", b"")
    # From the start on: Playwright does not wait until it may answer for the dialog.
    page.once("filechooser", lambda dialog: dialog.set_files(drawings[4]))
    page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
    focused = "(() => { const e = document.activeElement; return e.type ?? e.tagName; })()"

    def tab_to(kind: str):
        for _ in range(60):
            page.keyboard.press("Tab")
            inside = page.evaluate("document.querySelector('.skin-try').contains(document.activeElement)")
            if inside and page.evaluate(focused) == kind:
                return page.evaluate(
                    "getComputedStyle(document.activeElement.closest('.choose') ?? document.activeElement).outlineStyle"
                )
        raise AssertionError(f"no {kind} is reached")

    assert tab_to("file") == "solid"
    page.keyboard.press("Enter")
    page.locator(f"{ROOT}[data-answer*='{drawings[4].name}']").wait_for()
    assert tab_to("button") == "solid"
    page.keyboard.press("Enter")
    assert reader.told()["name"] == "Cellulitis, drawn"
    assert tab_to("range") == "solid"
    before = reader.picture()
    page.keyboard.press("Home")
    assert (reader.picture() != before).any()
    page.keyboard.press("End")


# ---- what it looks like, and to whom


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 390, 1280])
def test_it_fits_and_can_be_read(reader, drawings, width, scheme):
    page = reader.page
    page.set_viewport_size({"width": width, "height": 844})
    page.emulate_media(color_scheme=scheme)
    try:
        for file in (drawings[4], drawings[0], "bad"):
            reader.choose(file) if file != "bad" else reader.choose("a-name-without-a-space" * 6, b"no photo")
            assert page.evaluate("document.scrollingElement.scrollWidth") <= width
            page.wait_for_timeout(300)  # the theme fades its colours
            weak = [text for text in page.locator(ROOT).evaluate(TEXTS) if contrast(*text[1:]) < 4.5]
            assert weak == []
            small = page.locator(f"{ROOT} :is(button, label.choose, input[type=range])").evaluate_all(
                "all => all.filter(e => e.offsetHeight && e.offsetHeight < 44).map(e => e.outerHTML)"
            )
            assert small == []
    finally:
        page.set_viewport_size(DESKTOP)
        page.emulate_media(color_scheme="light")


TEXTS = """root => {
  const clear = (colour) => /, 0\\)$/.test(colour);
  const found = [];
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !node.checkVisibility()) continue;
    let below = node;
    while (clear(getComputedStyle(below).backgroundColor) && below.parentElement) below = below.parentElement;
    const ground = getComputedStyle(below).backgroundColor;
    found.push([walker.currentNode.data, getComputedStyle(node).color, clear(ground) ? "rgb(255, 255, 255)" : ground]);
  }
  return found;
}"""


def contrast(text: str, ground: str) -> float:
    light, dark = sorted((luminance(text), luminance(ground)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_what_is_always_there(reader, model, drawings):
    reader.choose(drawings[0])
    told = model.labels["model"]
    text = reader.page.locator(ROOT).inner_text()
    assert model.labels["notice"] in text
    assert told["weights_note"] in text
    low, high = (exported.percent(limit) for limit in told["test_accuracy_interval"])
    share = exported.percent(told["test_accuracy"])
    assert f"{share} % (95 % interval {low} % to {high} %)" in text.replace("\u00a0", " ")
    assert "stays on this device" in text
    assert re.search(r"It took \d+\.\d\ss on this device", text)
    chapter = reader.page.get_by_role("link", name="no proof").get_attribute("href")
    assert (SITE / "book" / chapter).resolve().is_file()


def test_what_a_screen_reader_finds(reader, drawings):
    reader.choose(drawings[4])
    page = reader.page
    assert page.get_by_role("status").get_attribute("aria-live") == "polite"
    assert page.get_by_role("img", name=drawings[4].name).count() == 1
    assert page.get_by_role("list", name="Sample photos").get_by_role("button").count() == len(drawings)
    assert page.locator(f"{ROOT} ol").get_by_role("listitem").count() == 8


# ---- the network


def test_it_works_without_a_network_once_it_is_loaded(visit, site, model, drawings, sample):
    reader = visit(f"{site.address}/{PAGE}")
    reader.load()
    asked = len(site.asked)
    reader.page.context.set_offline(True)
    same(reader.choose(drawings[5]), model, drawings[5].read_bytes())
    reader.page.get_by_role("button", name="Ringworm, drawn").click()
    same(reader.told(), model, (TRY / "samples" / "ringworm.jpg").read_bytes())
    assert len(site.asked) == asked
    assert reader.troubles == []


def test_a_photo_loads_the_model_by_itself(visit, site, model, drawings):
    reader = visit(f"{site.address}/{PAGE}")
    reader.page.wait_for_load_state("networkidle")
    assert not any(MODEL in path for path in site.asked[-20:])  # nobody who only reads downloads 50 MB
    reader.choose(drawings[0], wait=False)
    reader.page.get_by_role("progressbar").wait_for()
    same(reader.told(), model, drawings[0].read_bytes())
    assert not reader.page.get_by_role("progressbar").is_visible()
    assert reader.troubles == []


def test_a_second_visit_does_not_download_the_model_again(browser, visit, site, drawings):
    context = browser.new_context(viewport=DESKTOP)
    for expected in (1, 0):
        site.asked.clear()
        reader = visit(f"{site.address}/{PAGE}", context)
        reader.load()
        assert sum(MODEL in path for path in site.asked) == expected
        assert isinstance(reader.choose(drawings[0]), dict)
        reader.page.close()


@pytest.mark.parametrize("fault", ["cut", "damaged", "absent"])
def test_a_download_that_fails_can_be_tried_again(visit, site, model, drawings, fault):
    site.fault = fault
    reader = visit(f"{site.address}/{PAGE}")
    line = reader.choose(drawings[0])
    assert line == "The model did not arrive whole. Is the network there?"
    reader.page.get_by_role("button", name="Try again").click()
    reader.page.locator(f"{ROOT}[data-answer]").wait_for(timeout=60_000)
    same(reader.told(), model, drawings[0].read_bytes())  # the photo was not forgotten
    assert not reader.page.get_by_role("button", name="Try again").is_visible()


def test_a_server_that_unpacks_the_runtime_does_no_harm(visit, serve, drawings):
    server = serve(SITE)
    server.fault = "packed"
    reader = visit(f"{server.address}/{PAGE}")
    assert isinstance(reader.choose(drawings[0]), dict)


def test_plain_http_is_enough(visit, site, model, drawings):
    """Without https a browser gives a page neither a store nor hashing."""
    port = site.address.rpartition(":")[2]
    reader = visit(f"http://plain.test:{port}/{PAGE}")
    assert reader.page.evaluate("[self.isSecureContext, self.caches === undefined]") == [False, True]
    same(reader.choose(drawings[0]), model, drawings[0].read_bytes())
    assert reader.troubles == []


# ---- the page on its own


def test_it_works_from_any_folder(visit, serve, model, drawings, tmp_path):
    shutil.copytree(TRY, tmp_path / "some where" / "else")
    reader = visit(f"{serve(tmp_path).address}/some%20where/else/index.html", color_scheme="dark")
    same(reader.choose(drawings[0]), model, drawings[0].read_bytes())
    assert reader.page.get_by_role("link").count() == 0  # it leads to no chapter that isn't there
    weak = [text for text in reader.page.locator("body").evaluate(TEXTS) if contrast(*text[1:]) < 4.5]
    assert weak == []
    assert reader.troubles == []


def test_the_space_is_described_as_hugging_face_wants():
    card = (SOURCES / "README.md").read_text("utf-8")
    head = yaml.safe_load(card.split("---")[1])
    colours = ("red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray")
    assert head["sdk"] == "static" and (SOURCES / head["app_file"]).is_file()
    assert head["colorFrom"] in colours and head["colorTo"] in colours
    assert 0 < len(head["short_description"]) <= 60
    assert head["license"] == "mit"


def test_the_runtime_is_the_files_we_say_it_is():
    folder, told = SOURCES / "ort", (SOURCES / "ort" / "README.txt").read_text("utf-8")
    for file in ("ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm.gz"):
        assert f"{hashlib.sha256((folder / file).read_bytes()).hexdigest()}  {file}" in told
    unpacked = zlib.decompress((folder / "ort-wasm-simd-threaded.wasm.gz").read_bytes(), wbits=31)
    assert hashlib.sha256(unpacked).hexdigest() in told
    assert len((folder / "ort-wasm-simd-threaded.wasm.gz").read_bytes()) < 5_000_000
