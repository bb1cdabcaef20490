"""The last stage fine-tuned from kept activations, against ordinary fine-tuning: same losses, time, disk.

    python benchmarks/fine_tuning.py [--data sample] [--photos 96] [--validation 32] [--epochs 12] [--json FILE]

Ordinary fine-tuning sends every photo through all of ResNet50 in each epoch, of which the last stage and the head learn
and the rest is frozen, its batch norms too. Ours reads what enters the last stage from disk, where it was kept once.
Both begin with the same head, trained on the pooled features as the recipe does, and both are trained by
``skinlib.learn.fitting.fit``: the same photos in the same order, the same optimiser. So their losses should differ by
rounding alone, which grows from step to step: Adam takes its first steps by the sign of each gradient, however small.
For comparison ours is run again with each activation changed by about a millionth of itself, as much as engines differ,
and what that does to the losses is printed beside. Where the processor has bfloat16, ours runs once more with it, from
activations that were computed with it, too.

Times begin with photos decoded, and hold the making of the graph and the validation photos of each epoch. ``step`` is
the middle time of one step of 32 photos. ``cpu_seconds`` is what all cores spent together: it says whether the machine
did something else meanwhile. Extraction is timed by itself, with the making of its network; the recipe has paid it
already when fine-tuning begins, because the head's features come from the same pass.
"""

import statistics
import tempfile
from pathlib import Path

import common
import numpy as np
from processes import on_disk

from skinlib.base.errors import InputError
from skinlib.data.dataset import DataSet
from skinlib.learn import extraction, networks
from skinlib.learn.engines import keras
from skinlib.learn.fitting import compile_recipe, fit
from skinlib.learn.prepared import EPOCHS
from skinlib.learn.preprocessing import prepare
from skinlib.learn.pretrained import Weights
from skinlib.learn.runs import BATCH_SIZE
from skinlib.learn.train import FINE_TUNING_RATE

NUDGE = 1e-6
"""By what part of itself each activation is changed to see how rounding grows: engines differ by about as much."""


def whole_network(weights: Weights, head: keras.Model, seed: int) -> keras.Model:
    """Return the whole network with that head; the last stage and the head learn, batch norms don't."""
    network = networks.build(weights, head.output_shape[-1], seed)
    networks.copy_weights(head, network)
    part = networks.part_after(network, weights.backbone.last_stage)
    learns = {layer.name for layer in part.layers if layer.trainable_weights}
    for layer in network.layers:
        layer.trainable = layer.name in learns
    return network


def operations_to_learn(part: keras.Model) -> int:
    """Return the floating-point operations of learning from one photo, forward and back.

    Back takes two products for each one forward: the gradient of the weights, and that of the inputs, which the layers
    that come first need not have.
    """
    entry = part.inputs[0]
    return 3 * common.operations(part.layers) - common.operations(
        layer for layer in part.layers if layer.input is entry
    )


def trained(network: keras.Model, inputs, labels, validation, options) -> dict:
    """Fine-tune a network on its inputs; return losses and times."""
    compile_recipe(network, FINE_TUNING_RATE)
    step, steps = network.train_on_batch, []

    def clocked(*batch):
        answer, seconds, _ = common.timed(step, *batch)
        if len(batch[0]) == min(BATCH_SIZE, options.photos):  # a last, smaller batch would count as a fast one
            steps.append(seconds)
        return answer

    network.train_on_batch = clocked
    (_, history), seconds, cpu = common.timed(
        fit, network, [inputs], labels, validation, options.epochs, BATCH_SIZE, options.seed
    )
    warm = sorted(steps[1:] or steps)  # the first one makes the graph
    found = {
        "seconds": round(seconds, 2),
        "cpu_seconds": round(cpu, 2),
        "step": round(statistics.median(warm), 4),
        "fastest_step": round(warm[0], 4),
        "slowest_step": round(warm[-1], 4),
    }
    return found | {name: [row[name] for row in history] for name in ("loss", "val_loss")}


def kept(data: DataSet, weights: Weights, paths: list[str], bits: int) -> dict:
    """Compute what enters the last stage, and the pooled features, of the photos; return both, and what that cost."""
    place, layer = data.store.root / "features", weights.backbone.last_stage
    before = on_disk(place)
    rows, seconds, _ = common.timed(lambda: extraction.features(data, weights, layer, paths, bits=bits))
    found = {"rows": rows, "pooled": extraction.features(data, weights, "pool", paths, bits=bits)}
    return found | {"seconds": round(seconds, 2), "megabytes": round((on_disk(place) - before) / 1e6, 3)}


