"""Training: the shortcut equals the long way, step for step; runs repeat, resume and are whole or absent."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from skinlib.base.errors import InputError
from skinlib.base.settings import load_settings, versions
from skinlib.data import splits
from skinlib.data.conditions import KEYS
from skinlib.data.dataset import open_data
from skinlib.judge import evaluate
from skinlib.learn import backbones, engines, extraction, networks, train
from skinlib.learn.runs import Run


@pytest.fixture(scope="module")
def few(sample):
    """Return 20 training photos, prepared, and their labels."""
    rows = sample.photos[sample.photos.split == "train"].iloc[::3][:20]
    return rows, np.stack([sample.read(p) is not None and networks.prepare(sample.read(p)) for p in rows.path])


def labels_of(rows):
    return rows.condition.map(KEYS.index).to_numpy()


@pytest.mark.parametrize("layer", ["pool", networks.LAST_STAGE])
def test_training_a_part_on_features_equals_training_the_frozen_whole(layer, few, sample, weights):
    rows, prepared = few
    labels, one_hot = labels_of(rows), np.eye(8, dtype="float32")[labels_of(rows)]
    rate = train.LEARNING_RATE if layer == "pool" else train.FINE_TUNING_RATE
    epochs, batch_size = 2, 8

    whole = networks.build(weights, seed=5)
    part = train.compile_recipe(networks.part_after(whole, layer), rate)
    thawed = {each.name for each in part.layers if each.trainable}
    for each in whole.layers:
        each.trainable = each.name in thawed
    train.compile_recipe(whole, rate)

    losses = []
    for epoch in range(epochs):
        order = np.random.default_rng([5, epoch]).permutation(len(labels))
        for start in range(0, len(order), batch_size):
            batch = order[start : start + batch_size]
            losses.append(whole.train_on_batch(prepared[batch], one_hot[batch])[0])

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
    inputs = frozen.predict(prepared, verbose=0)
    inputs = inputs[:, ::2, ::2] if layer == networks.LAST_STAGE else inputs
    kept = extraction.features(sample, weights, layer, rows.path)
    np.testing.assert_allclose(kept, inputs, atol=1e-4 * inputs.std())
    trained, history = train.fit(part, [inputs], labels, (inputs[:0], labels[:0]), epochs, batch_size, seed=5)
    np.testing.assert_allclose(by_step, losses, rtol=1e-3)
    assert len(history) == epochs and len(by_step) == 2 * 3

    networks.copy_weights(trained, whole_again := networks.build(weights, seed=5))
    np.testing.assert_allclose(whole_again.predict(prepared, verbose=0), whole.predict(prepared, verbose=0), atol=1e-3)
    for name in ("hidden", "probabilities"):
        np.testing.assert_allclose(whole_again.get_layer(name).kernel, whole.get_layer(name).kernel, atol=2e-4)


def test_features_are_computed_once_per_content(sample, weights, monkeypatch):
    by_content = sample.photos.groupby("sha256").path.apply(list)
    twins = next(paths for paths in by_content if len(paths) > 1)
    rows = extraction.features(sample, weights)
    assert rows.shape == (len(sample.photos), 2048) and rows.dtype == np.float32
    first, second = (sample.photos.path.to_list().index(path) for path in twins[:2])
    np.testing.assert_array_equal(rows[first], rows[second])

    def never(*arguments):
        raise AssertionError("the network was asked again")

    monkeypatch.setattr(extraction, "extractor", never)
    np.testing.assert_array_equal(extraction.features(sample, weights), rows)
    few = extraction.features(sample, weights, "pool", sample.photos.path[[7, 3]])
    np.testing.assert_array_equal(few, rows[[7, 3]])


def test_features_of_other_weights_and_versions_are_kept_apart(sample, weights):
    path = sample.photos.path[:1]
    plain = extraction.features(sample, weights, "pool", path)
    altered = extraction.features(sample, weights, "pool", path, version=1)
    assert not np.array_equal(plain, altered)
    np.testing.assert_array_equal(extraction.features(sample, weights, "pool", path, version=1), altered)
    changed = backbones.Weights("file", [array * 1.01 for array in weights.arrays], "")
    assert not np.array_equal(extraction.features(sample, changed, "pool", path), plain)


def test_interrupted_features_go_on(sample, weights, monkeypatch):
    fresh = backbones.Weights("file", [array * 0.99 for array in weights.arrays], "")
    paths = sample.photos.path[:40]
    distinct = sample.photos.sha256[:40].nunique()
    whole, asked = extraction.Extractor.one, []

    def stops_at_the_tenth(self, photo):
        if photo.any():  # a new extractor asks itself once, for nothing
            asked.append(1)
            if len(asked) == 10:
                raise KeyboardInterrupt
        return whole(self, photo)

    monkeypatch.setattr(extraction.Extractor, "one", stops_at_the_tenth)
    with pytest.raises(KeyboardInterrupt):
        extraction.features(sample, fresh, "pool", paths)
    before = len(asked)
    assert before < distinct, "the rest was not begun"
    assert extraction.features(sample, fresh, "pool", paths).shape == (40, 2048)
    assert len(asked) == distinct + 1, "what was finished was kept, and the tenth was done again"


def test_features_do_not_depend_on_the_other_photos(sample, weights, tmp_path):
    data = replace(sample, cache=tmp_path)
    paths = sample.photos.path[:5]
    alone = np.stack([extraction.features(data, weights, "pool", [path])[0] for path in paths])
    np.testing.assert_array_equal(extraction.features(sample, weights, "pool", paths), alone)


def test_features_by_another_runner_are_the_same(sample, weights, tmp_path):
    data = replace(sample, cache=tmp_path)
    paths = sample.photos.path[:5]
    rows = extraction.features(data, weights, networks.LAST_STAGE, paths, run=lambda make, items: map(make(), items))
    np.testing.assert_array_equal(rows, extraction.features(sample, weights, networks.LAST_STAGE, paths))


def test_sixteen_bits_are_kept_apart_or_refused(sample, weights):
    paths = sample.photos.path[:8]
    plain = extraction.features(sample, weights, "pool", paths)
    if extraction.has_bfloat16():
        short = extraction.features(sample, weights, "pool", paths, bits=16)
        assert not np.array_equal(short, plain)
        assert np.corrcoef(short.ravel(), plain.ravel())[0, 1] > 0.95
        np.testing.assert_array_equal(extraction.features(sample, weights, "pool", paths), plain)
    else:
        with pytest.raises(InputError, match="use 32 bits"):
            extraction.features(sample, weights, "pool", paths, bits=16)
    with pytest.raises(InputError, match="use 32 or 16"):
        train.Recipe(bits=8)


def test_augmentation_keeps_shape_and_repeats(sample):
    photo = sample.read(sample.photos.path[0])
    once, again = (extraction.augment(photo, np.random.default_rng(4)) for _ in range(2))
    assert once.shape == photo.shape and once.dtype == np.uint8
    np.testing.assert_array_equal(once, again)
    assert not np.array_equal(once, photo)
    # Hue is a sign of disease: the mean colour may get lighter or darker, never redder or bluer.
    share = lambda image: image.mean((0, 1)) / image.mean()  # noqa: E731
    np.testing.assert_allclose(share(once), share(photo), atol=0.05)


# --- a run ---------------------------------------------------------------------------------------------------------


def test_a_run_is_complete_and_consistent(run, sample):
    table = run.predictions
    assert list(table.columns) == ["path", "photo_id", "split", "condition", "predicted", *KEYS]
    assert list(table.path) == list(sample.photos.path)
    assert (table[list(KEYS)].idxmax(axis=1) == table.predicted).all()
    np.testing.assert_allclose(table[list(KEYS)].sum(axis=1), 1, atol=1e-5)
    assert run.metrics == evaluate.metrics(table)
    assert list(run.history.epoch) == list(range(1, 13)) and set(run.history.stage) == {"head"}
    assert [label["key"] for label in run.labels] == list(KEYS)
    provenance = run.provenance
    assert provenance["data"] == {"name": "sample", "fingerprint": sample.fingerprint}
    assert provenance["weights"]["name"] == "untrained" and len(provenance["weights"]["sha256"]) == 64
    assert provenance["photos"]["left_out"] == len(sample.left_out) > 0
    assert set(versions()) == set(provenance["versions"])


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


def test_the_same_run_twice_gives_the_same_numbers(run, sample_settings, own_cache):
    again_settings = load_settings(data=str(sample_settings.cache), speed="quick", cache=own_cache)
    again_settings = load_settings(data="sample", speed="quick", cache=own_cache)
    again = train.train(open_data(again_settings), again_settings)
    pd.testing.assert_frame_equal(again.predictions, run.predictions, check_exact=True)
    pd.testing.assert_frame_equal(again.history, run.history, check_exact=True)
    assert again.metrics == run.metrics


def test_training_beats_chance_on_what_it_has_seen(run):
    accuracy = run.metrics["train"]["accuracy"]
    assert accuracy > 0.3, f"accuracy on its own training photos is {accuracy:.2f}; chance is 0.125"


def test_a_kept_run_is_returned_and_another_is_refused(run, sample, sample_settings, tmp_path, monkeypatch):
    monkeypatch.setattr(train, "fit", None)  # any training would fail
    assert train.train(sample, sample_settings).path == run.path
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("precious")
    for folder in (tmp_path / "mine", run.path):
        with pytest.raises(InputError, match="exists and is not this run"):
            train.train(sample, sample_settings, folder, train.Recipe(epochs=3))
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "precious"


@pytest.mark.parametrize("fine_tuning_epochs, stop_after", [(0, 2), (2, 4)])
def test_an_interrupted_training_ends_with_the_same_numbers(
    fine_tuning_epochs, stop_after, sample, sample_settings, tmp_path, monkeypatch
):
    monkeypatch.setattr(train, "KEEP_EVERY", 0.0)
    recipe = train.Recipe(epochs=3, fine_tuning_epochs=fine_tuning_epochs)
    straight = train.train(sample, sample_settings, tmp_path / "straight", recipe)

    save, saved = train.Progress.save, []

    def interrupted(self, *arguments):
        save(self, *arguments)
        saved.append(arguments[0])
        if len(saved) == stop_after:
            raise KeyboardInterrupt

    monkeypatch.setattr(train.Progress, "save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train.train(sample, sample_settings, tmp_path / "stopped", recipe)
    assert not (tmp_path / "stopped").exists()
    resumed = train.train(sample, sample_settings, tmp_path / "stopped", recipe)
    assert len(saved) == 3 + fine_tuning_epochs  # no epoch was trained twice
    pd.testing.assert_frame_equal(resumed.predictions, straight.predictions, check_exact=True)
    pd.testing.assert_frame_equal(resumed.history, straight.history, check_exact=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["stopped", "straight"]


def test_fine_tuning_and_augmentation_change_the_run(run, sample, sample_settings, tmp_path):
    recipe = train.Recipe(epochs=2, fine_tuning_epochs=2, augmented_copies=1)
    tuned = train.train(sample, sample_settings, tmp_path / "tuned", recipe)
    assert list(tuned.history.stage) == ["head"] * 2 + ["fine-tuning"] * 2
    before = run.model.get_layer("conv5_block3_3_conv").kernel
    assert not np.array_equal(tuned.model.get_layer("conv5_block3_3_conv").kernel, before)
    frozen = "conv4_block6_3_conv"
    np.testing.assert_array_equal(tuned.model.get_layer(frozen).kernel, run.model.get_layer(frozen).kernel)
    statistics = "conv5_block3_3_bn"
    np.testing.assert_array_equal(
        tuned.model.get_layer(statistics).moving_mean, run.model.get_layer(statistics).moving_mean
    )
    answers = tuned.predict([sample.read(path) for path in sample.photos.path[:3]])
    np.testing.assert_allclose(answers, tuned.predictions[list(KEYS)].to_numpy()[:3], atol=1e-4)


@pytest.mark.parametrize("wrong", [{"epochs": 0}, {"batch_size": 0}, {"fine_tuning_epochs": -1}])
def test_recipes_that_cannot_be(wrong):
    with pytest.raises(InputError, match=next(iter(wrong)).replace("_", " ")):
        train.Recipe(**wrong)


def test_a_folder_that_is_no_run(tmp_path, run):
    with pytest.raises(InputError, match="not a finished run"):
        Run(tmp_path)
    for file in run.path.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes() if file.suffix != ".keras" else b"half a mod")
    (tmp_path / "metrics.json").write_text('{"train": ')
    broken = Run(tmp_path)
    with pytest.raises(InputError, match=r"metrics\.json is damaged"):
        _ = broken.metrics
    with pytest.raises(InputError, match=r"model\.keras"):
        _ = broken.model


def test_official_split_is_seeded_and_complete(sample):
    first, again, other = (splits.official(sample.photos, seed) for seed in (0, 0, 1))
    assert (first == again).all() and (first != other).any()
    assert ((first == "test") == (sample.photos.split == "test")).all()
    assert json.dumps(sorted(set(first))) == '["test", "train", "validation"]'


def test_why_weights_were_chosen_is_no_part_of_what_a_run_is(sample, sample_settings, weights, run, monkeypatch):
    """Choosing auto, where that falls back to untrained weights, finds the run that choosing untrained made."""
    fallen_back = backbones.Weights(weights.name, weights.arrays, "another note")
    monkeypatch.setattr(backbones, "get_weights", lambda *_: fallen_back)
    again = train.train(sample, sample_settings)
    assert again.path == run.path
    assert again.provenance["weights"]["note"] == weights.note


# --- clean splits and learning curves --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def clean_run(sample, sample_settings):
    return train.train(sample, sample_settings, recipe=train.Recipe(epochs=2), split="grouped")


def test_a_clean_run_keeps_every_photo_on_one_side(clean_run, run):
    assert (clean_run.predictions.groupby("photo_id").split.nunique() == 1).all()
    assert (run.predictions.groupby("photo_id").split.nunique() > 1).any(), "the official split has no leak to avoid"
    assert clean_run.provenance["settings"]["split"] == "grouped"
    assert clean_run.path != run.path


def test_other_splits_are_refused(sample, sample_settings):
    with pytest.raises(InputError, match="split 'random' is not known: use official or grouped"):
        train.train(sample, sample_settings, split="random")


def test_swapped_channels_are_built_into_the_saved_model(sample, sample_settings, run):
    """What the run's table says is what its model says of a photo as it is: RGB, whatever the recipe did to it."""
    swapped = train.train(sample, sample_settings, recipe=train.Recipe(epochs=1, swapped_channels=True))
    answers = swapped.predict([sample.read(path) for path in sample.photos.path[::29]])
    np.testing.assert_allclose(answers, swapped.predictions[list(KEYS)].to_numpy()[::29], atol=1e-4)
    plain, wrong = networks.build(), networks.build(swapped_channels=True)
    wrong.set_weights(plain.get_weights())
    photo = sample.read(sample.photos.path[0])
    np.testing.assert_allclose(
        wrong.predict(photo[None], verbose=0), plain.predict(photo[None, ..., ::-1], verbose=0), atol=1e-5
    )


