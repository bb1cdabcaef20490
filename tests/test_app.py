"""Ask the app as programs and people do, send it what it must refuse, and look for what it must not keep."""

import io
import os
import re
import shutil
import socket
import struct
import time
import tomllib
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest
import small_models
from gradio_client import Client, handle_file
from PIL import Image

from skinlib.base.errors import InputError, SkinlibError
from skinlib.serve import app, app_page, door
from skinlib.serve.exported import Answer, ExportedModel, laid_over

pytest_plugins = ["reader"]
FILE = {"meta": {"_type": "gradio.FileData"}}


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture(scope="module")
def model_and_examples(exported, sample, tmp_path_factory):
    photos = [sample.path(path) for path in sample.photos.path]
    return small_models.with_all_answers(exported, photos, tmp_path_factory.mktemp("app") / "model")


@pytest.fixture(scope="module")
def model(model_and_examples):
    return model_and_examples[0]


@pytest.fixture(scope="module")
def examples(model_and_examples):
    """Return a photo that is answered, one that leaves the model unsure and one strange to it, with the answers."""
    return model_and_examples[1]


@pytest.fixture(scope="module")
def serve(tmp_path_factory):
    """Return a function that starts the app of a model; uploads go to a folder of their own."""
    running = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("uploads")))

        def start(model):
            running.append(app.launch(model, port=free_port(), wait=False, quiet=True))
            return running[-1]

        yield start
        for one in running:
            one.close(verbose=False)


@pytest.fixture(scope="module")
def served(serve, model):
    return serve(model)


@pytest.fixture(scope="module")
def address(served):
    return served.local_url.rstrip("/")


@pytest.fixture(scope="module")
def client(address):
    return Client(address, verbose=False)


def ask(client, file) -> dict:
    return client.predict(handle_file(str(file)), api_name="/predict")


def kept(served) -> list[Path]:
    """Return the photos, or whatever was sent as one, that lie in the folder of uploads."""
    return [file for file in Path(served.server_app.uploaded_file_dir).rglob("*") if file.is_file()]


# --- programs ------------------------------------------------------------------------------------------------------


def test_programs_get_what_python_answers(client, served, examples, model, sample, tmp_path):
    assert set(examples) == {None, "unsure", "strange"}
    for file, expected in examples.values():
        assert ask(client, file) == expected
    turned = Image.fromarray(sample.read(sample.photos.path[0]))
    turned.getexif()[274] = 6
    misnamed = tmp_path / "not a text, ünd näch oben ... .txt"
    turned.save(misnamed, "PNG", exif=turned.getexif())
    assert ask(client, misnamed) == model.answer(model.read(misnamed)).as_dict()
    assert not kept(served)


def test_the_endpoint_is_documented(client):
    endpoints = client.view_api(return_format="dict", print_info=False)
    assert list(endpoints["named_endpoints"]) == ["/predict"] and not endpoints["unnamed_endpoints"]
    told = endpoints["named_endpoints"]["/predict"]
    assert [parameter["parameter_name"] for parameter in told["parameters"]] == ["photo"]
    assert "not a medical device" in told["description"] and "http" not in str(told["parameters"])


def test_eight_at_once_get_their_own_answers_also_for_the_same_file(address, served, sample, model):
    files = [sample.path(path) for path in sample.photos.path[::30][:4]] * 2
    expected = [model.answer(model.read(file)).as_dict() for file in files]
    assert len({str(answer) for answer in expected}) == 4
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda file: ask(Client(address, verbose=False), file), files))
    assert answers == expected
    assert not kept(served)


# --- what is no photo ----------------------------------------------------------------------------------------------


