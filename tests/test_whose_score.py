"""Whose score this is: no score that copies helped to is shown to strangers, and none without where it was measured.

And no false comfort: what a model may promise, and that it noticed nothing, are said in words that vouch for nothing.
"""

import json
import re
import shutil
import subprocess
import sys
from dataclasses import asdict, replace

import numpy as np
import pytest
import small_models
from PIL import Image

from skinlib.__main__ import main
from skinlib.base.errors import InputError
from skinlib.commands import asking
from skinlib.data.opening import open_data
from skinlib.judge.limits import Limits, Promise
from skinlib.learn.prepared import Recipe, prepare
from skinlib.learn.train import train
from skinlib.serve import app_page, elsewhere, export, publish, words
from skinlib.serve.exported import LABELS, SMALL, Answer, ExportedModel, percent

VOUCHING = re.compile(
    r"(?<!un)\blike those|photo is known|familiar|recogni[sz]es? (the|this|your) photo", re.IGNORECASE
)


@pytest.fixture
def command(tiny_settings, monkeypatch, capsys):
    """Return a function that runs a command and returns its code, its output and its errors."""
    monkeypatch.setenv("SKINLIB_CACHE", str(tiny_settings.cache))
    monkeypatch.setenv("SKINLIB_BACKBONE", "tiny")
    monkeypatch.setenv("SKINLIB_SPEED", "quick")

    def runs(*arguments):
        return main([str(argument) for argument in arguments]), *capsys.readouterr()

    return runs


# ---- the official split is not for strangers


@pytest.mark.parametrize("what", ["export", "app"])
def test_a_run_on_the_official_split_is_refused(run, command, tmp_path, what):
    more = ["--out", tmp_path / "out"] if what == "export" else ["--port", 0]
    code, output, errors = command(what, run.path, *more)
    assert (code, output) == (2, "") and errors.count("\n") == 1
    assert "official" in errors and "--split grouped" in errors
    assert not (tmp_path / "out").exists()


def test_python_refuses_it_as_well(run, sample, tiny_settings, tmp_path):
    with pytest.raises(InputError, match=r"'official'.*--split grouped"):
        export.export(run, sample, tiny_settings)
    limits = Limits(1.0, None, 1.0, Promise(0.8, 0, 0, 0, 0))
    with pytest.raises(InputError, match="--split grouped"):
        export.write(run, limits, np.ones((3, 16), np.float32), tmp_path / "model")
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("split", ["official", "random", None, "lacking"])
def test_an_old_export_of_such_a_run_is_refused(exported, tmp_path, split):
    shutil.copytree(exported.folder, tmp_path / "model")
    labels = json.loads((tmp_path / "model" / LABELS).read_text("utf-8"))
    labels["model"]["split"] = split
    if split == "lacking":
        del labels["model"]["split"]
    (tmp_path / "model" / LABELS).write_text(json.dumps(labels), "utf-8")
    with pytest.raises(InputError, match="--split grouped") as caught:
        ExportedModel(tmp_path / "model")
    assert "\n" not in str(caught.value)
    assert main(["app", str(tmp_path / "model"), "--port", "0"]) == 2


