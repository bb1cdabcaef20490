"""Training: the shortcut equals the long way, step for step; runs repeat, resume and are whole or absent."""

import json
import shutil
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from skinlib.base.errors import InputError
from skinlib.base.fingerprint import result_versions
from skinlib.base.store import Store
from skinlib.data import splits
from skinlib.data.conditions import KEYS
from skinlib.data.opening import open_data
from skinlib.judge import evaluate
from skinlib.learn import engines, extraction, fitting, networks, prepared, train
from skinlib.learn.curve import learning_curve
from skinlib.learn.prepared import Recipe, prepare
from skinlib.learn.preprocessing import prepare as prepare_photo
from skinlib.learn.runs import Run


@pytest.fixture(scope="module")
def few(sample):
    """Return 20 training photos, prepared, and their labels."""
    rows = sample.photos[sample.photos.split == "train"].iloc[::3][:20]
    return rows, np.stack([prepare_photo(sample.read(path)) for path in rows.path])


@pytest.fixture(scope="module")
def trained(sample, tiny_settings):
    """Return a function that trains on the sample by a recipe given by name, into the shared store."""

    def trains(out=None, split="official", data=sample, **recipe):
        return train.train(prepare(data, tiny_settings, split, Recipe(**recipe)), out)

    return trains


@pytest.fixture
def fresh(sample, weights, tmp_path):
    """Return the sample with a store of its own, which holds audit and features, so that training is made anew."""
    extraction.features(sample, weights)
    for kind in ("audits", "features"):
        shutil.copytree(sample.store.root / kind, tmp_path / "store" / kind)
    return replace(sample, store=Store(tmp_path / "store"))


@pytest.fixture
def fits(monkeypatch):
    """Return a list that grows by the stage of every training that begins."""
    stages, fit = [], train.fit

    def noted(*arguments):
        stages.append(arguments[7])
        return fit(*arguments)

    monkeypatch.setattr(train, "fit", noted)
    return stages


def same(a, b):
    """Assert that two runs have the same numbers, to the bit."""
    pd.testing.assert_frame_equal(a.predictions, b.predictions, check_exact=True)
    pd.testing.assert_frame_equal(a.history, b.history, check_exact=True)
    assert a.metrics == b.metrics


def labels_of(rows):
    return rows.condition.map(KEYS.index).to_numpy()


@pytest.mark.parametrize("layer", ["pool", pytest.param("stage1_out", marks=pytest.mark.slow)])
def test_training_a_part_on_features_equals_training_the_frozen_whole(layer, few, sample, weights):
    rows, photos = few
    labels, one_hot = labels_of(rows), np.eye(8, dtype="float32")[labels_of(rows)]
    rate = fitting.LEARNING_RATE if layer == "pool" else train.FINE_TUNING_RATE
    epochs, batch_size = 2, 8

    whole = networks.build(weights, seed=5)
    part = fitting.compile_recipe(networks.part_after(whole, layer), rate)
    thawed = {each.name for each in part.layers if each.trainable}
    for each in whole.layers:
        each.trainable = each.name in thawed
    fitting.compile_recipe(whole, rate)

    losses = []
    for epoch in range(epochs):
        order = np.random.default_rng([5, epoch]).permutation(len(labels))
        for start in range(0, len(order), batch_size):
            batch = order[start : start + batch_size]
            losses.append(whole.train_on_batch(photos[batch], one_hot[batch])[0])

    by_step = []
    step = part.train_on_batch

    def noted(inputs, targets):
        scores = step(inputs, targets)
        by_step.append(scores[0])
        return scores

    part.train_on_batch = noted
    # Adam's first steps have the size of the rate whatever the gradient's, so the last bits of an input grow: for the
    # comparison the inputs come from the engine that trains the whole.
    frozen = engines.keras.Model(whole.get_layer("resize").output, whole.get_layer(layer).output)
    inputs = frozen.predict(photos, verbose=0)
    inputs = inputs if layer == "pool" else inputs[:, ::2, ::2]
    kept = extraction.features(sample, weights, layer, rows.path)
    np.testing.assert_allclose(kept, inputs, atol=1e-4 * inputs.std())
    part, history = fitting.fit(part, [inputs], labels, (inputs[:0], labels[:0]), epochs, batch_size, seed=5)
    np.testing.assert_allclose(by_step, losses, rtol=1e-3)
    assert len(history) == epochs and len(by_step) == 2 * 3

    networks.copy_weights(part, whole_again := networks.build(weights, seed=5))
    np.testing.assert_allclose(whole_again.predict(photos, verbose=0), whole.predict(photos, verbose=0), atol=1e-3)
    for name in ("hidden", "probabilities"):
        np.testing.assert_allclose(whole_again.get_layer(name).kernel, whole.get_layer(name).kernel, atol=2e-4)