def png_bomb(width: int, height: int) -> bytes:
    """Return a small PNG that claims to be large."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def damaged() -> bytes:
    stream = io.BytesIO()
    Image.effect_noise((200, 200), 50).save(stream, "JPEG")
    return stream.getvalue()[:2000]


NO_PHOTOS = {
    "empty": (b"", "empty file"),
    "text": (b"hello, this is no photo at all", "a text, no photo"),
    "script": (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", "a drawing (SVG)"),
    "damaged": (damaged(), "truncated or damaged"),
    "bomb": (png_bomb(30_000, 30_000), "too many pixels, more than 50 million"),
    "heic": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(50), "HEIC"),
    "mif1": (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic" + bytes(50), "save it as JPEG"),
}


@pytest.mark.parametrize("name", NO_PHOTOS)
def test_what_is_no_photo_gets_one_friendly_line(client, served, tmp_path, name):
    content, words = NO_PHOTOS[name]
    file = tmp_path / f"{name}.jpg"
    file.write_bytes(content)
    with pytest.raises(Exception, match=re.escape(words)) as caught:
        ask(client, file)
    message = str(caught.value)
    assert "\n" not in message and str(served.server_app.uploaded_file_dir) not in message and "Trace" not in message
    assert not kept(served)


def test_too_large_a_file_is_refused_at_the_door(address, served, model, tmp_path):
    limit = model.labels["limits"]["bytes"]
    for size in (limit + 1, limit + 100_000):
        reply = httpx.post(f"{address}/gradio_api/upload", files={"files": ("a.jpg", bytes(size))})
        assert reply.status_code == 413
    endless = httpx.post(f"{address}/gradio_api/upload", content=iter([b"x"] * 3), headers={"content-type": "a/b"})
    assert endless.status_code == 411
    assert not kept(served)


@pytest.mark.parametrize(
    "payload",
    [
        {"path": "/etc/passwd", **FILE},
        {"path": "/etc/passwd", "is_stream": True, **FILE},
        {"path": "../../../../etc/passwd", **FILE},
        {"path": "http://127.0.0.1:1/a.png", **FILE},
        {"path": "HTTPS://example.com/a.png", **FILE},
        {"url": "http://127.0.0.1:1/a.png", **FILE},
        {"url": "data:image/png;base64,AAAA", **FILE},
        {"path": "", **FILE},
        {"path": "/etc/passwd"},
        "/etc/passwd",
        None,
    ],
)
def test_only_an_upload_is_a_photo(address, payload):
    event = httpx.post(f"{address}/gradio_api/call/predict", json={"data": [payload]}).json()["event_id"]
    reply = httpx.get(f"{address}/gradio_api/call/predict/{event}").text
    assert reply.startswith("event: error") and "root:" not in reply and "/etc" not in reply and "Trace" not in reply


def test_a_path_into_another_folder_of_uploads_is_no_photo(address, served, sample):
    uploads = Path(served.server_app.uploaded_file_dir)
    secret = uploads.parent / "secret.jpg"
    shutil.copy(sample.path(sample.photos.path[0]), secret)
    for path in (f"{uploads}/../secret.jpg", str(secret), f"{uploads}/a/../../secret.jpg"):
        event = httpx.post(f"{address}/gradio_api/call/predict", json={"data": [{"path": path, **FILE}]}).json()
        assert "event: error" in httpx.get(f"{address}/gradio_api/call/predict/{event['event_id']}").text
    assert secret.is_file()


def test_the_server_hands_out_no_file_and_has_no_other_doors(address, sample):
    with sample.path(sample.photos.path[0]).open("rb") as photo:
        (uploaded,) = httpx.post(f"{address}/gradio_api/upload", files={"files": ("a.jpg", photo)}).json()
    for path in (uploaded, "/etc/passwd", "../../etc/passwd", "%2e%2e/%2e%2e/etc/passwd", "http://example.com"):
        reply = httpx.get(f"{address}/gradio_api/file={path}")
        assert (reply.status_code, reply.content) in {(204, b""), (404, b"Not found")}  # httpx shortens ../../
    for path in ("proxy=http://example.com", "deep_link?session_hash=a", "run-history/buckets", "vibe-code", "file/a"):
        assert httpx.get(f"{address}/gradio_api/{path}").status_code == 404
    assert httpx.get(f"{address}/monitoring").status_code == 404
    assert httpx.post(f"{address}/gradio_api/process_recording", files={"files": b"a"}).status_code == 404
    os.remove(uploaded)


def test_only_so_many_photos_lie_about(address, served, sample, monkeypatch):
    """Uploads that nobody asks about: beyond so many none is taken, until the others have gone."""
    monkeypatch.setattr(door, "MOST_PHOTOS", 3)
    content, uploaded = sample.path(sample.photos.path[0]).read_bytes(), []
    replies = [httpx.post(f"{address}/gradio_api/upload", files={"files": ("a.jpg", content)}) for _ in range(4)]
    assert [reply.status_code for reply in replies] == [200, 200, 200, 503]
    uploaded = [path for reply in replies[:3] for path in reply.json()]
    assert len(kept(served)) == 3
    for path in uploaded:
        door.forget(path)
    several = [("files", (f"{number}.jpg", content)) for number in range(5)]
    assert httpx.post(f"{address}/gradio_api/upload", files=several).status_code == 413
    assert not kept(served)


def test_another_gradio_is_refused_before_it_keeps_anything(model, served, monkeypatch):
    """The two private parts that the app changes are as they were when it was tested, or it doesn't start."""
    original = app.route_utils.GradioUploadFile.__mro__[1]
    for place, name, other in (
        (app.route_utils, "GradioUploadFile", type("GradioUploadFile", (app.route_utils.UploadFile,), {})),
        (app.route_utils, "GradioMultiPartParser", type("GradioMultiPartParser", (), {})),
        (app.state_holder, "SessionState", type("SessionState", (), {})),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(app.route_utils, "GradioUploadFile", original)
            patch.setattr(app.state_holder.SessionState, "_update_value_in_config", lambda self, key, value: None)
            patch.setattr(place, name, type(name, other.__bases__, {"__module__": "gradio.other"}))
            with pytest.raises(SkinlibError, match=f"install gradio {app.TESTED}"):
                app.build(model)
    assert app.route_utils.GradioUploadFile.__mro__[1] is original


def test_the_tested_gradio_is_the_one_that_is_asked_for():
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text("utf-8"))["project"]
    (wanted,) = (one for one in project["optional-dependencies"]["app"] if one.startswith("gradio"))
    major, minor = app.TESTED.split(".")
    assert wanted == f"gradio>={app.TESTED},<{major}.{int(minor) + 1}"
    assert app.gr.__version__.startswith(f"{app.TESTED}.")


