"""Open every page of the built book in a browser, and look for what would spoil it for a reader.

These run where the book was built (`make book`) and Debian's Chromium is installed. Elsewhere they are skipped with a
line that says how to get them; where SKINLIB_REQUIRE_SITE is set they fail instead.
"""

import functools
import http.server
import io
import os
import re
import shutil
import threading
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
SITE = ROOT / "_build" / "html"
STAMP = ROOT / "_build" / "stamp.json"  # written when a build succeeded, deleted when one begins
# Debian's name first; Ubuntu's runners have Chrome, which is the same browser to these tests.
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), "/usr/bin/chromium")
PAGES = [
    *sorted(page.relative_to(SITE).as_posix() for page in [*SITE.glob("book/*.html"), *SITE.glob("notebooks/*.html")]),
    "genindex.html",
    "search.html",
]
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1280, "height": 900}

pytestmark = pytest.mark.site


def missing() -> str | None:
    """Return what is missing for these tests, and how to get it; None where nothing is."""
    if not (STAMP.is_file() and (SITE / "index.html").is_file()):
        return "the book is not built here: run `make book` first"
    if not Path(CHROMIUM).is_file():
        return "Chromium is not installed: on Debian and Ubuntu run `sudo apt-get install chromium`"
    return None


@pytest.fixture(scope="module", autouse=True)
def site_and_browser_are_here():
    lacking = missing()
    if lacking and os.environ.get("SKINLIB_REQUIRE_SITE"):
        pytest.fail(f"SKINLIB_REQUIRE_SITE is set, and {lacking}")
    if lacking:
        pytest.skip(lacking)


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Serves the built site without a word on standard error."""

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def address(site_and_browser_are_here):
    handler = functools.partial(QuietHandler, directory=SITE)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def browser(site_and_browser_are_here):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


def opened(browser, address, path: str, viewport: dict = DESKTOP, scheme: str = "light"):
    """Open a page. Returns it with the list, which may grow, of what goes wrong in it."""
    context = browser.new_context(viewport=viewport, color_scheme=scheme)
    page, troubles = context.new_page(), []
    page.on(
        "request",
        lambda request: (
            None
            if request.url.startswith((address, "data:", "blob:"))
            else troubles.append(f"asks another host for {request.url}")
        ),
    )
    page.on("pageerror", lambda error: troubles.append(f"script error: {error}"))
    page.on(
        "console",
        lambda message: troubles.append(f"console: {message.text}") if message.type == "error" else None,
    )
    page.on(
        "response",
        lambda reply: troubles.append(f"{reply.status} for {reply.url}") if reply.status >= 400 else None,
    )
    page.goto(f"{address}/{path}")
    return page, troubles


@pytest.fixture
def visit(browser, address):
    """Return a function that opens a page and gives it with the list of what went wrong while it loaded."""
    visited = []

    def open_page(path: str, viewport: dict = DESKTOP, scheme: str = "light"):
        visited.append(opened(browser, address, path, viewport, scheme))
        return visited[-1]

    yield open_page
    for page, _ in visited:
        page.context.close()


@pytest.fixture(scope="module", params=PAGES)
def seen(browser, address, request):
    """Give each page, opened once for all tests that only look at it, with the list of what went wrong."""
    page, troubles = opened(browser, address, request.param)
    yield page, troubles
    page.context.close()


def page_with(selector: str) -> list[str]:
    """Return the pages in whose source ``selector``, a regular expression, is found."""
    return [path for path in PAGES if (SITE / path).is_file() and re.search(selector, (SITE / path).read_text("utf-8"))]


def test_the_pages_are_those_of_the_contents():
    import yaml

    contents = yaml.safe_load((ROOT / "_toc.yml").read_text())
    files = [contents["root"], *(chapter["file"] for part in contents["parts"] for chapter in part["chapters"])]
    assert {f"{file}.html" for file in files} <= set(PAGES)


def test_the_address_alone_leads_to_the_landing_page(visit):
    page, troubles = visit("")
    page.wait_for_url("**/book/index.html")
    assert page.locator("article h1").inner_text().startswith("What is a score worth?")
    assert troubles == []


def test_page_loads_without_trouble(seen):
    """No script error, no missing file, no request to any other host, also after scrolling to the end."""
    page, troubles = seen
    page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
    page.wait_for_load_state("networkidle")
    assert page.title()
    assert troubles == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", PAGES)
def test_page_fits_a_phone(visit, path, scheme):
    page, _ = visit(path, PHONE, scheme)
    page.evaluate("window.MathJax?.startup?.promise")  # wide only once the formulas are set
    width = page.evaluate("document.scrollingElement.scrollWidth")
    assert width <= PHONE["width"], f"{path} is {width} px wide on a screen of {PHONE['width']} px"


def test_images_say_what_they_show(seen):
    page, _ = seen
    images = page.eval_on_selector_all(
        "img", "images => images.map(i => ({alt: i.alt, src: i.getAttribute('src'), loaded: i.naturalWidth > 0}))"
    )
    wrong = [
        i for i in images if not i["alt"].strip() or "/" in i["alt"] or i["alt"].endswith((".png", ".svg", ".jpg"))
    ]
    assert wrong == []
    assert all(image["loaded"] for image in images)


def test_headings_do_not_skip_a_level(seen):
    page, _ = seen
    levels = page.eval_on_selector_all(
        "article h1, article h2, article h3, article h4", "h => h.map(e => +e.tagName[1])"
    )
    assert all(deeper - level <= 1 for level, deeper in pairwise(levels)), levels


def test_search_finds_a_word(visit):
    page, troubles = visit("search.html?q=leakage")
    page.wait_for_selector("#search-results li a", timeout=15_000)
    found = page.eval_on_selector_all("#search-results li a", "links => links.map(link => link.getAttribute('href'))")
    assert any("glossary" in link for link in found)
    assert troubles == []


def test_search_finds_no_nonsense(visit):
    page, _ = visit("search.html?q=xylophonequartz")
    page.wait_for_function("document.querySelector('#search-results .search-summary')?.innerText.includes('did not')")
    assert page.locator("#search-results li a").count() == 0


def test_math_renders(visit):
    path = page_with(r'class="math notranslate')[0]
    page, troubles = visit(path)
    page.wait_for_selector("mjx-container svg", timeout=15_000)
    assert page.locator("mjx-container").count() >= page.locator(".math").count() > 0
    assert page.locator("mjx-merror, [data-mjx-error]").count() == 0
    assert troubles == []


@pytest.mark.parametrize("path", [path for path in PAGES if path.startswith(("notebooks/", "book/index"))])
def test_dark_mode_filters_no_figure(visit, path):
    page, _ = visit(path, scheme="dark")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    filters = page.eval_on_selector_all(
        "div.cell_output img, figure img",
        """images => images.flatMap(image => {
             const all = [];
             for (let e = image; e; e = e.parentElement) {
               const style = getComputedStyle(e);
               all.push(style.filter, style.mixBlendMode.replace('normal', 'none'));
             }
             return all;
           })""",
    )
    assert filters, f"{path} shows no figure"
    assert set(filters) == {"none"}


def test_dark_mode_leaves_colours_alone(visit):
    """The same figure, photographed from the screen in both modes, has the same pixels."""
    path = page_with(r'<div class="cell_output[^>]*>\s*<img|<img alt="[^"]*" src="\.\./_images')[-1]
    pixels = {}
    for scheme in ("light", "dark"):
        page, _ = visit(path, scheme=scheme)
        image = page.locator("div.cell_output img, figure img").first
        # Without its padding, so that the picture alone is compared, at its own size.
        image.evaluate("e => Object.assign(e.style, {padding: '0', borderRadius: '0', width: '600px', height: 'auto'})")
        page.add_style_tag(
            content=".bd-header, .bd-header-article, .bd-header-announcement { display: none !important }"
        )
        image.scroll_into_view_if_needed()
        pixels[scheme] = np.asarray(Image.open(io.BytesIO(image.screenshot())).convert("RGB")).astype(int)
    light, dark = pixels["light"], pixels["dark"]
    assert abs(light.shape[0] - dark.shape[0]) <= 1 and abs(light.shape[1] - dark.shape[1]) <= 1
    inside = slice(4, min(light.shape[0], dark.shape[0]) - 4), slice(4, 596)  # the outermost pixels blend with the page
    difference = np.abs(light[inside] - dark[inside])
    assert difference.mean() < 1, "dark mode changes the colours of a figure"
    assert light.std() > 1, "the figure is blank"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out(visit, scheme):
    """Text and links have the contrast that WCAG 2.2 asks of body text, 4.5 to 1."""
    page, _ = visit("book/how-to-use.html", scheme=scheme)
    for selector in ("article p", "article a.reference", "article h2", "article code", "article td"):
        colours = page.locator(selector).first.evaluate(
            """e => {
                 const ground = element => getComputedStyle(element).backgroundColor;
                 let below = e;
                 while (/rgba\\(0, 0, 0, 0\\)/.test(ground(below)) && below.parentElement) below = below.parentElement;
                 return [getComputedStyle(e).color, ground(below)];
               }"""
        )
        text, ground = (luminance(colour) for colour in colours)
        contrast = (max(text, ground) + 0.05) / (min(text, ground) + 0.05)
        assert contrast >= 4.5, f"{selector} in {scheme} mode: {contrast:.1f} to 1 ({colours})"


def luminance(colour: str) -> float:
    """Return the relative luminance of a CSS rgb() colour, 0 (black) to 1 (white), as WCAG 2.2 defines it."""
    channels = np.array([float(number) for number in re.findall(r"[\d.]+", colour)[:3]]) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize("path", page_with(r'class="solution dropdown admonition'))
def test_solutions_are_folded_and_open(visit, path):
    page, _ = visit(path)
    solution = page.locator("div.solution.dropdown").first
    body = solution.locator("section").first
    assert not body.is_visible()
    solution.locator(".admonition-title, button.toggle-button").first.click()
    body.wait_for(state="visible")