@pytest.mark.long
def test_the_space_refuses_it_in_one_line(exported, tmp_path):
    space = publish.space(exported, tmp_path / "space")
    labels = json.loads((space / "model" / LABELS).read_text("utf-8"))
    labels["model"]["split"] = "official"
    (space / "model" / LABELS).write_text(json.dumps(labels), "utf-8")
    done = subprocess.run([sys.executable, "app.py"], cwd=space, capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "--split grouped" in done.stderr


def test_train_takes_the_clean_split_by_itself(sample, tiny_settings, grouped_run):
    prepared = prepare(sample, tiny_settings)
    assert prepared.split_name == "grouped" and (prepared.split == grouped_run.predictions.split).all()


@pytest.fixture
def terminal(monkeypatch):
    """Standard error leads to a person."""
    monkeypatch.setattr(asking, "to_a_person", lambda: True)


def test_commands_say_which_photos_judged(run, grouped_run, sample, command, terminal):
    photo = sample.path(sample.photos.path[0])
    for which, says in ((run, "show a photo that it learned from"), (grouped_run, "found no copy of a training photo")):
        code, output, _ = command("evaluate", which.path)
        assert code == 0 and says in output and "photos of the same collection (sample)" in output
        code, output, errors = command("predict", which.path, photo)
        assert code == 0 and says in errors and "not a diagnosis" in output and "if it shows one of 8 classes" in output
        code, output, errors = command("predict", which.path, photo, "--json")
        assert len(json.loads(output)) == 1 and errors == ""


# ---- on which photos, and on which not


def test_the_score_comes_with_its_photos_wherever_it_stands(exported, tmp_path):
    """The model was not tried elsewhere, and everything says so."""
    record, test = exported.words["record"], exported.labels["model"]
    assert exported.labels["model"]["elsewhere"] is None
    assert f"{test['test_photos']} others of the same collection, among which the audit found no copy" in record
    assert "Models do worse on photos from elsewhere. This one was not tried on any" in record
    publish.web(exported, tmp_path / "web")
    publish.space(exported, tmp_path / "space")
    cards = [tmp_path / "web/README.md", tmp_path / "space/README.md", exported.folder / "README.md"]
    for card in cards:
        assert "found no copy of one that it learned from" in card.read_text("utf-8")
        assert "This one was not tried" in card.read_text("utf-8")
    assert "was not tried" in app_page.last_words(exported)


@pytest.fixture(scope="module")
def pets(tiny_settings):
    """Return a run of cats and dogs, its data and its settings."""
    return small_models.trained(tiny_settings, *small_models.OTHERS[0])


@pytest.fixture(scope="module")
def strangers(tiny_settings, tmp_path_factory):
    """Return a folder of the run's own photos, of four new cats and three new dogs, one of them twice, and zebras."""
    folder = small_models.write(tmp_path_factory.mktemp("elsewhere") / "a street", (*small_models.PETS, "zebra"), 14)
    (folder / "dog" / "13.png").unlink()
    shutil.copy(folder / "dog" / "12.png", folder / "dog" / "again.png")
    return folder


def test_photos_from_elsewhere_are_none_of_its_own(pets, strangers, tiny_settings):
    run, data, settings = pets
    chosen = elsewhere.from_elsewhere(open_data(replace(settings, data=str(strangers))), data, run.classes)
    assert sorted(chosen.photos.path) == [
        *(f"cat/{number}.png" for number in range(10, 14)), "dog/10.png", "dog/11.png", "dog/12.png", "dog/again.png",
    ]  # fmt: skip
    assert (chosen.known, chosen.others, chosen.absent) == (20, 14, [])


def test_the_score_elsewhere_stands_beside_the_other(pets, strangers, command, tmp_path):
    run, data, _ = pets
    call = ["export", run.path, "--data", data.root, "--elsewhere", strangers, "--out", tmp_path / "out"]
    code, _, errors = command(*call)
    assert (code, errors) == (0, "")
    model = ExportedModel(tmp_path / "out" / "model")
    judged = model.labels["model"]["elsewhere"]
    photos = [*((f"cat/{n}.png", "cat") for n in range(10, 14)), *((f"dog/{n}.png", "dog") for n in range(10, 13))]
    right = sum(model.answer(model.read(strangers / path)).condition == truth for path, truth in photos)
    assert (judged["photos"], judged["correct"], judged["data"]) == (7, right, "a street")
    assert judged["accuracy"] == pytest.approx(right / 7) and judged["accuracy_interval"][0] < right / 7
    said = "On 7 photos of the data called a street, which share no file with the first collection (altered copies " \
           f"were not looked for), it was right for {percent(right / 7)}\u00a0%"  # fmt: skip
    assert said in model.words["record"]
    for file in ("model/README.md", "web/README.md", "space/README.md"):
        assert said.replace("\u00a0", " ") in (tmp_path / "out" / file).read_text("utf-8")
    assert said in app_page.last_words(model)
    code, _, errors = command("app", tmp_path / "out" / "model", "--elsewhere", strangers)
    assert code == 2 and "when you export it" in errors and errors.count("\n") == 1


def test_with_and_without_photos_from_elsewhere_are_two_exports(pets, strangers):
    run, data, settings = pets
    there = open_data(replace(settings, data=str(strangers)))
    folders = [export.export(run, data, settings, other).folder for other in (None, there, there)]
    assert folders[0] != folders[1] == folders[2]
    assert (folders[0] / SMALL).read_bytes() == (folders[1] / SMALL).read_bytes()


def test_a_folder_without_a_photo_from_elsewhere_is_refused(pets, tmp_path):
    run, data, settings = pets
    with pytest.raises(InputError, match="no photo from elsewhere: 20 files are among the run's own"):
        export.export(run, data, settings, data)
    others = small_models.write(tmp_path / "zoo", ("zebra", "lion"), 4)
    with pytest.raises(InputError, match=r"8 show none of its classes \(cat, dog\)"):
        export.export(run, data, settings, open_data(replace(settings, data=str(others))))


def test_a_class_that_is_not_there_is_named(pets, tmp_path):
    run, data, settings = pets
    folder = small_models.write(tmp_path / "cats only", ("Cat", "zebra"), 14)
    chosen = elsewhere.from_elsewhere(open_data(replace(settings, data=str(folder))), data, run.classes)
    assert chosen.absent == ["dog"] and set(chosen.photos.condition) == {"cat"}


# ---- what it promises


def labels_with(exported, **changes):
    return exported.labels | changes


def test_a_promise_says_what_it_rests_on(exported):
    promise = asdict(Promise(0.8, 61, 23, 19, 0.6287))
    said = words.words_for(labels_with(exported, threshold=0.455, promise=promise))
    assert said["promise"] == (
        "It answers where its calibrated probability is 46\u00a0% or more, chosen so that 80\u00a0% of its answers are "
        "right: of its 23 answers to 61 validation photos 19 were. The share may be as low as 63\u00a0% all the same "
        "(95\u00a0% interval), the more so because it was chosen on these very photos."
    )
    assert said["unsure"] == "I don't know: no condition is likely enough."


@pytest.mark.parametrize(
    ("photos", "because"),
    [
        (5, "there were only 5."),
        (19, "there were only 19."),
        (20, "no threshold that answers 20"),
        (61, "the 61"),
    ],
)
def test_without_a_promise_it_says_why(exported, photos, because):
    promise = asdict(Promise(0.8, photos, 0, 0, 0))
    said = words.words_for(labels_with(exported, threshold=None, promise=promise))
    assert said["promise"].startswith("It promises nothing about its answers") and because in said["promise"]
    assert "I can promise nothing" in said["unsure"]


def test_an_export_tells_what_its_promise_rests_on_in_the_same_words(exported, tmp_path):
    promise = exported.labels["promise"]
    assert set(promise) == {"target", "photos", "answered", "correct", "low"}
    assert (exported.threshold is None) == (promise["answered"] == 0)
    assert promise["answered"] == 0 or promise["answered"] >= 20
    said = exported.words["promise"]
    assert words.plain(said) in (exported.folder / "README.md").read_text("utf-8")
    assert words.plain(said) in (publish.space(exported, tmp_path / "space") / "README.md").read_text("utf-8")
    assert words.plain(said) in (publish.web(exported, tmp_path / "web") / "README.md").read_text("utf-8")
    assert said.partition('"')[0] in app_page.last_words(exported)


def test_predict_says_it_too(exported, sample, command, terminal):
    photo = sample.path(sample.photos.path[0])
    _, output, errors = command("predict", exported.folder, photo)
    assert all(exported.words[name].replace("\u00a0", " ") in errors for name in ("promise", "record"))
    assert "if it shows one of 8 classes" in output
    assert command("predict", exported.folder, photo, "--json")[2] == ""


# ---- no answer vouches for a photo


def test_no_text_says_that_a_photo_is_a_known_one(exported, tmp_path):
    publish.model(exported, tmp_path / "model")
    publish.web(exported, tmp_path / "web")
    publish.space(exported, tmp_path / "space")
    texts = {
        file.name: file.read_text("utf-8") for file in tmp_path.rglob("*") if file.suffix in (".md", ".html", ".js")
    }
    texts |= exported.words
    assert len(texts) > 12
    for name, text in texts.items():
        assert not VOUCHING.search(text), (name, VOUCHING.search(text))


@pytest.mark.parametrize("strangeness", [0.0, 0.1, 5.0])
@pytest.mark.parametrize("doubt", [None, "unsure", "strange"])
def test_an_answer_vouches_for_nothing(exported, doubt, strangeness):
    even = dict.fromkeys(exported.keys, 1 / len(exported.keys))
    answer = Answer(even, exported.keys[0], doubt, strangeness, np.ones((len(even), 7, 7), np.float32))
    page = app_page.answer_page(exported, np.zeros((9, 9, 3), np.uint8), answer)
    assert exported.words["caution"] in page and "Not a diagnosis" in page
    assert page.index("</h2>") < page.index("Not a diagnosis") < page.index("<figure>")
    assert not VOUCHING.search(page)
    assert ("It noticed something" in page) == (strangeness > exported.limit)
    assert (exported.words["unnoticed"] in page) == (strangeness <= exported.limit)


# ---- what it never learned


def test_a_class_without_a_training_photo_is_not_counted(sample, tiny_settings, tmp_path):
    """Seven of eight conditions have photos: the model has eight answers, and knows seven."""
    lost = sample.classes.keys[3]
    photos = sample.photos[sample.photos.condition != lost].reset_index(drop=True)
    few = replace(sample, photos=photos, fingerprint="without one condition")
    run = train(prepare(few, tiny_settings, "grouped", Recipe(epochs=1)))
    model = export.export(run, few, tiny_settings)
    title = sample.classes[lost].title
    assert [one["learned"] for one in model.labels["conditions"]].count(False) == 1
    assert model.words["subject"] == "seven skin conditions"
    assert f"It knows seven skin conditions (it never learned {title}: there was no photo" in model.words["runs"]
    assert "none of these seven" in model.words["caution"]
    card = (model.folder / "README.md").read_text("utf-8")
    assert "tells seven skin conditions apart" in card and f"It never learned {title}" in card
    assert "name: seven skin conditions" in card
    answer = model.answer(np.asarray(Image.new("RGB", (60, 50), (200, 150, 120))))
    page = app_page.answer_page(model, np.zeros((9, 9, 3), np.uint8), answer)
    assert page.count(", never learned") == 1 and f"{title}, never learned" in page
    assert title in (publish.web(model, tmp_path / "web") / "index.html").read_text("utf-8").replace("&#x27;", "'")