# --- what is kept, and how much is taken ---------------------------------------------------------------------------


def test_nothing_is_kept_and_everything_is_bounded(served, client, examples):
    file, _ = examples[None]
    for _ in range(5):
        ask(client, file)
    assert not kept(served)
    assert file.name not in str(served.temp_file_sets)
    assert served.analytics_enabled is False and os.environ["GRADIO_ANALYTICS_ENABLED"] == "False"
    assert not served.run_history and not served.enable_monitoring and not served.share and not served.allowed_paths
    assert served._queue.max_size == app.WAITING and served.max_file_size == 30_000_000
    working = [fn for fn in served.fns.values() if fn.fn]  # the others run in the browser
    assert {fn.concurrency_limit for fn in working} == {app.AT_ONCE}
    assert len({fn.concurrency_id for fn in working}) == 1
    frequency, age = served.delete_cache
    assert frequency <= 60 and age <= 300
    assert served.server_name == "127.0.0.1" and not served.show_error


def test_the_session_holds_no_picture(address, served, model, examples):
    """Ask as the page does: its answer has the photo in it."""
    file, _ = examples["unsure"]
    with file.open("rb") as photo:
        (path,) = httpx.post(f"{address}/gradio_api/upload", files={"files": (file.name, photo)}).json()
    request = {"data": [{"path": path, **FILE}], "fn_index": 0, "session_hash": "curious"}
    assert httpx.post(f"{address}/gradio_api/queue/join", json=request).status_code == 200
    reply = httpx.get(f"{address}/gradio_api/queue/data", params={"session_hash": "curious"}).text
    assert "data:image/jpeg;base64," in reply and model.words["unsure"] in reply
    assert "curious" in served.server_app.state_holder
    assert "data:image/jpeg" not in str(list(served.server_app.state_holder["curious"].components))
    assert not kept(served)


def test_a_port_in_use_is_told_in_one_line(model, served):
    with pytest.raises(InputError, match=str(served.server_port)):
        app.launch(model, port=served.server_port, wait=False, quiet=True)


# --- people --------------------------------------------------------------------------------------------------------


@pytest.fixture(params=[("phone", 390, "dark"), ("desktop", 1280, "light")], ids=lambda param: param[0])
def page(request, browser, address):
    _, width, scheme = request.param
    context = browser.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme)
    page, troubles = context.new_page(), []
    page.on(
        "request", lambda asked: None if asked.url.startswith((address, "data:", "blob:")) else troubles.append(asked)
    )
    page.on("response", lambda reply: troubles.append(reply) if reply.status >= 400 else None)
    page.on("pageerror", lambda error: troubles.append(error))
    page.on("console", lambda line: troubles.append(line.text) if line.type == "error" else None)
    page.goto(address)
    page.wait_for_selector("#photo input[type=file]", state="attached")
    yield page
    assert troubles == []
    context.close()


