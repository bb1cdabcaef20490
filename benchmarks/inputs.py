"""Photos decoded and resized for the network a second: ours beside OpenCV, tf.data and Pillow, and the network itself.

    python benchmarks/inputs.py [--data sample] [--photos 128] [--repeats 7] [--json FILE]

Each way begins with the name of a file and ends with float32 (224, 224, 3), RGB, 0 to 255. Ours checks what strangers'
files hold, decodes with Pillow and resizes as the network's own layer does, in one thread to a core. OpenCV gets the
same threads; tf.data maps in parallel by its own judgement; Pillow runs alone, as most scripts have it. The ways take
turns, the files lie in the system's memory, and a middle time is given with the slowest and the fastest.

The network never waits where a way makes more photos a second than the network takes. Since both share the cores, the
table also says what part of the whole work reading is: 1 / ours beside 1 / ours + 1 / network.
"""

import statistics
from collections.abc import Callable
from functools import partial
from pathlib import Path

import common
import cv2
import numpy as np
from PIL import Image

from skinlib.base import runner
from skinlib.data import reading
from skinlib.learn import engines, extraction, networks
from skinlib.learn.preprocessing import SIZE, prepare

tf = engines.tf
SQUARE = (SIZE, SIZE)


def ours(path: Path) -> np.ndarray:
    """Read and resize one photo as the package does."""
    return prepare(reading.read(path))


def opencv(path: Path) -> np.ndarray:
    """Read and resize one photo with OpenCV alone, which decodes to BGR; its filter for shrinking is the mean."""
    photo = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
    shrinks = min(photo.shape[:2]) > SIZE
    square = cv2.resize(photo, SQUARE, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return square[..., ::-1].astype(np.float32)


def pillow(path: Path) -> np.ndarray:
    """Read and resize one photo with Pillow alone. Its filter is ours, in whole numbers."""
    with Image.open(path) as photo:
        return np.asarray(photo.convert("RGB").resize(SQUARE, Image.Resampling.BILINEAR), np.float32)


def in_threads(worker: Callable, files: list[Path]) -> list[np.ndarray]:
    """Call a worker for each file, one thread to a core."""
    return list(runner.threads(lambda: worker, files))


def by_tf_data(files: list[Path]) -> list[np.ndarray]:
    """Read and resize the photos in a pipeline of tf.data."""

    def read(path):
        photo = tf.io.decode_image(tf.io.read_file(path), channels=3, expand_animations=False)
        return tf.image.resize(photo, SQUARE, antialias=True)

    names = tf.data.Dataset.from_tensor_slices([str(file) for file in files])
    pipeline = names.map(read, tf.data.AUTOTUNE, deterministic=True).prefetch(tf.data.AUTOTUNE)
    return list(pipeline.as_numpy_iterator())


def measure(options) -> dict:
    """Measure; return the figures as --json writes them."""
    data, weights = common.opened(options)
    paths = data.photos.path.iloc[common.spread_over(options.photos, len(data.photos))]
    files = [data.path(path) for path in paths]
    ways = {
        "ours, threads": partial(in_threads, ours, files),
        "OpenCV, threads": partial(in_threads, opencv, files),
        "tf.data": partial(by_tf_data, files),
        "Pillow, alone": lambda: [pillow(file) for file in files],
    }
    squares = ways["ours, threads"]()
    some = squares[:: max(1, len(squares) // 16)]  # the network is the slow part: a few photos tell its speed
    network = networks.build(weights)
    engines = {bits: extraction.extractor(network, bits) for bits in ((32, 16) if extraction.has_bfloat16() else (32,))}
    takers = {f"network, {bits} bits": partial(extract, some) for bits, extract in engines.items()}
    seconds = common.interleaved(ways | takers, options.repeats)

    rates = {name: common.per_second(seconds[name], len(some if name in takers else files)) for name in seconds}
    rows = []
    for name, make in ways.items():
        gaps = np.array([np.abs(square - mine) for square, mine in zip(make(), squares, strict=True)])
        row = {
            "way": name,
            **rates[name],
            "mean_difference": float(gaps.mean()),
            "largest_difference": float(gaps.max()),
        }
        for taker in takers:
            bits = taker.split()[1]
            need, take = statistics.median(seconds[name]) / len(files), statistics.median(seconds[taker]) / len(some)
            row |= {f"times_network_{bits}": round(take / need, 2), f"share_{bits}": round(need / (need + take), 3)}
        rows.append(row)
    return {
        "photos": len(files),
        "repeats": options.repeats,
        "median_width": int(data.photos.loc[paths.index].width.median()),
        "median_height": int(data.photos.loc[paths.index].height.median()),
        "ways": rows,
        "network": [{"engine": name, **rates[name]} for name in takers],
        "machine": common.machine(),
        "versions": common.versions("pillow"),
    }


def main(arguments: list[str] | None = None) -> dict:
    """Measure, print and return the figures."""
    parser = common.parser(__doc__)
    parser.add_argument("--photos", type=common.at_least_one, default=128, help="photos to read (default: 128)")
    parser.add_argument("--repeats", type=common.at_least_one, default=7)
    options = parser.parse_args(arguments)
    result = measure(options)
    print(f"{result['photos']} photos, half of them wider than {result['median_width']} pixels; photos a second:\n")
    print(common.table(result["ways"]) + "\n\n" + common.table(result["network"]))
    print("\ndifferences: of a pixel's value, 0 to 255, from ours; share: of reading in reading and network together")
    return common.finish(result, options)


if __name__ == "__main__":
    common.run(main)