# --- a run ---------------------------------------------------------------------------------------------------------


def test_a_run_is_complete_and_consistent(run, sample, weights):
    table = run.predictions
    assert list(table.columns) == ["path", "photo_id", "split", "condition", "predicted", *KEYS]
    assert list(table.path) == list(sample.photos.path)
    assert (table[list(KEYS)].idxmax(axis=1) == table.predicted).all()
    np.testing.assert_allclose(table[list(KEYS)].sum(axis=1), 1, atol=1e-5)
    assert run.metrics == evaluate.metrics(table)
    assert list(run.history.epoch) == list(range(1, 13)) and set(run.history.stage) == {"head"}
    assert run.classes == sample.classes and run.backbone is weights.backbone
    provenance = run.provenance
    assert provenance["data"] == {"name": "sample", "kind": "drawn", "fingerprint": sample.fingerprint}
    assert provenance["weights"] == {"name": "untrained", "sha256": weights.sha256, "note": weights.note}
    assert provenance["photos"]["left_out"] == len(sample.left_out) > 0
    assert provenance["photos"]["files"] == len(table)
    assert provenance["photos"]["photos"] == table.photo_id.nunique() < provenance["photos"]["files"]
    assert provenance["versions"] == result_versions()


def test_validation_is_a_fifth_of_each_condition(run):
    learning = run.predictions[run.predictions.split != "test"]
    shares = (learning.split == "validation").groupby(learning.condition).mean()
    assert shares.between(0.1, 0.3).all() and len(shares) == 8


def test_history_agrees_with_the_predictions(run):
    """Validation loss in Keras after the last epoch is the log loss of the table: two ways to one number."""
    validation = run.predictions[run.predictions.split == "validation"]
    assert run.history.val_loss.iloc[-1] == pytest.approx(evaluate.log_loss(validation), rel=1e-3)
    assert run.history.val_accuracy.iloc[-1] == pytest.approx(run.metrics["validation"]["file_accuracy"], abs=1e-4)


def test_the_saved_model_is_the_whole_one(run, sample):
    paths = sample.photos.path[::17]
    answers = run.predict([sample.read(path) for path in paths])
    np.testing.assert_allclose(answers, run.predictions[list(KEYS)].to_numpy()[::17], atol=1e-4)
    raw = sample.read(paths.iloc[0])
    np.testing.assert_allclose(run.model.predict(raw[None], verbose=0)[0], answers[0], atol=1e-4)
    assert run.predict([]).shape == (0, 8)


def test_the_same_run_twice_gives_the_same_numbers(run, fresh, tiny_settings):
    """From the photos on: weights drawn, features computed and the head trained anew."""
    shutil.rmtree(fresh.store.root / "features")
    same(train.train(prepare(fresh, replace(tiny_settings, cache=fresh.store.root), "official")), run)


def test_training_beats_chance_on_what_it_has_seen(run):
    accuracy = run.metrics["train"]["accuracy"]
    assert accuracy > 0.3, f"accuracy on its own training photos is {accuracy:.2f}; chance is 0.125"


def test_a_kept_run_is_returned_and_another_is_refused(run, trained, fits, tmp_path):
    assert trained().path == run.path
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("precious")
    (tmp_path / "file").write_text("precious, too")
    for place in (tmp_path / "mine", tmp_path / "file", run.path):
        with pytest.raises(InputError, match="exists and is not this run"):
            trained(place, epochs=3)
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "precious"
    assert not fits, "the one was kept, and the other was refused before any work"