def test_people_see_what_programs_get(page, served, model, examples, tmp_path):
    notice = page.get_by_text(model.labels["notice"])
    notice.wait_for()
    words = {"unsure": "no condition is likely enough", "strange": "seems unlike those I learned from"}
    for doubt, (file, answer) in examples.items():
        page.set_input_files("#photo input[type=file]", str(file))
        best = answer["best_guess"]
        headline = words.get(doubt, f"{model.title(best)}, {answer['percent'][best]}\u00a0%")
        page.get_by_role("heading", level=2).filter(has_text=headline).wait_for()
        rows = page.locator("#answer tbody tr").all_inner_texts()
        assert {re.sub(r"\s+", " ", row) for row in rows} == {
            f"{model.title(key)} {share} %" for key, share in answer["percent"].items()
        }
        assert page.locator("#answer img").evaluate_all("all => all.every(one => one.naturalWidth > 0)")
        page.get_by_label("Heat map").fill("0")
        assert page.locator("#answer .heat").evaluate("one => getComputedStyle(one).opacity") == "0"
        assert "no proof" in page.locator("#answer").inner_text()
        assert notice.is_visible()
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(damaged())
    page.set_input_files("#photo input[type=file]", str(bad))
    page.get_by_role("alert").filter(has_text="truncated or damaged").wait_for()
    assert not page.locator("#answer h2").count()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert not kept(served)


def shows(page, words: str, seconds: float = 30) -> None:
    page.locator("#answer").get_by_text(words).first.wait_for(timeout=1000 * seconds)


@pytest.mark.parametrize("name", ["photo", "photo.jfif", "PHOTO.JPG", "photo.txt", "photo.heic", "photo.jpg.exe"])
def test_a_photo_is_a_photo_whatever_it_is_called(page, model, examples, tmp_path, name):
    """The browser knows a file by its name, and Gradio's page takes nothing that the browser calls no picture."""
    photo, answer = examples[None]
    shutil.copy(photo, tmp_path / name)
    page.set_input_files("#photo input[type=file]", str(tmp_path / name))
    shows(page, f"{model.title(answer['best_guess'])}, {answer['percent'][answer['best_guess']]}\u00a0%")


def test_the_old_answer_goes_whatever_becomes_of_the_next_photo(page, model, examples, served, tmp_path):
    files = {
        "notes.txt": (b"hello", "cannot be used"),
        "photo.heic": (NO_PHOTOS["heic"][0], "HEIC"),
        "nameless": (b"", "cannot be used"),
        "large.jpg": (bytes(model.labels["limits"]["bytes"] + 1), None),  # Gradio's page tells this by itself
    }
    old = model.words["unsure"]
    for name, (content, words) in files.items():
        page.set_input_files("#photo input[type=file]", str(examples["unsure"][0]))
        shows(page, old)
        (tmp_path / name).write_bytes(content)
        page.set_input_files("#photo input[type=file]", str(tmp_path / name))
        page.locator("#answer").get_by_text(old).wait_for(state="detached")
        if words:
            shows(page, words)
        assert not page.locator("#answer h2").count()
    assert not kept(served)


def test_on_a_phone_what_it_is_not_stands_beside_the_answer(browser, address, model, examples):
    """Also where the browser's own bars take a quarter of the screen."""
    page = browser.new_page(viewport={"width": 390, "height": 640})
    page.goto(address)
    page.wait_for_selector("#photo input[type=file]", state="attached")
    for file, _ in examples.values():
        page.set_input_files("#photo input[type=file]", str(file))
        page.locator("#answer h2").wait_for()
        page.wait_for_timeout(500)
        for words in (page.locator("#answer h2"), page.locator("#answer .notice")):
            box = words.bounding_box()
            assert box["y"] >= 0 and box["y"] + box["height"] <= 640
        assert page.locator("#answer .notice").inner_text() == model.words["caution"]
        page.evaluate("scrollTo(0, 0)")
    page.close()


def test_a_second_photo_while_the_first_is_looked_at(serve, browser, model, examples):
    """The first one's answer never comes, and the photo goes nevertheless."""

    class Slow(ExportedModel):
        def answer(self, photo):
            time.sleep(2)
            return super().answer(photo)

    served = serve(Slow(model.folder))
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.goto(served.local_url)
    page.wait_for_selector("#photo input[type=file]", state="attached")
    page.evaluate(
        """() => { window.seen = []; new MutationObserver(() => {
            const head = document.querySelector("#answer h2")?.textContent;
            if (head && seen.at(-1) !== head) seen.push(head);
        }).observe(document, { childList: true, subtree: true, characterData: true }); }"""
    )
    page.set_input_files("#photo input[type=file]", str(examples["unsure"][0]))
    page.wait_for_timeout(1000)
    page.locator("#photo button[aria-label]").filter(visible=True).first.click()  # takes it away
    page.wait_for_selector("#photo input[type=file]", state="attached")
    page.set_input_files("#photo input[type=file]", str(examples["strange"][0]))
    page.get_by_text(model.words["strange"]).wait_for()
    assert page.evaluate("seen") == [model.words["strange"]]
    page.close()
    assert not kept(served)


