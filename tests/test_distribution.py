"""Training on several devices: two replicas end with the losses and weights of one, and share the work.

TensorFlow's processor stands in for two graphics cards: it is divided into two devices before TensorFlow starts, which
takes a process of its own. The sums are done in 64 bits there. In 32 bits the replicas' sums round otherwise than one
device's, and Adam makes steps of full size of the smallest differences.
"""

import json
import subprocess
import sys

import numpy as np
import pytest

SCRIPT = """
import json, sys, tempfile
from pathlib import Path

import numpy as np

from skinlib import model, train
from skinlib.learn.networks import keras, tf

processor = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(processor, [tf.config.LogicalDeviceConfiguration()] * 2)
keras.config.set_floatx("float64")
train.KEEP_EVERY = 0
network = model.build(seed=0)
labels = np.arange(12) % 8


def trained(layer, rows, n, epochs, progress=None):
    '''Train on n replicas; return the part, its history and the sizes of batches that the hidden layer has seen.'''
    devices, seen = [f"CPU:{i}" for i in range(n)], []
    with tf.distribute.MirroredStrategy(devices, tf.distribute.ReductionToOneDevice()).scope():
        part = train.compile_recipe(model.part_after(network, layer), train.FINE_TUNING_RATE)
        hidden = part.get_layer("hidden")
        call = hidden.call
        hidden.call = lambda x, **options: (seen.append(x.shape[0]), call(x, **options))[1]
        held_out = rows[7:], labels[7:]
        part, history = train.fit(part, [rows[:7]], labels[:7], held_out, epochs, 4, 0, "head", progress)
    return part, history, seen


told = {}
for layer, shape in model.SHAPES.items():
    rows = np.random.default_rng(0).normal(size=(12, *shape))
    (one, losses, whole), (two, again, halves) = (trained(layer, rows, n, 2) for n in (1, 2))
    weights = [np.abs(a - b).max() for a, b in zip(one.get_weights(), two.get_weights(), strict=True)]
    told[layer] = {"losses": [losses, again], "weights": float(max(weights)), "seen": [whole, halves]}
rows = np.random.default_rng(0).normal(size=(12, *model.SHAPES["pool"]))
with tempfile.TemporaryDirectory() as folder:
    progress = train.Progress(Path(folder))
    trained("pool", rows, 2, 1, progress)
    told["interrupted"] = trained("pool", rows, 2, 2, progress)[1]
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def told():
    """Return what a process with two devices says of training on one and on both."""
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def numbers(history):
    return [[value for value in row.values() if value != "head"] for row in history]


@pytest.mark.parametrize("layer", ["pool", "conv4_block6_out"])
def test_two_replicas_learn_what_one_learns(told, layer):
    one, two = told[layer]["losses"]
    np.testing.assert_allclose(numbers(two), numbers(one), atol=1e-9)
    assert told[layer]["weights"] < 1e-9
    assert one[0]["loss"] - one[1]["loss"] > 0.1, "there was something to learn"


@pytest.mark.parametrize("layer", ["pool", "conv4_block6_out"])
def test_each_replica_gets_half_of_a_batch(told, layer):
    """Except of the epoch's last batch, 3 photos here, which can't be halved and goes to both."""
    one, two = told[layer]["seen"]
    assert 4 in one and 2 not in one
    assert 2 in two and 4 not in two


def test_interrupted_training_goes_on_with_two_replicas(told):
    np.testing.assert_allclose(numbers(told["interrupted"]), numbers(told["pool"]["losses"][1]), atol=1e-9)