def test_out_gets_a_copy_and_an_empty_folder_is_taken(run, trained, fits, tmp_path):
    (tmp_path / "empty").mkdir()
    for out in (tmp_path / "empty", tmp_path / "deep" / "new"):
        copy = trained(out)
        assert copy.path == out and sorted(file.name for file in out.iterdir()) == [
            "history.csv", "labels.json", "metrics.json", "model.keras", "predictions.csv", "provenance.json",
        ]  # fmt: skip
        same(copy, run)
        assert trained(out).path == out, "the same again is there already"
    assert not fits


def test_another_seed_is_another_run(sample, run, tiny_settings):
    other = prepare(sample, replace(tiny_settings, seed=1), "official").identity()
    assert other["seed"] == 1 and other["weights"]["sha256"] != run.provenance["weights"]["sha256"]
    assert {name for name in other if other[name] != run.provenance[name]} == {"seed", "weights"}
    assert not (splits.official(sample.photos, 1) == run.predictions.split).all()


def test_an_interrupted_training_ends_with_the_same_numbers(fresh, trained, tmp_path, monkeypatch):
    """Stopped in its second stage; test_fitting.py stops and damages a single one in all ways."""
    monkeypatch.setattr(fitting, "KEEP_EVERY", 0.0)
    recipe = {"epochs": 2, "fine_tuning_epochs": 2}
    straight = trained(**recipe)

    save, saved = fitting.Progress.save, []

    def interrupted(self, *arguments):
        save(self, *arguments)
        saved.append(arguments[0])
        if len(saved) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(fitting.Progress, "save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "stopped", data=fresh, **recipe)
    assert not (tmp_path / "stopped").exists()
    resumed = trained(tmp_path / "stopped", data=fresh, **recipe)
    assert saved == ["head"] * 2 + ["fine-tuning"] * 2, "no epoch was trained twice"
    same(resumed, straight)
    assert not any((fresh.store.root / "unfinished").iterdir()), "progress is of no use any more"


def test_a_damaged_run_in_the_store_is_trained_anew(fresh, trained, fits):
    before = trained(data=fresh, epochs=1)
    kept = {file.name: file.read_bytes() for file in before.path.iterdir()}
    (before.path / "model.keras").write_bytes(kept["model.keras"][:-1000])
    (before.path / "metrics.json").unlink()
    again = trained(data=fresh, epochs=1)
    assert fits == ["head", "head"] and again.path == before.path
    assert {file.name for file in again.path.iterdir()} == set(kept)
    for name in ("predictions.csv", "metrics.json", "history.csv"):
        assert (again.path / name).read_bytes() == kept[name]
    assert np.isfinite(again.predict([np.full((60, 60, 3), 99, np.uint8)])).all()


def test_fine_tuning_and_augmentation_change_the_run(run, sample, trained):
    tuned = trained(epochs=2, fine_tuning_epochs=2, augmented_copies=1)
    assert list(tuned.history.stage) == ["head"] * 2 + ["fine-tuning"] * 2
    ours, before = tuned.model.get_layer, run.model.get_layer
    assert not np.array_equal(ours("stage2_2_conv").kernel, before("stage2_2_conv").kernel)
    np.testing.assert_array_equal(ours("stage1_conv").kernel, before("stage1_conv").kernel)
    np.testing.assert_array_equal(ours("stage2_2_bn").moving_mean, before("stage2_2_bn").moving_mean)
    answers = tuned.predict([sample.read(path) for path in sample.photos.path[:3]])
    np.testing.assert_allclose(answers, tuned.predictions[list(KEYS)].to_numpy()[:3], atol=1e-4)


@pytest.mark.slow
def test_sixteen_bits_train_or_are_refused(sample, trained):
    if not extraction.has_bfloat16():
        with pytest.raises(InputError, match="use 32 bits"):
            trained(epochs=1, bits=16)
        return
    short = trained(epochs=1, fine_tuning_epochs=1, bits=16)
    assert {str(weight.dtype) for weight in short.model.weights} == {"float32"}, "what is saved is whole"
    answers = short.predict([sample.read(path) for path in sample.photos.path[:3]])
    np.testing.assert_allclose(answers, short.predictions[list(KEYS)].to_numpy()[:3], atol=0.1)


@pytest.mark.slow
def test_resnet50_is_trained_fine_tuned_and_saved(sample, sample_settings, resnet_weights, monkeypatch):
    """The whole network once, end to end: a few photos, an epoch for the head and one for the last stage."""
    monkeypatch.setattr(prepared, "get_weights", lambda *_: resnet_weights)
    few = replace(sample, photos=sample.photos.iloc[::5].reset_index(drop=True), fingerprint="a fifth of the sample")
    short = train.train(prepare(few, sample_settings, "grouped", Recipe(epochs=1, fine_tuning_epochs=1)))
    assert list(short.history.stage) == ["head", "fine-tuning"] and short.provenance["backbone"] == "resnet50"
    before = networks.build(resnet_weights).get_layer
    moved = {
        layer.name
        for layer in short.model.layers
        if not all(map(np.array_equal, layer.get_weights(), before(layer.name).get_weights()))
    }
    assert {"hidden", "probabilities", "conv5_block3_3_conv"} < moved
    assert not any(name.endswith("_bn") or not name.startswith(("conv5", "hidden", "prob")) for name in moved)
    answers = short.predict([few.read(path) for path in few.photos.path[:3]])
    np.testing.assert_allclose(answers, short.predictions[list(KEYS)].to_numpy()[:3], atol=1e-4)


@pytest.mark.parametrize(
    "wrong", [{"epochs": 0}, {"batch_size": 0}, {"fine_tuning_epochs": -1}, {"augmented_copies": -1}, {"bits": 8}]
)
def test_recipes_that_cannot_be(wrong):
    with pytest.raises(InputError, match=next(iter(wrong)).replace("_", " ")):
        Recipe(**wrong)


def test_a_folder_that_is_no_run(tmp_path, run):
    with pytest.raises(InputError, match="not a finished run"):
        Run(tmp_path)


def test_a_run_with_a_backbone_that_is_not_known_here(tmp_path, run):
    shutil.copytree(run.path, tmp_path / "run")
    provenance = run.provenance | {"backbone": "of my own"}
    (tmp_path / "run" / "provenance.json").write_text(json.dumps(provenance), "utf-8")
    with pytest.raises(InputError, match="the backbone 'of my own', which is not known here"):
        _ = Run(tmp_path / "run").backbone


def test_why_weights_were_chosen_is_no_part_of_what_a_run_is(trained, weights, run, monkeypatch):
    """Choosing auto, where that falls back to untrained weights, finds the run that choosing untrained made.

    So no run may say why: `make test` after `make book` found a run whose export spoke of a download that failed.
    """
    monkeypatch.setattr(prepared, "get_weights", lambda *_: replace(weights, why="another reason"))
    again = trained()
    assert again.path == run.path
    assert again.provenance["weights"]["note"] == weights.note and weights.why not in str(again.provenance)


# --- two at once ---------------------------------------------------------------------------------------------------


@pytest.fixture
def at_work(monkeypatch):
    """Have the first training wait in its first epoch; return (what is set once it is there, what lets it go on)."""
    begun, go_on, fit = threading.Event(), threading.Event(), train.fit

    def waits(*arguments):
        begun.set()
        assert go_on.wait(60)
        return fit(*arguments)

    monkeypatch.setattr(train, "fit", waits)
    yield begun, go_on
    go_on.set()


def in_background(function, *arguments, **options):
    """Start a function in a thread; return the thread, and the list that it puts its result or its error in."""
    results = []

    def work():
        try:
            results.append(function(*arguments, **options))
        except Exception as error:
            results.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    return thread, results


def test_the_same_training_at_once_waits_and_takes_what_the_first_made(fresh, trained, at_work, fits, tmp_path):
    begun, go_on = at_work
    first, made = in_background(trained, tmp_path / "run", data=fresh, epochs=1)
    assert begun.wait(60)
    second, taken = in_background(trained, tmp_path / "run", data=fresh, epochs=1)
    second.join(1)
    assert second.is_alive() and not taken
    go_on.set()
    first.join(60), second.join(60)
    same(made[0], taken[0])
    assert fits == ["head"] and made[0].path == taken[0].path == tmp_path / "run"


def test_another_training_into_the_same_folder_is_refused_before_it_works(fresh, trained, at_work, fits, tmp_path):
    begun, go_on = at_work
    first, made = in_background(trained, tmp_path / "run", data=fresh, epochs=1)
    assert begun.wait(60)
    with pytest.raises(InputError, match=r"run: another process is writing something else there: choose another"):
        trained(tmp_path / "run", data=fresh, epochs=2)
    go_on.set()
    first.join(60)
    assert fits == ["head"] and made[0].provenance["settings"]["epochs"] == 1
    with pytest.raises(InputError, match="exists and is not this run"):
        trained(tmp_path / "run", data=fresh, epochs=2)


@pytest.mark.slow
def test_two_processes_train_the_same_into_one_folder(sample_settings, sample, run, tmp_path):
    script = """
import sys
from pathlib import Path
import tiny
from skinlib.base.settings import load_settings
from skinlib.data.opening import open_data
from skinlib.learn.prepared import Recipe, prepare
from skinlib.learn.train import train
tiny.register()
settings = load_settings(speed="quick", backbone="tiny", weights="untrained", cache=sys.argv[1])
print(train(prepare(open_data(settings), settings, recipe=Recipe(epochs=2)), Path(sys.argv[2])).metrics)
"""
    arguments = [sys.executable, "-c", script, sample_settings.cache, tmp_path / "run"]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    both = [subprocess.Popen(arguments, cwd=Path(__file__).parent, **streams) for _ in range(2)]
    (first, errors), (second, more_errors) = (process.communicate(timeout=300) for process in both)
    assert [process.returncode for process in both] == [0, 0], errors + more_errors
    assert first == second == f"{Run(tmp_path / 'run').metrics}\n"


# --- other data ----------------------------------------------------------------------------------------------------


def two_kinds(folder, **counts):
    """Write photos of stripes, lying and standing: ``counts`` of each into ``folder``/split/kind. Return the folder."""
    rng = np.random.default_rng(3)
    for split, count in counts.items():
        for kind, shape in (("lying", (9, 1)), ("standing", (1, 9))):
            place = folder / ("" if split == "plain" else split) / kind
            place.mkdir(parents=True)
            for number in range(count):
                stripes = cv2.resize(rng.uniform(20, 235, (*shape, 3)), (96, 96), interpolation=cv2.INTER_NEAREST)
                noisy = np.clip(stripes + rng.normal(0, 9, (96, 96, 3)), 0, 255).astype(np.uint8)
                cv2.imwrite(str(place / f"{number}.png"), noisy)
    return folder


@pytest.fixture
def of_folder(tiny_settings, tmp_path):
    """Return a function that opens a folder with an empty store, and the settings for it."""

    def opens(folder):
        settings = replace(tiny_settings, data=str(folder), cache=tmp_path / "cache")
        return open_data(settings), settings

    return opens


def test_a_plain_folder_of_two_classes_is_learned_on_a_clean_split(of_folder, tmp_path):
    data, settings = of_folder(two_kinds(tmp_path / "stripes", plain=12))
    learned = train.train(prepare(data, settings, recipe=Recipe(epochs=8)))
    assert learned.provenance["settings"]["split"] == "grouped" and learned.provenance["data"]["kind"] == "own"
    assert learned.classes.keys == ("lying", "standing")
    assert list(learned.predictions.columns[-2:]) == ["lying", "standing"]
    assert set(learned.metrics) == {"train", "validation", "test"} and learned.metrics["test"]["photos"] >= 4
    assert learned.metrics["train"]["accuracy"] > 0.7, "stripes are easy"
    assert learned.predict([data.read(data.photos.path[0])]).shape == (1, 2)


def test_an_official_validation_split_is_used_as_it_is(of_folder, tmp_path):
    data, settings = of_folder(two_kinds(tmp_path / "stripes", train=6, validation=4, test=3))
    learned = train.train(prepare(data, settings, "official", Recipe(epochs=1)))
    assert learned.provenance["settings"]["split"] == "official"
    assert (learned.predictions.split == data.photos.split).all()
    assert learned.predictions.split.value_counts().to_dict() == {"train": 12, "validation": 8, "test": 6}
    validation = learned.predictions[learned.predictions.split == "validation"]
    assert learned.history.val_loss.iloc[-1] == pytest.approx(evaluate.log_loss(validation), rel=1e-3)


def test_few_photos_without_any_for_validation_are_learned(of_folder, tmp_path):
    data, settings = of_folder(two_kinds(tmp_path / "stripes", train=2, test=1))
    learned = train.train(prepare(data, settings, "official", Recipe(epochs=1)))
    assert set(learned.metrics) == {"train", "test"} and "val_loss" not in learned.history


def test_one_class_alone_is_refused_in_one_line(of_folder, tmp_path):
    folder = two_kinds(tmp_path / "stripes", plain=5)
    shutil.rmtree(folder / "standing")
    data, settings = of_folder(folder)
    with pytest.raises(InputError, match=r"training photos are of one class, 'lying'.*add photos of another") as caught:
        prepare(data, settings)
    assert "\n" not in str(caught.value)


def test_without_training_photos_nothing_is_learned(of_folder, tmp_path):
    data, settings = of_folder(two_kinds(tmp_path / "stripes", train=2, test=3))
    data = replace(data, photos=data.photos[data.photos.split == "test"].reset_index(drop=True))
    with pytest.raises(InputError, match="has no training photos: put some into its folder for training") as caught:
        prepare(data, settings, "official")
    assert "\n" not in str(caught.value)


# --- splits and learning curves --------------------------------------------------------------------------------------


def test_official_split_is_seeded_and_complete(sample):
    first, again, other = (splits.official(sample.photos, seed) for seed in (0, 0, 1))
    assert (first == again).all() and (first != other).any()
    assert ((first == "test") == (sample.photos.split == "test")).all()
    assert sorted(set(first)) == ["test", "train", "validation"]


@pytest.fixture(scope="module")
def clean_run(trained):
    return trained(split="grouped", epochs=2)


def test_a_clean_run_keeps_every_photo_on_one_side(clean_run, run):
    assert (clean_run.predictions.groupby("photo_id").split.nunique() == 1).all()
    assert (run.predictions.groupby("photo_id").split.nunique() > 1).any(), "the official split has no leak to avoid"
    assert clean_run.provenance["settings"]["split"] == "grouped"
    assert clean_run.path != run.path


def test_other_splits_are_refused(trained):
    with pytest.raises(InputError, match="split 'random' is not known: use official or grouped"):
        trained(split="random")


def test_swapped_channels_are_built_into_the_saved_model(sample, trained):
    """What the run's table says is what its model says of a photo as it is: RGB, whatever the recipe did to it."""
    swapped = trained(epochs=1, swapped_channels=True)
    answers = swapped.predict([sample.read(path) for path in sample.photos.path[::29]])
    np.testing.assert_allclose(answers, swapped.predictions[list(KEYS)].to_numpy()[::29], atol=1e-4)


def test_learning_curve_counts_photos_and_repeats(sample, tiny_settings):
    recipe = Recipe(epochs=1)
    curve = learning_curve(sample, tiny_settings, [20, 10_000], n_repeats=2, recipe=recipe)
    assert curve.photos[0] == 20 and list(curve["repeat"]) == [0, 0, 1, 1]
    assert curve.photos[1] == curve.photos[3] and curve.files[1] == curve.files[3], "all is all, in any order"
    assert (curve.files >= curve.photos).all() and (curve.files[1] > curve.photos[1]), "copies come along"
    assert curve.accuracy.between(0, 1).all()
    again = learning_curve(sample, tiny_settings, [20], n_repeats=1, recipe=recipe)
    pd.testing.assert_frame_equal(again, curve.iloc[:1], check_exact=True)


def test_learning_curve_on_all_photos_is_the_clean_run(sample, tiny_settings, clean_run):
    """Two ways to one number: a head on all training photos of the clean split is what train() trains."""
    curve = learning_curve(sample, tiny_settings, [10_000], n_repeats=1, recipe=Recipe(epochs=2))
    assert curve.accuracy[0] == pytest.approx(clean_run.metrics["test"]["accuracy"])


def test_learning_curve_refuses_no_photos(sample, tiny_settings):
    with pytest.raises(InputError, match="1 photo or more"):
        learning_curve(sample, tiny_settings, [0, 5])
