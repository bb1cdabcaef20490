"""The recipe and fine-tuning on a graphics card, where there is one: ours against the ways that they replace.

    KERAS_BACKEND=jax python benchmarks/accelerator.py [--per-class 145] [--photos 512] [--json FILE]

The package itself runs on the processor. Whether keeping what the frozen network gives pays on a card as well is asked
here, with Keras alone and on whatever backend Keras has: TensorFlow, JAX or PyTorch. So nothing here needs TensorFlow,
and a few of the package's constants stand here again. Without a card it runs on the processor, which takes long.

All ways share one drawn ResNet50 and the same simulated photos, decoded and resized before the clock starts, and see
them in the same order; making the networks doesn't count either. Each timed part ends when its numbers have come back
from the card. Each way is gone through once to begin with, which compiles it, and then again from the same start:
``first`` is the seconds of the first time, ``seconds`` the middle ones of the others. Compiling may outweigh all else
in so short a run, and is paid once however many photos there are. ``ratios`` are those of ``seconds``, with the least
and the greatest that the times allow, and, as ``first``, of the first time.

*Recipe*: the original sends every photo through the whole network in each epoch and predicts the test photos one by
one; ours trains the head on features, computed once for each distinct photo (*cold*) or kept (*warm*). *Extraction*
are those features alone, photos a second, and *reading* is decoding and resizing on all cores: the network waits for
photos where reading is slower. *Fine-tuning*: the last stage and the head learn, from photos that pass through the
frozen part each time (*ordinary*) or from what enters the last stage, kept in memory (*kept*). Their losses may differ
by rounding, and on a card those of one way from one run to the next, where sums are taken in another order:
``own_loss_difference`` says by how much the ordinary way's do. ``step`` is the middle time of a step of 32 photos in
seconds, each epoch's time over its steps.

32 bits are full ones: left alone, the backends let a graphics card shorten the factors of products to 19 bits (TF32),
which is faster. 16 bits are Keras's ``mixed_bfloat16`` for ResNet50; the head stays at 32. What has been measured is
told on standard error at once, since all of it takes minutes.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
from datetime import UTC, datetime
from functools import partial
from importlib import metadata
from pathlib import Path

import common
import numpy as np
from PIL import Image

import skinlib
from skinlib.base import runner
from skinlib.base.errors import InputError
from skinlib.base.settings import load_settings
from skinlib.data import conditions, reading, splits
from skinlib.data.opening import open_data

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import keras

# As the modules of skinlib.learn have them, which can't be asked where TensorFlow is absent; a test compares.
SIZE, HIDDEN = 224, 512
MEANS_BGR = (103.939, 116.779, 123.68)
LAST_STAGE = "conv4_block6_out"
EPOCHS, BATCH_SIZE = 12, 32
LEARNING_RATE, FINE_TUNING_RATE = 1e-3, 1e-4

CALIBRATION_PHOTOS = 64
"""Photos from which the drawn network takes its batch-norm statistics."""
EXTRACTION_BATCH = 128
"""Photos that go through the frozen network at a time, where nothing is learned."""
POLICIES = {32: "float32", 16: "mixed_bfloat16"}
LOSSES = ("loss", "val_loss")


def device() -> str:
    """Return the name of the graphics card, or "CPU"."""
    if keras.backend.backend() == "jax":
        import jax

        first = jax.devices()[0]
        return "CPU" if first.platform == "cpu" else first.device_kind
    if keras.backend.backend() == "torch":
        import torch

        return torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    import tensorflow as tf

    cards = tf.config.list_physical_devices("GPU")
    return tf.config.experimental.get_device_details(cards[0]).get("device_name", "GPU") if cards else "CPU"


def full_precision() -> None:
    """Have products of 32 bits computed in 32 bits."""
    if keras.backend.backend() == "jax":
        import jax

        jax.config.update("jax_default_matmul_precision", "highest")
    elif keras.backend.backend() == "torch":
        import torch

        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    else:
        import tensorflow as tf

        tf.config.experimental.enable_tensor_float_32_execution(False)


def versions() -> dict[str, str]:
    """Return the versions that shape these results; the package's own list names TensorFlow, which may be absent."""
    packages = ("numpy", "pillow", "keras", keras.backend.backend())
    told = {"Python": platform.python_version(), "skinlib": skinlib.__version__}
    return told | {package: metadata.version(package) for package in packages}


