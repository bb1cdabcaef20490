"""Every function that takes a seed takes each one that the settings allow, the greatest too."""

import inspect
from dataclasses import replace
from importlib import import_module
from pkgutil import walk_packages

import numpy as np
import pandas as pd
import pytest

import skinlib
from skinlib.audit import identified
from skinlib.base.settings import load_settings
from skinlib.data import sample, splits
from skinlib.doubt import explain, labels, shortcuts
from skinlib.judge import calibration, evaluate
from skinlib.learn import backbones, baselines, curve, engines, fitting, networks
from skinlib.learn.engines import keras
from skinlib.learn.prepared import prepare
from skinlib.learn.pretrained import get_weights
from skinlib.learn.ready import open_ready
from skinlib.learn.train import train
from skinlib.serve.export import export

pytestmark = pytest.mark.long
GREATEST = 2**32 - 1


@pytest.fixture(scope="module")
def own(pets_settings, tiny):
    """Return cats and dogs with the photo_id of their audit, and settings with the greatest seed."""
    settings = replace(pets_settings, backbone=tiny.name, seed=GREATEST)
    return identified(open_ready(settings)), settings


@pytest.fixture(scope="module")
def weights(own):
    return get_weights(own[1], own[0])


@pytest.fixture(scope="module")
def trained(own):
    return train(prepare(*own, "grouped"))


@pytest.fixture(scope="module")
def fold(own):
    """Return some numbers for features, and the answers of models that learned from them."""
    features = np.random.default_rng(0).normal(size=(len(own[0].photos), 3)).astype(np.float32)
    return labels.out_of_fold(own[0], features, n_repeats=2, seed=GREATEST)


def heads(own):
    features = np.ones((len(own[0].photos), 4), np.float32)
    head = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, "softmax")])
    data = features, own[0].labels()
    return fitting.fit(fitting.compile_recipe(head), [features], data[1], data, 1, 8, GREATEST)


def masks() -> list[np.ndarray]:
    return [np.tri(8, k=k) > 0 for k in range(3)]


TAKING = {
    sample.write_sample: lambda g: sample.write_sample(g("tmp_path") / "out", 5, GREATEST),
    sample.draw_sample: lambda g: sample.draw_sample(g("tmp_path"), 5, GREATEST),
    splits.official: lambda g: splits.official(g("own")[0].photos, GREATEST),
    splits.grouped: lambda g: splits.grouped(g("own")[0].photos, GREATEST),
    splits.folds: lambda g: list(splits.folds(g("own")[0].photos, n_repeats=2, seed=GREATEST)),
    splits.table: lambda g: splits.table(g("own")[0].photos, GREATEST),
    labels.out_of_fold: lambda g: g("fold"),
    baselines.file_size: lambda g: baselines.file_size(g("own")[0], splits.official(g("own")[0].photos), GREATEST),
    engines.seeded: lambda g: engines.seeded(GREATEST).__enter__(),
    backbones.draw_resnet50: lambda g: backbones.draw_resnet50(np.zeros((1, 224, 224, 3), np.float32), GREATEST),
    networks.build: lambda g: networks.build(g("weights"), 2, seed=GREATEST),
    fitting.fit: lambda g: heads(g("own")),
    explain.against_other_masks: lambda g: explain.against_other_masks(
        [np.ones((8, 8), np.float32)] * 3, masks(), explain.share_inside, seed=GREATEST
    ),
    explain.randomised_copies: lambda g: next(explain.randomised_copies(g("trained").model, seed=GREATEST)),
    shortcuts.held_out_predictions: lambda g: shortcuts.held_out_predictions(
        g("own")[0], g("weights"), "only the file", GREATEST
    ),
    shortcuts.move_watermark: lambda g: shortcuts.move_watermark(
        g("own")[0], g("trained").predict, g("own")[0].photos.path[:2], GREATEST
    ),
    shortcuts.watermark_effect: lambda g: shortcuts.watermark_effect(moved(g), "cats", 10, GREATEST),
    shortcuts.probability_changes: lambda g: shortcuts.probability_changes(moved(g), 10, GREATEST),
    calibration.reliability_table: lambda g: calibration.reliability_table(votes(g), 3, 10, GREATEST),
    calibration.calibration_bias: lambda g: calibration.calibration_bias(votes(g), 3, 10, GREATEST),
    calibration.bias_by_size: lambda g: calibration.bias_by_size(votes(g), [10], 3, 10, GREATEST),
    evaluate.cluster_bootstrap: lambda g: evaluate.cluster_bootstrap(
        g("fold"), evaluate.is_right, n_resamples=10, seed=GREATEST
    ),
    evaluate.compare_runs: lambda g: evaluate.compare_runs(
        g("trained").predictions, g("trained").predictions, n_resamples=10, seed=GREATEST
    ),
}
"""A call of each function that takes a seed, with the greatest; it gets its photos by the names of fixtures."""


def moved(g) -> pd.DataFrame:
    data = g("own")[0]
    return shortcuts.move_watermark(data, g("trained").predict, data.photos.path[data.photos.split == "test"], GREATEST)


def votes(g) -> pd.DataFrame:
    return evaluate.one_vote_per_photo(g("fold").assign(split="all"))


def seeded() -> dict[str, object]:
    """Return by name the public functions of the package that have an argument ``seed``."""
    left_out = ("skinlib.commands", "skinlib.scale.cluster", "skinlib.__main__")
    names = [module.name for module in walk_packages(skinlib.__path__, "skinlib.")]
    modules = [import_module(name) for name in names if not name.startswith(left_out)]
    own = [(one, name) for module in modules for name, one in vars(module).items() if inspect.isfunction(one)]
    functions = {f"{one.__module__}.{name}": one for one, name in own if not name.startswith("_")}
    return {name: one for name, one in functions.items() if "seed" in inspect.signature(one).parameters}


def test_all_functions_with_a_seed_are_tried():
    assert set(seeded().values()) == set(TAKING)


@pytest.mark.parametrize("function", TAKING, ids=lambda one: one.__name__)
def test_the_greatest_seed(function, request):
    TAKING[function](request.getfixturevalue)


def test_settings_with_the_greatest_seed(own, trained):
    data, settings = own
    assert load_settings(seed=str(GREATEST)).seed == GREATEST == settings.seed
    assert len(curve.learning_curve(data, settings, [6], n_repeats=2)) == 2
    assert export(trained, data, settings).labels["model"]["seed"] == GREATEST
