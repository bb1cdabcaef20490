"""Features of photos a second: Keras, a tf.function, ONNX Runtime and OpenVINO, against the limit of this machine.

    python benchmarks/extraction.py [--data sample] [--photos 64] [--repeats 5] [--json FILE]

All run the frozen ResNet50 with the same weights on the same photos, decoded and resized before the clock starts, and
take turns; a middle time is given with the slowest and the fastest. In 16 bits (bfloat16), where the processor has it,
TensorFlow lets oneDNN choose the precision of each operation, and OpenVINO is asked for it.

The limit is what the multiplications alone would take: the network's floating-point operations, counted from the shapes
of its layers, over the fastest multiplication of two large matrices in the same run (NumPy's and TensorFlow's in 32
bits, TensorFlow's in 16). An engine may come out above it by convolutions that multiply less often (Lavin and Gray,
2016), or where the machine was busier while it multiplied.

``largest_difference`` is the length of the difference of a photo's features from those of Keras, over their length, for
the photo that differs most. For each 16-bit engine a head is trained on its features and asked about its own features
of the test photos; its accuracy stands beside that of 32 bits, with the interval of the paired difference.
"""

import contextlib
import logging
from collections.abc import Callable, Iterator

import common
import numpy as np
import onnxruntime

from skinlib.base import runner
from skinlib.data import splits
from skinlib.judge import evaluate
from skinlib.learn import extraction, networks
from skinlib.learn.engines import keras, tf
from skinlib.learn.fitting import compile_recipe, fit
from skinlib.learn.prepared import EPOCHS
from skinlib.learn.preprocessing import SIZE, prepare
from skinlib.learn.runs import BATCH_SIZE
from skinlib.serve import onnx_graph  # before TensorFlow, which it silences

BATCH = {"Keras predict": 32, "tf.function": 32, "ONNX Runtime": 8}
"""Photos in a batch, as suited each engine in a few trials. OpenVINO takes one a core."""
MATRIX = 4096
"""Rows and columns of the matrices whose multiplication measures the machine."""


@contextlib.contextmanager
def bfloat16_in_tensorflow() -> Iterator[None]:
    """Let TensorFlow's optimiser of graphs compute in bfloat16 where it judges that safe."""
    switch = "auto_mixed_precision_onednn_bfloat16"
    tf.config.optimizer.set_experimental_options({switch: True})
    try:
        yield
    finally:
        tf.config.optimizer.set_experimental_options({switch: False})


def backbone_of(network: keras.Model) -> keras.Model:
    """Return what the engines run: photos resized to (224, 224, 3), float32, to features, (2048,).

    Its shapes are fixed but for the number of photos, so its operations can be counted.
    """
    entry = keras.Input((SIZE, SIZE, 3), name="photo")
    part = keras.Model(network.get_layer("resize").output, network.get_layer("pool").output)
    copy = keras.models.clone_model(part, input_tensors=entry)
    copy.set_weights(part.get_weights())
    return copy


def batches(extract: Callable, size: int) -> Callable:
    """Return a function of n photos that calls ``extract`` on batches and puts the features together."""

    def all_photos(squares):
        return np.concatenate([np.asarray(extract(squares[i : i + size])) for i in range(0, len(squares), size)])

    return all_photos


def engines(network: keras.Model) -> dict[str, tuple[int, Callable]]:
    """Return the bits and a function of prepared photos, (n, 224, 224, 3), to features, (n, 2048), for each engine."""
    # Not above, where TensorFlow would come before skinlib.learn.engines, which silences it.
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    backbone = backbone_of(network)
    signature = [tf.TensorSpec((None, SIZE, SIZE, 3), tf.float32, name="photo")]
    variable = tf.function(lambda photo: backbone(photo, training=False), input_signature=signature)
    constant = convert_variables_to_constants_v2(variable.get_concrete_function())  # as fast as it gets
    named = tf.function(lambda photo: {"pool": backbone(photo, training=False)}, input_signature=signature)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = runner.cores()
    graph = onnx_graph.to_onnx(named, backbone).SerializeToString()
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])

    def function(squares):
        return constant(tf.constant(squares))[0]

    def in_16_bits(squares):
        with bfloat16_in_tensorflow():
            return batches(function, BATCH["tf.function"])(squares)

    def openvino(bits):
        extract = extraction.extractor(network, bits)
        return lambda squares: extract(squares)[1]

    found = {
        "Keras predict": (32, lambda squares: backbone.predict(squares, BATCH["Keras predict"], verbose=0)),
        "tf.function": (32, batches(function, BATCH["tf.function"])),
        "ONNX Runtime": (32, batches(lambda some: session.run(["pool"], {"photo": some})[0], BATCH["ONNX Runtime"])),
        "OpenVINO": (32, openvino(32)),
    }
    if extraction.has_bfloat16():
        found |= {"tf.function, 16 bits": (16, in_16_bits), "OpenVINO, 16 bits": (16, openvino(16))}
    return found


def multiplications(size: int) -> dict[str, Callable]:
    """Return functions that each multiply two matrices of ``size`` rows and columns: in 32 bits twice, in 16 bits."""
    rng = np.random.default_rng(0)
    a, b = rng.random((2, size, size), np.float32)
    multiply = tf.function(tf.matmul)
    found = {"NumPy, 32 bits": lambda: a @ b}
    for bits, kind in ((32, tf.float32), (16, tf.bfloat16)):
        if bits == 32 or extraction.has_bfloat16():
            pair = [tf.cast(matrix, kind) for matrix in (a, b)]
            found[f"TensorFlow, {bits} bits"] = lambda pair=pair: multiply(*pair)[0, 0].numpy()
    return found