def test_the_page_tells_which_model_it_carries(page, model):
    about = model.labels["model"]
    text = page.get_by_text("The model learned from").inner_text()
    assert f"from {about['training_photos']} drawings" in text and f"{about['test_photos']} others of the same" in text
    assert "This one was not tried" in text and page.get_by_text(model.words["promise"]).is_visible()
    assert text == model.words["record"] and about["weights_note"] in text
    assert page.get_by_text("It knows eight skin conditions").is_visible()


def test_the_browser_is_forbidden_to_ask_others(browser, address):
    page = browser.new_page()
    page.goto(address)
    blocked = page.evaluate(
        """new Promise((done) => {
            addEventListener("securitypolicyviolation", (event) => done(event.blockedURI));
            new Image().src = "http://127.0.0.2:9/a.png";
        })"""
    )
    page.close()
    assert blocked == "http://127.0.0.2:9/a.png"


def test_the_slider_mixes_as_laid_over_does():
    """The page lays one picture over the other; the command in Python computes the mixture."""
    photo = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    heat = np.random.default_rng(1).random((7, 7))
    under, over, mixed = (laid_over(photo, heat, strength) for strength in (0, 1, 0.7))
    np.testing.assert_allclose(0.3 * under + 0.7 * over, mixed, atol=1)


# --- other classes -------------------------------------------------------------------------------------------------


def test_an_app_of_cats_and_dogs_says_nothing_of_skin(serve, tiny_settings):
    """Neither to people nor to programs; and both kinds of askers get the answer of the model."""
    pets = small_models.exported(tiny_settings, *small_models.OTHERS[0])
    address = serve(pets).local_url.rstrip("/")
    said = [httpx.get(f"{address}{path}").text for path in ("/", "/config", "/gradio_api/info")]
    assert "It knows two classes of photos" in said[1] and "photos of the data called pets" in said[1]
    photo = tiny_settings.cache / "own photos" / "pets" / "cat" / "3.png"
    answer = ask(Client(address, verbose=False), photo)
    assert answer == pets.answer(pets.read(photo)).as_dict()
    assert list(answer["probabilities"]) == ["cat", "dog"]
    for doubt in ("unsure", "strange", None):
        shown = Answer(answer["probabilities"], "cat", doubt, 0.1, np.ones((2, 7, 7), np.float32))
        said.append(app_page.answer_page(pets, pets.read(photo), shown))
    assert pets.words["unsure"] in said[3] and "Cat, " in said[5]
    for text in said:
        assert not small_models.spoken_of_skin(re.sub(r"base64,[\w/+=]+", "", text))


@pytest.mark.slow
def test_forty_classes_show_ten_and_fold_the_others(tiny_settings):
    model = small_models.exported(tiny_settings, *small_models.OTHERS[1])
    by_key = dict(zip(model.keys, np.linspace(1, 2, 40)[::-1] / 60, strict=True))
    answer = Answer(by_key, model.keys[0], None, 0.1, np.zeros((40, 7, 7), np.float32))
    page = app_page.answer_page(model, np.zeros((9, 9, 3), np.uint8), answer)
    shown, folded = page.split("<details>")
    assert shown.count("<tr>") == 10 and folded.count("<tr>") == 30 and "30 less likely" in folded
    assert page.count("&lt;b&gt;long &amp; odd") == 4 and "<b>" not in page  # headline, alt, caption and row
    assert [re.sub("<.*?>", "", row)[:2] for row in re.findall('scope="row">(.*?)</th>', page)][1:3] == ["Ki", "Ki"]


@pytest.mark.parametrize("other", small_models.OTHERS, ids=["2", "40"])
def test_other_classes_fit_a_phone(serve, browser, tiny_settings, other):
    title, names, _ = other
    model = small_models.exported(tiny_settings, *other)
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.goto(serve(model).local_url)
    page.wait_for_selector("#photo input[type=file]", state="attached")
    page.set_input_files("#photo input[type=file]", next((tiny_settings.cache / "own photos" / title).rglob("*.png")))
    page.locator("#answer h2").wait_for()
    rows = page.locator("#answer tr:visible")
    assert rows.count() == min(len(names), 10)
    if len(names) > 10:
        page.get_by_text("30 less likely").click()
        assert rows.count() == 40 and page.locator("#answer b").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    # A bar's length is a share of its row, however short the names are.
    assert page.locator("#answer th").first.evaluate("e => e.offsetWidth / e.closest('table').offsetWidth") > 0.7
    page.close()
