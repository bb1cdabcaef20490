"""A reader at the page that runs the model: a browser, a server with faults, and what people do and are told there."""

import base64
import functools
import http.server
import io
import json
import mimetypes
import os
import threading
from pathlib import Path

import numpy as np
import pytest
import small_models
from PIL import Image
from test_site import CHROMIUM, DESKTOP, FLAGS, PHONE, QuietHandler, luminance  # noqa: F401

from skinlib.data import reading
from skinlib.serve import publish
from skinlib.serve.exported import SMALL

ROOT = ".skin-try"
PAGE = "index.html"


class Handler(QuietHandler):
    """Serves a folder, keeps a list of what was asked for, and fails as ``server.fault`` says, once."""

    def do_GET(self):
        self.server.asked.append(self.path)
        fault, path = self.server.fault, self.path.partition("?")[0]
        if path.endswith(".wasm.gz") and fault == "packed":
            # Some servers send a .gz as an encoded .wasm.
            body = Path(self.translate_path(path)).read_bytes()
            self.reply(body, len(body), ("Content-Encoding", "gzip"))
        elif path.endswith(SMALL) and fault in ("cut", "damaged", "absent"):
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
def serve():
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
def browser():
    """Return Chromium; skip the test where there is none, or fail where SKINLIB_REQUIRE_SITE is set."""
    if not Path(CHROMIUM).is_file():
        lacking = "Chromium is not installed: on Debian and Ubuntu run `sudo apt-get install chromium`"
        (pytest.fail if os.environ.get("SKINLIB_REQUIRE_SITE") else pytest.skip)(lacking)
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


# ---- the page that an export writes, with a model that gives every kind of answer


@pytest.fixture(scope="module")
def model(exported, sample, tmp_path_factory):
    photos = [sample.path(path) for path in sample.photos.path]
    return small_models.with_all_answers(exported, photos, tmp_path_factory.mktemp("try") / "model")[0]


@pytest.fixture(scope="module")
def folder(model, tmp_path_factory):
    """Return the folder of the page. It is shared: don't write into it."""
    return publish.web(model, tmp_path_factory.mktemp("page") / "web")


@pytest.fixture(scope="module")
def site(serve, folder):
    return serve(folder)


@pytest.fixture(scope="module")
def reader(visit, site):
    """A reader at the page, with the model loaded. It is shared; at the end nothing may have gone wrong."""
    reader = visit(f"{site.address}/{PAGE}")
    reader.load()
    yield reader
    assert reader.troubles == []


@pytest.fixture(scope="module")
def drawings(folder) -> list[Path]:
    listed = json.loads((folder / "samples" / "samples.json").read_text())
    return [folder / "samples" / sample["file"] for sample in listed]


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
    """Return a photo as the bytes of a file."""
    stream = io.BytesIO()
    photo.save(stream, kind, **options)
    return stream.getvalue()


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


def weak_texts(place) -> list:
    """Return the texts within a locator that have less contrast than WCAG 2.2 asks, 4.5 to 1, with their colours."""
    return [text for text in place.evaluate(TEXTS) if contrast(*text[1:]) < 4.5]


def check_looks(reader: Reader, width: int, scheme: str, files: list) -> None:
    """Show each of the files at a width; nothing may be wider than the page, too pale to read or too small to touch."""
    page = reader.page
    page.set_viewport_size({"width": width, "height": 844})
    page.emulate_media(color_scheme=scheme)
    try:
        for file in files:
            reader.choose(*file) if isinstance(file, tuple) else reader.choose(file)
            assert page.evaluate("document.scrollingElement.scrollWidth") <= width
            page.wait_for_timeout(300)  # the theme fades its colours
            assert weak_texts(page.locator(ROOT)) == []
            small = page.locator(f"{ROOT} :is(button, label.choose, summary, input[type=range])").evaluate_all(
                "all => all.filter(e => e.offsetHeight && e.offsetHeight < 44).map(e => e.outerHTML)"
            )
            assert small == []
    finally:
        page.set_viewport_size(DESKTOP)
        page.emulate_media(color_scheme="light")
