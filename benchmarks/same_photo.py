"""The same photo, large and small: is the answer the same, with the filter that reduces it and without one?

    python benchmarks/same_photo.py [--data sample] [--large FOLDER] [--photos 100] [--json FILE]

Two networks are trained by the recipe on the data, with the same weights of the backbone: one gets its photos as
``prepare`` makes them, the other by bilinear interpolation alone, which of a large photo reads four pixels for each new
one and passes over the rest. Each is then asked of large photos and of their copies of 512 pixels, made in four ways.
*agree* is the share of photos for which photo and copy get the same best guess, *levels* by how much their squares
differ in the mean, of 255, and *accuracy* that on the test photos of each split.

The large photos are those of FOLDER, as they are, whatever they show. Without one, test photos of the data are enlarged
to 12 megapixels, and the fine detail that such a photo would have is drawn over them: noise, pores and hairs.
"""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import common
import cv2
import numpy as np
from PIL import Image
from tqdm import tqdm

from skinlib.base.errors import InputError
from skinlib.base.runner import threads
from skinlib.base.settings import load_settings
from skinlib.data import reading
from skinlib.data.enlarging import enlarged
from skinlib.data.opening import open_data
from skinlib.learn import extraction, fitting, networks
from skinlib.learn.engines import keras, tf
from skinlib.learn.prepared import Prepared, Recipe, prepare
from skinlib.learn.preprocessing import SIZE
from skinlib.learn.preprocessing import prepare as reduced

LONGEST = 512
"""The longer side of a copy, in pixels."""


def interpolated(photo: np.ndarray) -> np.ndarray:
    """Resize a photo to the network's square by bilinear interpolation, without a filter."""
    return tf.image.resize(photo, (SIZE, SIZE), method="bilinear").numpy()


WAYS = {"without a filter": interpolated, "as the package does": reduced}


# ---------------------------------------------------------------- a network for each way


@dataclass
class Network:
    """A network that gets its photos in one way."""

    way: Callable[[np.ndarray], np.ndarray]
    extract: extraction.Extractor
    head: keras.Model

    def guess(self, square: np.ndarray) -> int:
        """Return the most probable class of a prepared photo."""
        return int(np.argmax(self.head.predict_on_batch(self.extract.one(square)[1][None])))


def trained(prepared: Prepared, way: Callable, pooled: np.ndarray, extract: extraction.Extractor) -> Network:
    """Train the head by the recipe on ``pooled``, the features of all photos, float32 (n, features)."""
    network = networks.build(prepared.weights, len(prepared.data.classes), prepared.seed)
    labels, recipe = prepared.data.labels(), Recipe()
    learned, held_out = prepared.rows("train"), prepared.rows("validation")
    head, _ = fitting.fit(
        fitting.compile_recipe(networks.part_after(network, "pool")), [pooled[learned]], labels[learned],
        (pooled[held_out], labels[held_out]), recipe.epochs, recipe.batch_size, prepared.seed,
    )  # fmt: skip
    return Network(way, extract, head)


def accuracy(network: Network, prepared: Prepared, pooled: np.ndarray) -> float:
    """Return the share of test photos that the network gets right."""
    test = prepared.rows("test")
    guesses = network.head.predict(pooled[test], verbose=0).argmax(axis=1)
    return round(float((guesses == prepared.data.labels()[test]).mean()), 4)


# ---------------------------------------------------------------- photos and their copies


def large_photos(options, prepared: Prepared) -> Iterator[np.ndarray]:
    """Yield the large photos, uint8 (H, W, 3)."""
    if options.large:
        files = sorted(file for file in options.large.rglob("*") if file.is_file())
        if not files:
            raise InputError(f"{options.large} holds no files: name a folder of large photos")
        yield from (reading.read(files[i]) for i in common.spread_over(options.photos, len(files)))
        return
    test = prepared.data.photos[prepared.rows("test")].drop_duplicates("photo_id")
    paths = test.path.iloc[common.spread_over(options.photos, len(test))]
    # Where there are fewer, several large photos are made of one: other detail, another guess to lose.
    for number in range(options.photos):
        rng = np.random.default_rng([options.seed, number])
        yield enlarged(prepared.data.read(paths.iloc[number % len(paths)]), int(options.megapixels * 1e6), rng)