def prepare(path: Path) -> np.ndarray:
    """Read a photo and resize it to float32 (224, 224, 3), by the package's filter, which needs no TensorFlow here."""
    photo = Image.fromarray(reading.read(path))
    return np.asarray(photo.resize((SIZE, SIZE), Image.Resampling.BILINEAR), np.float32)


def draw_weights(squares: np.ndarray, seed: int) -> list[np.ndarray]:
    """Draw ResNet50's weights; measure batch-norm statistics, without which numbers grow from layer to layer."""
    keras.utils.set_random_seed(seed)
    backbone = keras.applications.ResNet50(include_top=False, weights=None, input_shape=(SIZE, SIZE, 3))
    for layer in backbone.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    backbone(squares[..., ::-1] - np.float32(MEANS_BGR), training=True)
    return backbone.get_weights()


def build(arrays: list[np.ndarray], seed: int, bits: int = 32) -> keras.Model:
    """Build the network as ``skinlib.learn.networks.build`` does, but for resizing, with ResNet50 in so many bits."""
    keras.utils.set_random_seed(seed)
    photo = keras.Input((SIZE, SIZE, 3), name="photo")
    x = keras.ops.flip(photo, axis=-1)  # RGB to BGR
    x = keras.layers.Rescaling(1.0, offset=[-mean for mean in MEANS_BGR], name="subtract_means")(x)
    keras.config.set_dtype_policy(POLICIES[bits])
    backbone = keras.applications.ResNet50(include_top=False, weights=None, input_tensor=x)
    keras.config.set_dtype_policy(POLICIES[32])
    backbone.set_weights(arrays)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(backbone.output)
    x = keras.layers.Dense(HIDDEN, activation="relu", name="hidden")(x)
    probabilities = keras.layers.Dense(len(conditions.KEYS), activation="softmax", name="probabilities")(x)
    return keras.Model(photo, probabilities)


def part_before(network: keras.Model, *layers: str) -> keras.Model:
    """Return the frozen part, which gives float32 at those layers; of the last stage's input, what that looks at."""
    outputs = {layer: keras.ops.cast(network.get_layer(layer).output, "float32") for layer in layers}
    if LAST_STAGE in outputs:
        outputs[LAST_STAGE] = outputs[LAST_STAGE][:, ::2, ::2]
    return keras.Model(network.input, outputs)