def test_learning_curve_counts_photos_and_repeats(sample, sample_settings):
    recipe = train.Recipe(epochs=1)
    curve = train.learning_curve(sample, sample_settings, [20, 10_000], n_repeats=2, recipe=recipe)
    assert curve.photos[0] == 20 and list(curve["repeat"]) == [0, 0, 1, 1]
    assert curve.photos[1] == curve.photos[3] and curve.files[1] == curve.files[3], "all is all, in any order"
    assert (curve.files >= curve.photos).all() and (curve.files[1] > curve.photos[1]), "copies come along"
    assert curve.accuracy.between(0, 1).all()
    again = train.learning_curve(sample, sample_settings, [20], n_repeats=1, recipe=recipe)
    pd.testing.assert_frame_equal(again, curve.iloc[:1], check_exact=True)


def test_learning_curve_on_all_photos_is_the_clean_run(sample, sample_settings, clean_run):
    """Two ways to one number: a head on all training photos of the clean split is what train() trains."""
    curve = train.learning_curve(sample, sample_settings, [10_000], n_repeats=1, recipe=train.Recipe(epochs=2))
    assert curve.accuracy[0] == pytest.approx(clean_run.metrics["test"]["accuracy"])


def test_learning_curve_refuses_no_photos(sample, sample_settings):
    with pytest.raises(InputError, match="1 photo or more"):
        train.learning_curve(sample, sample_settings, [0, 5])