def copies(photo: np.ndarray) -> dict[str, np.ndarray]:
    """Return a photo's small copies, by how they were made."""
    scale = LONGEST / max(photo.shape[:2])
    size = tuple(max(1, round(side * scale)) for side in photo.shape[1::-1])
    lanczos = Image.fromarray(photo).resize(size, Image.Resampling.LANCZOS)
    stored = io.BytesIO()
    lanczos.save(stored, "JPEG", quality=85)
    return {
        "Lanczos": np.asarray(lanczos),
        "Lanczos, JPEG": reading.decode(stored.getvalue()),
        "area": cv2.resize(photo, size, interpolation=cv2.INTER_AREA),
        "interpolated": cv2.resize(photo, size, interpolation=cv2.INTER_LINEAR),
    }


# ---------------------------------------------------------------- measuring


def measure(options) -> dict:
    """Measure; return the figures as --json writes them."""
    settings = load_settings(data=options.data, weights=options.weights, seed=options.seed)
    data = open_data(settings)
    grouped = prepare(data, settings, "grouped")
    splits = {"grouped": grouped} | ({"official": prepare(data, settings, "official")} if data.has_test else {})
    extract = extraction.extractor(networks.build(grouped.weights))
    nets, rows = {}, {}
    for name, way in WAYS.items():

        def features(path, way=way):
            return extract.one(way(grouped.data.read(path)))[1]

        paths = grouped.data.photos.path
        pooled = np.stack(list(tqdm(threads(lambda features=features: features, paths), name, len(paths))))
        both = {split: trained(prepared, way, pooled, extract) for split, prepared in splits.items()}
        nets[name] = both["grouped"]
        rows[name] = {f"accuracy, {split}": accuracy(both[split], splits[split], pooled) for split in splits}

    compared = [compare(photo, nets) for photo in tqdm(large_photos(options, grouped), "large photos", options.photos)]
    for name, row in rows.items():
        mine = [photo[name] for photo in compared]
        row |= common.spread([one["seconds"] for one in mine])
        for copy in mine[0]["copies"]:
            same, levels = np.array([one["copies"][copy] for one in mine]).mean(axis=0)
            row |= {f"agree, {copy}": round(float(same), 4), f"levels, {copy}": round(float(levels), 2)}
    return {
        "photos": len(compared),
        "megapixels": round(float(np.median([photo["megapixels"] for photo in compared])), 1),
        "drawn": not options.large,
        "test_photos": {split: int(prepared.rows("test").sum()) for split, prepared in splits.items()},
        "ways": [{"way": name} | row for name, row in rows.items()],
        "machine": common.machine(),
        "versions": common.versions("pillow"),
    }


def compare(photo: np.ndarray, nets: dict[str, Network]) -> dict:
    """Ask each network of a large photo and its copies: seconds to reduce it; for each copy, agreement and levels."""
    small, row = copies(photo), {"megapixels": photo.shape[0] * photo.shape[1] / 1e6}
    for name, network in nets.items():
        square, seconds, _ = common.timed(network.way, photo)
        guess, squares = network.guess(square), {copy: network.way(pixels) for copy, pixels in small.items()}
        row[name] = {
            "seconds": seconds,
            "copies": {
                copy: (network.guess(other) == guess, float(np.abs(other - square).mean()))
                for copy, other in squares.items()
            },
        }
    return row


def main(arguments: list[str] | None = None) -> dict:
    """Measure, print and return the figures."""
    parser = common.parser(__doc__)
    parser.add_argument("--large", type=Path, metavar="FOLDER", help="large photos to ask of (default: drawn ones)")
    parser.add_argument("--photos", type=common.at_least_one, default=100, help="large photos, at most (default: 100)")
    parser.add_argument("--megapixels", type=float, default=12.0, help="of those that are drawn (default: 12)")
    options = parser.parse_args(arguments)
    result = measure(options)
    kind = "drawn" if result["drawn"] else "from the folder"
    print(f"{result['photos']} large photos, {kind}, of {result['megapixels']} megapixels in the middle\n")
    columns = [name for name in result["ways"][0] if name != "way"]
    rows = [{"": name} | {row["way"]: row[name] for row in result["ways"]} for name in columns]
    print(common.table(rows))
    print("\nseconds: to reduce one large photo to the network's square")
    return common.finish(result, options)


if __name__ == "__main__":
    common.run(main)
