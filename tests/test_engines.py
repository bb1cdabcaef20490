"""What a user sets for other work changes no result: neither in Keras's file, nor in the environment, nor in Python."""

import hashlib
import os
import random
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from skinlib.base.files import silent
from skinlib.doubt import explain
from skinlib.learn import networks
from skinlib.learn.backbones import RESNET50
from skinlib.learn.curve import learning_curve
from skinlib.learn.engines import keras, keras_config, standard, tf, tf_config
from skinlib.learn.prepared import Recipe, prepare
from skinlib.learn.runs import Run
from skinlib.learn.train import train

RECIPE = Recipe(epochs=1, fine_tuning_epochs=1)

EVERYTHING = """
import os, sys
from pathlib import Path
import tiny
tiny.register()
from small_models import trained
from skinlib.base.settings import load_settings
from skinlib.data.opening import open_data

cache = Path(sys.argv[1])
run, data, _ = trained(load_settings(weights="untrained", backbone="tiny", cache=cache), "pets")
answers = run.predict([data.read(path) for path in data.photos.path[:4]])
print(run.provenance["files"]["predictions.csv"], answers.tobytes().hex())
"""
"""Trains on a few photos, with everything new, and prints what came of it."""


def in_its_own_process(cache: Path, **environment) -> str:
    """Return what a fresh Python, with these variables, makes of a few photos."""
    paths = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[1])])
    done = subprocess.run(
        [sys.executable, "-c", EVERYTHING, str(cache)],
        capture_output=True, encoding="utf-8", timeout=300, env=os.environ | {"PYTHONPATH": paths} | environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return in_its_own_process(tmp_path_factory.mktemp("plain"))


@pytest.mark.slow
@pytest.mark.parametrize(
    "content",
    [
        '{"floatx": "float16", "image_data_format": "channels_first", "epsilon": 0.1, "backend": "jax"}',
        '{"floatx": "bfloat16"}',
        '{"floatx": ',
    ],
)
def test_the_file_of_keras_changes_nothing_and_is_not_changed(content, plain, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    (home / "keras.json").write_text(content, "utf-8")
    assert in_its_own_process(tmp_path / "cache", KERAS_HOME=str(home)) == plain
    assert (home / "keras.json").read_text("utf-8") == content and len(list(home.iterdir())) == 1


@pytest.mark.long
def test_the_environment_changes_nothing(plain, tmp_path):
    environment = {
        "KERAS_BACKEND": "torch", "KERAS_HOME": str(tmp_path / "none"), "KERAS_MAX_EPOCHS": "x",
        "KERAS_NNX_ENABLED": "1", "TF_ENABLE_ONEDNN_OPTS": "0", "TF_NUM_INTRAOP_THREADS": "1",
        "TF_XLA_FLAGS": "--tf_xla_auto_jit=2 --tf_xla_cpu_global_jit", "XLA_FLAGS": "--nonsense",
        "ONEDNN_DEFAULT_FPMATH_MODE": "BF16",
    }  # fmt: skip
    assert in_its_own_process(tmp_path / "cache", **environment) == plain
    assert not (tmp_path / "none").exists(), "nothing was to be downloaded"


def test_keras_on_another_backend_is_told():
    code = (
        "import sys, types; keras = types.ModuleType('keras'); sys.modules['keras'] = keras\n"
        "keras.config = types.SimpleNamespace(backend=lambda: 'jax')\n"
        "from skinlib.__main__ import main; sys.exit(main(['evaluate', 'run']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8")
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1
    assert "Keras runs on jax in this Python, and this needs TensorFlow: import skinlib before keras" in done.stderr


# --- a session of one's own -------------------------------------------------------------------------------------------


OTHERS = {
    "floatx": (keras.config.floatx, keras.config.set_floatx, "float16"),
    "layout": (keras.config.image_data_format, keras.config.set_image_data_format, "channels_first"),
    "epsilon": (keras.config.epsilon, keras.config.set_epsilon, 0.1),
    "policy": (lambda: keras.config.dtype_policy().name, keras.config.set_dtype_policy, "mixed_bfloat16"),
}


@pytest.fixture
def other_settings():
    """Set Keras to everything that is not its standard, while a test lasts."""
    before = {name: get() for name, (get, _, _) in OTHERS.items()}
    for _, set_to, value in OTHERS.values():
        set_to(value)
    yield {name: value for name, (_, _, value) in OTHERS.items()}
    for name, (_, set_to, _) in OTHERS.items():
        set_to(before[name])


def all_digests(data, settings) -> list[str]:
    """Return digests of what training, a loaded run, its explanations and a learning curve give."""
    run = train(prepare(data, settings, recipe=RECIPE))
    loaded, photo = Run(run.path), data.read(data.photos.path[0])
    *_, (_, forgetful) = explain.randomised_copies(loaded.model)
    whole = networks.build(seed=2**32 - 1)
    results = [
        run.predictions.to_csv().encode(),
        loaded.predict([photo]).tobytes(),
        explain.grad_cam(loaded.model, photo, 1).tobytes(),
        b"".join(array.tobytes() for array in (*forgetful.get_weights(), *whole.get_weights())),
        learning_curve(data, settings, [8], 2, Recipe(epochs=1)).to_csv().encode(),
    ]
    return [hashlib.sha256(result).hexdigest() for result in results]


@pytest.mark.slow
def test_a_session_s_settings_change_nothing_and_stay(pets, pets_settings, tiny, tmp_path, other_settings):
    def made(folder):
        settings = replace(pets_settings, backbone=tiny.name, cache=tmp_path / folder)
        return all_digests(replace(pets, store=settings.store), settings)

    with_others = made("others")
    assert {name: get() for name, (get, _, _) in OTHERS.items()} == other_settings
    with standard():
        assert made("standard") == with_others


def test_the_world_s_chance_is_left_alone(weights):
    """Whoever seeds their own work gets the same numbers, whether or not a network was built in between."""

    def drawn(build):
        random.seed(1)
        np.random.seed(1)
        tf.random.set_seed(1)
        build()
        return random.random(), np.random.random(), tf.random.uniform([]).numpy()

    def build():
        networks.build(weights)
        RESNET50.draw(np.zeros((1, 224, 224, 3), np.float32), 3)

    assert drawn(build) == drawn(lambda: None)
    assert not tf_config.is_op_determinism_enabled(), "else every draw without a seed would be refused"


def test_threads_may_be_in_standard_blocks_at_a_time(other_settings):
    inside, leave = threading.Event(), threading.Event()

    def stay():
        with standard():
            inside.set()
            assert leave.wait(10)

    thread = threading.Thread(target=stay)
    with standard():
        thread.start()
        assert inside.wait(10)
    assert keras.config.floatx() == "float32", "the other thread is still at work"
    leave.set()
    thread.join()
    assert keras.config.floatx() == "float16"


def test_keras_keeps_downloads_where_it_always_does():
    assert keras_config.keras_home() == os.path.expanduser(os.environ.get("KERAS_HOME") or "~/.keras")


def test_threads_take_turns_in_silence(capfd):
    inside = threading.Event()

    def be_silent():
        with silent():
            inside.set()
            os.write(2, b"hush")

    thread = threading.Thread(target=be_silent)
    with silent():
        thread.start()
        assert not inside.wait(0.1)
    thread.join()
    os.write(2, b"heard")
    assert capfd.readouterr().err == "heard"
