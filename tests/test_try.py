"""Try the page that runs the model in the browser, as a reader does: with files, the keyboard and a bad network.

What it says is compared with what Python says to the same bytes. The page is the one that an export writes; how it
stands in the built book is looked at in tests/test_try_book.py.
"""

import base64
import hashlib
import json
import re
import shutil
import zlib

import numpy as np
import pytest
import small_models
import yaml

pytest.register_assert_rewrite("reader")

from reader import DESKTOP, PAGE, PHONE, ROOT, check_looks, same, weak_texts  # noqa: E402

from skinlib.serve import exported, publish  # noqa: E402

pytest_plugins = ["reader"]
MODEL = exported.SMALL
SOURCES = publish.SPACE / "web"


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
                "strange": "I don't know: this photo seems unlike those I learned from.",
            }[answer["doubt"]]
        )
        rows = reader.page.locator(f"{ROOT} ol li").all_inner_texts()
        order = sorted(answer["probabilities"], key=answer["probabilities"].get, reverse=True)
        assert [" ".join(row.split()) for row in rows] == [f"{model.title(k)} {answer['percent'][k]} %" for k in order]
        heading = "What it would have guessed" if answer["doubt"] else "How likely it finds each, if it is one of them"
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


def test_a_sample_photo(reader, model, drawings, folder):
    titles = [sample["title"] for sample in json.loads((folder / "samples" / "samples.json").read_text())]
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
@pytest.mark.parametrize("width", [360, 1280])
def test_it_fits_and_can_be_read(reader, drawings, width, scheme):
    check_looks(reader, width, scheme, [drawings[4], drawings[0], ("a-name-without-a-space" * 6, b"no photo")])


def test_a_page_with_a_switch_of_its_own_decides(reader):
    """The book's pages have one for light and dark, whatever the reader's system prefers."""
    page, colour = reader.page, "e => getComputedStyle(e).color"
    light, dark = "rgb(35, 40, 43)", "rgb(223, 229, 230)"
    try:
        for system, switch, expected in (
            ("light", None, light), ("dark", None, dark), ("light", "dark", dark), ("dark", "light", light)
        ):  # fmt: skip
            page.emulate_media(color_scheme=system)
            page.evaluate("s => s ? document.documentElement.dataset.theme = s : 0", switch)
            assert page.locator(ROOT).evaluate(colour) == expected
    finally:
        page.evaluate("delete document.documentElement.dataset.theme")
        page.emulate_media(color_scheme="light")


def test_what_is_always_there(reader, model, drawings):
    reader.choose(drawings[0])
    about = model.labels["model"]
    text = reader.page.locator(ROOT).inner_text()
    assert model.labels["notice"] in text
    assert about["weights_note"] in text
    low, high = (exported.percent(limit) for limit in about["test_accuracy_interval"])
    share = exported.percent(about["test_accuracy"])
    assert f"{share} % (95 % interval {low} % to {high} %)" in text.replace("\u00a0", " ")
    assert model.words["record"] in text and model.words["promise"] in text and "This one was not tried" in text
    assert "drawings made by a program" in text
    assert "stays on this device" in text
    assert re.search(r"It took \d+\.\d\ss on this device", text)
    assert "It knows eight skin conditions" in reader.page.locator("main").inner_text()


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.slow)])
def test_on_a_phone_what_it_is_not_stands_beside_the_answer(reader, model, drawings, scheme):
    """Also where the browser's own bars take a quarter of the screen."""
    page = reader.page
    page.set_viewport_size({"width": 390, "height": 640})
    page.emulate_media(color_scheme=scheme)
    try:
        for drawing in drawings:
            answer = reader.choose(drawing)
            page.wait_for_timeout(1000)  # it scrolls smoothly
            for text in (reader.status, model.words["caution"]):
                box = page.locator(f"{ROOT} > p").filter(has_text=text).last.bounding_box()
                assert box["y"] >= 0 and box["y"] + box["height"] <= 640, text
            noticed = page.get_by_text("It noticed").inner_text()
            assert ("It noticed something" in noticed) == (answer["doubt"] == "strange")
            assert (model.words["unnoticed"] in noticed) == (answer["doubt"] != "strange")
        reader.choose("empty.jpg", b"")
        assert not page.get_by_text(model.words["caution"]).is_visible()
    finally:
        page.set_viewport_size(DESKTOP)
        page.emulate_media(color_scheme="light")


def test_what_a_screen_reader_finds(reader, drawings):
    reader.choose(drawings[4])
    page = reader.page
    assert page.get_by_role("status").get_attribute("aria-live") == "polite"
    assert page.get_by_role("img", name=drawings[4].name).count() == 1
    assert page.get_by_role("list", name="Sample photos").get_by_role("button").count() == len(drawings)
    assert page.locator(f"{ROOT} ol").get_by_role("listitem").count() == 8