def part_after(network: keras.Model, layer: str) -> keras.Model:
    """Return a copy of what follows "pool" or the last stage's input, as ``skinlib.learn.networks.part_after`` does."""
    part = keras.Model(network.get_layer(layer).output, network.output)

    def same_layer(original):
        config = original.get_config()
        if config.get("strides") == (2, 2):
            config["strides"] = (1, 1)  # part_before() has already dropped every other row and column
        return type(original).from_config(config)

    shape = part.input.shape[1:]
    if layer == LAST_STAGE:
        height, width, channels = shape
        shape = (-(-height // 2), -(-width // 2), channels)
    copy = keras.models.clone_model(part, input_tensors=keras.Input(shape), clone_function=same_layer)
    copy.set_weights(part.get_weights())
    return copy


class Learner:
    """A network in which some layers learn, and which can begin again from where it began."""

    def __init__(self, network: keras.Model, rate: float, stage: str = "hidden"):
        """Let the head learn, and the layers whose names begin with ``stage``; batch norms never do."""
        for layer in network.layers:
            named = layer.name.startswith((stage, "hidden", "probabilities"))
            layer.trainable = named and not isinstance(layer, keras.layers.BatchNormalization)
        # JAX has no other way than to compile; TensorFlow compiles as the package has it, without XLA.
        jit = keras.backend.backend() == "jax"
        adam, loss = keras.optimizers.Adam(rate), "categorical_crossentropy"
        network.compile(adam, loss, metrics=["accuracy"], jit_compile=jit)
        network.optimizer.build(network.trainable_variables)
        self.network, self._variables = network, network.variables + network.optimizer.variables
        self._begun = [keras.ops.convert_to_numpy(variable).copy() for variable in self._variables]

    def begin_again(self) -> None:
        """Put weights and the optimiser's state back; what is compiled stays."""
        for variable, value in zip(self._variables, self._begun, strict=True):
            variable.assign(value)

    def learn(self, inputs, labels, learning: np.ndarray, held_out: np.ndarray, options) -> dict[str, list[float]]:
        """Train on some rows and judge on others; return both losses and the seconds of a step, by epoch."""
        found = {"loss": [], "val_loss": [], "step": []}
        judged = Batches(inputs, labels, held_out)
        for epoch in range(options.epochs):
            order = learning[np.random.default_rng([options.seed, epoch]).permutation(len(learning))]
            batches = Batches(inputs, labels, order)
            fit = partial(self.network.fit, batches, shuffle=False, verbose=0)
            history, seconds, _ = common.timed(fit)
            found["step"].append(seconds / len(batches))
            found["loss"].append(history.history["loss"][0])
            found["val_loss"].append(self.network.evaluate(judged, verbose=0, return_dict=True)["loss"])
        return found


class Batches(keras.utils.PyDataset):
    """Rows in a given order: copied batch by batch, while the card works, and not all before each epoch."""

    def __init__(self, inputs: np.ndarray, labels: np.ndarray, order: np.ndarray):
        super().__init__()
        self.inputs, self.labels, self.order = inputs, np.eye(len(conditions.KEYS), dtype=np.float32)[labels], order

    def __len__(self) -> int:
        """Return how many batches there are."""
        return -(-len(self.order) // BATCH_SIZE)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the inputs and labels of one batch."""
        rows = self.order[index * BATCH_SIZE : (index + 1) * BATCH_SIZE]
        return self.inputs[rows], self.labels[rows]


class Clock:
    """Tells how long each part took, by its name."""

    def __init__(self):
        self.parts = {}

    def __call__(self, name: str, function, *arguments, **more):
        """Call a function, book its time, and return what it returned."""
        result, self.parts[name], _ = common.timed(partial(function, *arguments, **more))
        return result

    def seconds(self) -> float:
        """Return the time of all parts together."""
        return sum(self.parts.values())


def recipe(squares, labels, sha256, side, arrays, options) -> tuple[dict, list[np.ndarray]]:
    """Measure the three ways of the recipe; return the figures, and the trained head's weights."""
    learning, held_out, test = (np.flatnonzero(side == name) for name in ("train", "validation", "test"))
    _, first, row = np.unique(sha256, return_index=True, return_inverse=True)
    distinct, kept = squares[first], {}
    network = build(arrays, options.seed)
    features = part_before(network, "pool")
    learners = {kind: Learner(part_after(network, "pool"), LEARNING_RATE) for kind in ("cold", "warm")}
    learners["original"] = Learner(network, LEARNING_RATE)

    def ours(learner, clock, kind):
        if kind == "cold":
            kept["pool"] = clock("features", features.predict, distinct, EXTRACTION_BATCH, verbose=0)["pool"][row]
        clock("training", learner.learn, kept["pool"], labels, learning, held_out, options)
        return clock("prediction", learner.network.predict, kept["pool"][test], verbose=0)

    def original(learner, clock, kind):
        def one_by_one():
            return np.concatenate([learner.network.predict(squares[[i]], verbose=0) for i in test])

        clock("training", learner.learn, squares, labels, learning, held_out, options)
        return clock("prediction", one_by_one)

    clocks, answers = {kind: [] for kind in learners}, {}
    for _ in range(1 + options.repeats):
        for kind, learner in learners.items():  # cold comes first and makes what warm finds kept
            learner.begin_again()
            clocks[kind].append(Clock())
            answers[kind] = (original if kind == "original" else ours)(learner, clocks[kind][-1], kind)
    times = {kind: spread(clocks[kind]) for kind in ("original", "cold", "warm")}
    found = {
        "distinct": len(distinct),
        "times": times,
        "ratios": {kind: ratio(times["original"], times[kind]) for kind in ("cold", "warm")},
        "largest_difference": float(np.abs(answers["original"] - answers["cold"]).max()),
        "same_top_answer": float((answers["original"].argmax(1) == answers["cold"].argmax(1)).mean()),
    }
    return found, learners["cold"].network.get_weights()


def extraction(squares: np.ndarray, arrays, options) -> dict[str, dict]:
    """Measure how many photos a second the frozen network takes."""
    found = {}
    for bits in options.bits:
        predict = part_before(build(arrays, options.seed, bits), "pool").predict
        run = partial(predict, squares, EXTRACTION_BATCH, verbose=0)
        first, *seconds = (common.timed(run)[1] for _ in range(1 + options.repeats))
        found[f"{bits} bits"] = {"first": round(first, 4), **common.per_second(seconds, len(squares))}
    return found


def fine_tuning(squares, labels, arrays, head, bits: int, options) -> dict:
    """Measure both ways of fine-tuning, which begin with that head; return the figures."""
    learning, held_out = np.split(np.arange(len(squares)), [options.photos])
    networks = {name: build(arrays, options.seed, bits) for name in ("ordinary", "kept")}
    for network in networks.values():
        for layer, weights in (("hidden", head[:2]), ("probabilities", head[2:])):
            network.get_layer(layer).set_weights(weights)
    before = part_before(networks["kept"], LAST_STAGE)
    learners = {
        "ordinary": Learner(networks["ordinary"], FINE_TUNING_RATE, "conv5"),
        "kept": Learner(part_after(networks["kept"], LAST_STAGE), FINE_TUNING_RATE, "conv5"),
    }
    predict = partial(before.predict, squares, EXTRACTION_BATCH, verbose=0)
    inputs, seconds = {"ordinary": squares}, []
    for _ in range(2):
        rows, took, _ = common.timed(predict)
        seconds.append(took)
    inputs["kept"] = rows[LAST_STAGE]

    clocks, histories = {name: [] for name in learners}, {name: [] for name in learners}
    for _ in range(1 + options.repeats):
        for name, learner in learners.items():
            learner.begin_again()
            clocks[name].append(Clock())
            learn = partial(learner.learn, inputs[name], labels, learning, held_out, options)
            histories[name].append(clocks[name][-1]("training", learn))
    ways = {}
    for name, (first, *others) in histories.items():
        steps = [step for history in others for step in history["step"]]
        ways[name] = spread(clocks[name]) | {"step": round(statistics.median(steps), 5)}
        ways[name] |= {loss: first[loss] for loss in LOSSES}
    ways["kept"]["extraction"] = {"first": round(seconds[0], 4), "seconds": round(seconds[1], 4)}
    ordinary, ours = ways["ordinary"], ways["kept"]
    return {
        "ways": ways,
        "ratio": ratio(ordinary, ours),
        "ratio_with_extraction": round(ordinary["seconds"] / (ours["seconds"] + seconds[1]), 2),
        "ratio_step": round(ordinary["step"] / ours["step"], 2),
        "largest_loss_difference": gap(ordinary, ours),
        "own_loss_difference": max(gap(ordinary, again) for again in histories["ordinary"][1:]),
    }


def spread(clocks: list[Clock]) -> dict:
    """Return the first time, the middle of the others with the shortest and the longest, and the parts of a middle."""
    first, *others = clocks
    parts = {name: statistics.median(clock.parts[name] for clock in others) for name in first.parts}
    return {
        "first": round(first.seconds(), 4),
        **common.spread([clock.seconds() for clock in others]),
        "parts": {name: round(seconds, 4) for name, seconds in parts.items()},
    }


def ratio(theirs: dict, ours: dict) -> dict[str, float]:
    """Return how many times as long theirs took: once compiled, with the least and the greatest, and the first time."""
    return {
        "ratio": round(theirs["seconds"] / ours["seconds"], 2),
        "low": round(theirs["shortest"] / ours["longest"], 2),
        "high": round(theirs["longest"] / ours["shortest"], 2),
        "first": round(theirs["first"] / ours["first"], 2),
    }


def gap(one: dict, other: dict) -> float:
    """Return the largest difference of a loss, in training or held out."""
    return float(max(np.abs(np.subtract(one[name], other[name])).max() for name in LOSSES))


def measure(options, folder: Path) -> dict:
    """Measure, with what is drawn below ``folder``; return the figures as --json writes them."""
    if keras.backend.backend() not in ("tensorflow", "jax", "torch"):
        raise InputError(
            f"Keras on {keras.backend.backend()} can't train: set KERAS_BACKEND to tensorflow, jax or torch"
        )
    full_precision()
    root = options.data or common.sample(folder, options.per_class)
    data = open_data(load_settings(data=str(root), cache=folder))
    table, files = data.photos, [data.path(path) for path in data.photos.path]

    def read():
        return list(runner.threads(lambda: prepare, files))

    squares = np.stack(read())  # the system has the files in memory from now on
    reading = [common.timed(read)[1] for _ in range(options.repeats)]
    labels = table.condition.map(conditions.KEYS.index).to_numpy()
    shuffled = np.random.default_rng(options.seed).permutation(len(table))
    some = shuffled[: options.photos + options.validation]
    if len(some) < options.photos + options.validation:
        raise InputError(f"{root} has {len(table)} photos: ask for fewer")
    arrays = draw_weights(squares[shuffled[:CALIBRATION_PHOTOS]], options.seed)

    side = splits.official(table, options.seed)
    result = {
        "date": datetime.now(UTC).date().isoformat(),
        "files": len(table),
        "epochs": options.epochs,
        "batch_size": BATCH_SIZE,
        "machine": {
            "device": device(),
            "backend": keras.backend.backend(),
            "cores": runner.cores(),
            "system": platform.system(),
        },
        "versions": versions(),
    }
    result["reading"] = told("reading", common.per_second(reading, len(files)))
    found, head = recipe(squares, labels, table.sha256, side, arrays, options)
    result["recipe"] = told("recipe", found)
    result["extraction"] = told("extraction", extraction(squares, arrays, options))
    result["fine_tuning"] = {"photos": options.photos, "validation": options.validation}
    for bits in options.bits:
        found = fine_tuning(squares[some], labels[some], arrays, head, bits, options)
        result["fine_tuning"][f"{bits} bits"] = told(f"fine-tuning, {bits} bits", found)
    return result


def told(name: str, found: dict) -> dict:
    """Return what was found, having told it."""
    print(f"{name}: {json.dumps(found)}", file=sys.stderr, flush=True)
    return found


def main(arguments: list[str] | None = None) -> dict:
    """Measure, print and return the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="photos to use, instead of drawn ones")
    parser.add_argument("--per-class", type=common.at_least_one, default=145, help="photos drawn per condition (145)")
    parser.add_argument("--photos", type=common.at_least_one, default=512, help="photos to fine-tune on (512)")
    parser.add_argument("--validation", type=common.at_least_one, default=128, help="photos held out of those (128)")
    parser.add_argument("--epochs", type=common.at_least_one, default=EPOCHS)
    parser.add_argument("--repeats", type=common.at_least_one, default=3, help="runs after the first (default: 3)")
    parser.add_argument("--bits", type=int, nargs="+", choices=POLICIES, default=list(POLICIES), help="default: both")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the result here, too")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        result = measure(options, Path(folder))
    machine = result["machine"]
    print(f"{machine['device']}, Keras on {machine['backend']}, {machine['cores']} cores; {result['files']} files\n")
    rates = {"reading": result["reading"]} | {f"features, {name}": row for name, row in result["extraction"].items()}
    print(common.table([{"photos a second": name} | rate for name, rate in rates.items()]))
    print("\nthe recipe, in seconds:")
    print(common.table([{"way": name} | flat(way) for name, way in result["recipe"]["times"].items()]))
    for name, row in result["recipe"]["ratios"].items():
        print(f"  {name}: {row}")
    print(f"largest difference of a probability: {result['recipe']['largest_difference']:.1e}")
    for bits in options.bits:
        found = result["fine_tuning"][f"{bits} bits"]
        print(f"\nfine-tuning in {bits} bits, in seconds:")
        print(common.table([{"way": name} | flat(way) for name, way in found["ways"].items()]))
        print(f"ratio {found['ratio']}, of a step {found['ratio_step']}")
        losses = {f"{name}, {loss}": way[loss] for name, way in found["ways"].items() for loss in LOSSES}
        rows = [{"epoch": i + 1} | {name: row[i] for name, row in losses.items()} for i in range(result["epochs"])]
        print(common.table(rows))
        print(f"largest difference of a loss: {found['largest_loss_difference']:.1e}, ", end="")
        print(f"of the ordinary way from itself: {found['own_loss_difference']:.1e}")
    return common.finish(result, options)


def flat(way: dict) -> dict:
    """Return the single numbers of a way, for a row of a table."""
    return {name: value for name, value in way.items() if isinstance(value, float)} | way["parts"]


if __name__ == "__main__":
    common.run(main)