def accuracy(features: dict[str, np.ndarray], data, network: keras.Model, seed: int) -> list[dict]:
    """Train a head on each engine's features of all photos; return accuracies and differences from the first's.

    Heads begin alike and see the training photos of the clean split in the same order.
    """
    side = splits.grouped(data.photos, seed)
    labels = data.labels()
    is_train, is_validation = side == "train", side == "validation"
    rows, first = [], None
    for name, pooled in features.items():
        head = compile_recipe(networks.part_after(network, "pool"))
        validation = pooled[is_validation], labels[is_validation]
        head, _ = fit(head, [pooled[is_train]], labels[is_train], validation, EPOCHS, BATCH_SIZE, seed)
        table = evaluate.predictions_table(data.photos, side, head.predict(pooled, verbose=0), data.classes.keys)
        first = table if first is None else first
        paired = evaluate.compare_runs(first, table, seed=seed)
        low, high = paired["difference_interval"]
        votes = evaluate.one_vote_per_photo(table[table.split == "test"])
        rows.append(
            {
                "features": name,
                "test_photos": paired["photos"],
                "accuracy": round(evaluate.accuracy(votes), 4),
                "difference": round(paired["difference"], 4),
                "low": round(low, 4),
                "high": round(high, 4),
                "other_right_answers": paired["only_a"] + paired["only_b"],
            }
        )
    return rows


def measure(options) -> dict:
    """Measure; return the figures as --json writes them."""
    from skinlib.audit.copies import identified

    data, weights = common.opened(options)
    data = identified(data)
    network = networks.build(weights, len(data.classes), options.seed)
    squares = list(runner.threads(lambda: lambda path: prepare(data.read(path)), data.photos.path))
    some = np.stack([squares[place] for place in common.spread_over(options.photos, len(squares))])
    ways = engines(network)
    run = {name: (lambda extract=extract: extract(some)) for name, (_, extract) in ways.items()}
    products = multiplications(options.matrix)
    seconds = common.interleaved(products | run, options.repeats)

    work_of_product = 2 * options.matrix**3
    rates = {name: round(work_of_product / min(seconds[name]) / 1e9, 1) for name in products}
    of_network = common.operations(backbone_of(network).layers)
    limits = {
        bits: max(rate for name, rate in rates.items() if name.endswith(f"{bits} bits")) * 1e9 / of_network
        for bits in sorted({bits for bits, _ in ways.values()}, reverse=True)
    }
    reference, rows = None, []
    for name, (bits, extract) in ways.items():
        features = extract(some)
        reference = features if reference is None else reference
        gap = np.linalg.norm(features - reference, axis=1) / np.linalg.norm(reference, axis=1)
        speed = common.per_second(seconds[name], len(some))
        row = {"engine": name, **speed, "of_the_limit": round(speed["per_second"] / limits[bits], 3)}
        row |= {"of_the_32_bit_limit": round(speed["per_second"] / limits[32], 3)}
        rows.append(row | {"largest_difference": float(gap.max())})
    best = max((row for row in rows if ways[row["engine"]][0] == 32), key=lambda row: row["per_second"])

    compared = {"OpenVINO": ways["OpenVINO"][1]} | {name: each for name, (bits, each) in ways.items() if bits == 16}
    of_all = {name: in_parts(extract, squares) for name, extract in compared.items()} if len(compared) > 1 else {}
    return {
        "photos": len(some),
        "repeats": options.repeats,
        "gigaflop_a_photo": round(of_network / 1e9, 3),
        "gigaflop_a_second": rates,
        "limit_photos_a_second": {f"{bits} bits": round(limit, 1) for bits, limit in limits.items()},
        "engines": rows,
        "fastest_in_32_bits": best["engine"],
        "accuracy": accuracy(of_all, data, network, options.seed),
        "machine": common.machine(),
        "versions": common.versions("onnxruntime", "tf2onnx"),
    }


def in_parts(extract: Callable, squares: list[np.ndarray], size: int = 64) -> np.ndarray:
    """Return the features of all photos, some at a time: the engines keep what they are given."""
    return np.concatenate([extract(np.stack(squares[i : i + size])) for i in range(0, len(squares), size)])


def main(arguments: list[str] | None = None) -> dict:
    """Measure, print and return the figures."""
    parser = common.parser(__doc__)
    parser.add_argument("--photos", type=common.at_least_one, default=64, help="photos in each turn (default: 64)")
    parser.add_argument("--repeats", type=common.at_least_one, default=5)
    parser.add_argument(
        "--matrix", type=common.at_least_one, default=MATRIX, help="size of the matrices that measure it"
    )
    options = parser.parse_args(arguments)
    logging.getLogger("absl").setLevel(logging.ERROR)
    result = measure(options)
    print(f"{result['photos']} photos, {result['gigaflop_a_photo']} GFLOP each; in turns, {result['repeats']} times\n")
    print(common.table([{"multiplication": k, "GFLOP/s": v} for k, v in result["gigaflop_a_second"].items()]))
    limits = ", ".join(f"{bits}: {limit}" for bits, limit in result["limit_photos_a_second"].items())
    print(f"limit, photos a second: {limits}\n\nphotos a second:\n{common.table(result['engines'])}")
    if result["accuracy"]:
        print("\ntest accuracy with a head trained on the features:\n" + common.table(result["accuracy"]))
    return common.finish(result, options)


if __name__ == "__main__":
    common.run(main)