# ---- the network


def test_it_works_without_a_network_once_it_is_loaded(visit, site, model, drawings, folder):
    reader = visit(f"{site.address}/{PAGE}")
    reader.load()
    asked = len(site.asked)
    reader.page.context.set_offline(True)
    same(reader.choose(drawings[5]), model, drawings[5].read_bytes())
    reader.page.get_by_role("button", name="Ringworm, drawn").click()
    same(reader.told(), model, (folder / "samples" / "ringworm.jpg").read_bytes())
    assert len(site.asked) == asked
    assert reader.troubles == []


def test_a_photo_loads_the_model_by_itself(visit, site, model, drawings):
    site.asked.clear()
    reader = visit(f"{site.address}/{PAGE}")
    reader.page.wait_for_load_state("networkidle")
    assert site.asked and not any(MODEL in path for path in site.asked)  # nobody who only reads downloads 50 MB
    reader.choose(drawings[0], wait=False)
    reader.page.get_by_role("progressbar").wait_for()
    same(reader.told(), model, drawings[0].read_bytes())
    assert not reader.page.get_by_role("progressbar").is_visible()
    assert reader.troubles == []


@pytest.mark.slow
def test_a_second_visit_does_not_download_the_model_again(browser, visit, site, drawings):
    context = browser.new_context(viewport=DESKTOP)
    for expected in (1, 0):
        site.asked.clear()
        reader = visit(f"{site.address}/{PAGE}", context)
        reader.load()
        assert sum(MODEL in path for path in site.asked) == expected
        assert isinstance(reader.choose(drawings[0]), dict)
        reader.page.close()


@pytest.mark.parametrize(
    "fault", ["damaged", pytest.param("cut", marks=pytest.mark.slow), pytest.param("absent", marks=pytest.mark.slow)]
)
def test_a_download_that_fails_can_be_tried_again(visit, site, model, drawings, fault):
    site.fault = fault
    reader = visit(f"{site.address}/{PAGE}")
    line = reader.choose(drawings[0])
    assert line == "The model did not arrive whole. Is the network there?"
    reader.page.get_by_role("button", name="Try again").click()
    reader.page.locator(f"{ROOT}[data-answer]").wait_for(timeout=60_000)
    same(reader.told(), model, drawings[0].read_bytes())  # the photo was not forgotten
    assert not reader.page.get_by_role("button", name="Try again").is_visible()


@pytest.mark.slow
def test_a_server_that_unpacks_the_runtime_does_no_harm(visit, serve, drawings, folder):
    server = serve(folder)
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


# ---- other classes


@pytest.mark.parametrize("other", small_models.OTHERS, ids=["2", "40"])
def test_a_page_of_other_classes_says_nothing_of_skin(visit, serve, tiny_settings, tmp_path, other):
    title, names, _ = other
    model = small_models.exported(tiny_settings, *other)
    reader = visit(f"{serve(publish.web(model, tmp_path / 'web')).address}/{PAGE}", viewport=PHONE)
    page, root, number = reader.page, reader.page.locator(ROOT), len(names)
    photos = sorted((tiny_settings.cache / "own photos" / title).rglob("*.png"))
    for photo in photos[:: len(photos) // 4]:
        said = reader.choose(photo)
        same(said, model, photo.read_bytes())
        likeliest = sorted(said["probabilities"], key=said["probabilities"].get, reverse=True)
        names_shown = root.locator(".bars > li .name").all_inner_texts()
        assert names_shown[:10] == [" ".join(model.title(key).split()) for key in likeliest][:10]
        assert page.evaluate("document.scrollingElement.scrollWidth") <= PHONE["width"]
    assert root.locator(".bars > li:visible").count() == min(number, 10)
    if number > 10:
        root.get_by_text(f"{number - 10} less likely").click()
        assert root.locator(".bars > li:visible").count() == number
        assert root.locator("b").count() == 0  # what looks like markup in a folder's name is text
        assert weak_texts(root) == []
    assert (
        root.get_by_role("button").count() == 1 and "drawing" not in root.inner_text()
    )  # no samples, and no word of them
    assert model.words["record"] in root.inner_text().replace("\n", " ")
    assert not small_models.spoken_of_skin(page.content())
    assert reader.troubles == []


# ---- the page on its own


def test_it_works_from_any_folder(visit, serve, model, drawings, folder, tmp_path):
    shutil.copytree(folder, tmp_path / "some where" / "else")
    reader = visit(f"{serve(tmp_path).address}/some%20where/else/index.html", color_scheme="dark")
    same(reader.choose(drawings[0]), model, drawings[0].read_bytes())
    assert reader.page.get_by_role("link").count() == 0  # it leads to no chapter that isn't there
    assert weak_texts(reader.page.locator("body")) == []
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