def measure(options, folder: Path) -> dict:
    """Measure, with what is kept below ``folder``; return the figures as --json writes them."""
    data, weights = common.opened(options, folder)
    table = data.photos[data.photos.split == "train"].drop_duplicates("sha256").reset_index(drop=True)
    shuffled = np.random.default_rng(options.seed).permutation(len(table))
    learning, held_out = np.split(np.arange(options.photos + options.validation), [options.photos])
    table = table.iloc[shuffled[: options.photos + options.validation]]
    if len(table) < options.photos + options.validation:
        raise InputError(f"{data.root} has {len(table)} photos to train on: ask for fewer")
    paths, labels = list(table.path), table.condition.map(data.classes.keys.index).to_numpy()

    squares = np.stack([prepare(data.read(path)) for path in paths])
    all_kept = {bits: kept(data, weights, paths, bits) for bits in ((32, 16) if extraction.has_bfloat16() else (32,))}
    pooled = all_kept[32]["pooled"]
    fresh = networks.build(weights, len(data.classes), options.seed)
    head = compile_recipe(networks.part_after(fresh, "pool"))
    head, _ = fit(
        head, [pooled[learning]], labels[learning], (pooled[held_out], labels[held_out]),
        EPOCHS, BATCH_SIZE, options.seed,
    )  # fmt: skip

    def run(network, inputs):
        validation = inputs[held_out], labels[held_out]
        return trained(network, inputs[learning], labels[learning], validation, options)

    network = whole_network(weights, head, options.seed)
    last_stage = weights.backbone.last_stage
    parts = {bits: networks.part_after(network, last_stage, bits) for bits in all_kept}
    another = networks.part_after(network, last_stage)
    ways = {"ordinary": run(network, squares)}
    for bits, activations in all_kept.items():
        ours = run(parts[bits], activations["rows"])
        ours |= {"extraction_seconds": activations["seconds"], "disk_megabytes": activations["megabytes"]}
        ways[f"kept activations, {bits} bits"] = ours | _compared(ways["ordinary"], ours)
    noise = np.random.default_rng(options.seed).standard_normal(all_kept[32]["rows"].shape, np.float32)
    nudged = run(another, all_kept[32]["rows"] * (1 + np.float32(NUDGE) * noise))
    return {
        "photos": options.photos,
        "validation": options.validation,
        "epochs": options.epochs,
        "batch_size": BATCH_SIZE,
        "gigaflop_to_learn_from_a_photo": round(operations_to_learn(parts[32]) / 1e9, 3),
        "disk_kilobytes_a_photo": round(all_kept[32]["megabytes"] * 1e3 / len(paths), 1),
        "ways": ways,
        "nudged_loss_difference": _largest_gap(ways["kept activations, 32 bits"], nudged),
        "machine": common.machine(),
        "versions": common.versions(),
    }


def _compared(ordinary: dict, ours: dict) -> dict:
    return {
        "first_loss_difference": abs(ours["loss"][0] - ordinary["loss"][0]),
        "largest_loss_difference": _largest_gap(ordinary, ours),
        "ratio": round(ordinary["seconds"] / ours["seconds"], 2),
        "ratio_with_extraction": round(ordinary["seconds"] / (ours["seconds"] + ours["extraction_seconds"]), 2),
        "ratio_cpu": round(ordinary["cpu_seconds"] / ours["cpu_seconds"], 2),
        "ratio_step": round(ordinary["step"] / ours["step"], 2),
    }


def _largest_gap(one: dict, other: dict) -> float:
    return float(max(np.abs(np.subtract(one[name], other[name])).max() for name in ("loss", "val_loss")))


def main(arguments: list[str] | None = None) -> dict:
    """Measure, print and return the figures."""
    parser = common.parser(__doc__)
    parser.add_argument("--photos", type=common.at_least_one, default=96, help="photos to learn from (default: 96)")
    parser.add_argument("--validation", type=common.at_least_one, default=32, help="photos held out (default: 32)")
    parser.add_argument("--epochs", type=common.at_least_one, default=12)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        result = measure(options, Path(folder))
    ways = result["ways"]
    print(f"{result['photos']} photos to learn from, {result['validation']} held out, {result['epochs']} epochs\n")
    print(
        common.table([{"way": name} | {k: v for k, v in way.items() if "loss" not in k} for name, way in ways.items()])
    )
    losses = [
        {"epoch": epoch + 1} | {name: round(way["loss"][epoch], 6) for name, way in ways.items()}
        for epoch in range(result["epochs"])
    ]
    print("\nloss in training, epoch by epoch:\n" + common.table(losses))
    print("\nlargest difference of a loss, in training or held out, from ordinary fine-tuning:")
    for name, way in ways.items():
        if "largest_loss_difference" in way:
            print(f"  {name}: {way['largest_loss_difference']:.1e} ({way['first_loss_difference']:.1e} in epoch 1)")
    print(f"  ours, activations changed by a millionth, from ours: {result['nudged_loss_difference']:.1e}")
    print(f"on disk: {result['disk_kilobytes_a_photo']} kB for each photo")
    return common.finish(result, options)


if __name__ == "__main__":
    common.run(main)
