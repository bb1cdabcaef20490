"""Export a run: everything from the decoded photo to the calibrated answer in one ONNX file, ready to be published.

No client can get the preprocessing wrong, for none is left to it. Introduced in chapter 6, Deployment.
"""

import contextlib
import hashlib
import io
import itertools
import logging
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from importlib import metadata
from pathlib import Path

import numpy as np
import onnx
import pandas as pd
import yaml
from onnx import helper, numpy_helper
from PIL import Image

from skinlib import abstention, calibration, cards, conditions, explain, model, photos, simulate, train
from skinlib.exported import FORMAT, LABELS, SMALL, ExportedModel, onnxruntime
from skinlib.files import code_fingerprint, key_of, write_json, written_whole
from skinlib.model import keras, tf
from skinlib.photos import DataSet
from skinlib.settings import InputError, Settings, SkinlibError
from skinlib.train import Run
from skinlib.work import threads

FULL = "model.onnx"
"""The network in 32-bit numbers, as Keras has it; the small one is for use."""
OPSET = 18
"""Version of ONNX's operators, two years older than the runtimes that must read it."""
TARGET_ACCURACY = 0.8
"""Share of the answers that has to be right, on validation photos, for the model to answer at all."""
KNOWN_SHARE = 0.95
"""Share of the validation photos that must not be taken for strangers."""
NEIGHBOURS = 5
"""Which nearest training photo says how strange a photo is."""
MOST_KNOWN = 2000
"""Training photos whose features travel with the model, at most."""
LIMITS = {"bytes": 30_000_000, "pixels": 50_000_000, "scans": photos.SCAN_LIMIT}
"""What a stranger may send: the photos of every phone, and nothing that fills the memory."""
SMALLEST = 2048
"""Numbers from which on an array is worth packing."""
NOTICE = "A teaching tool, not a medical device. Nothing here is a diagnosis: show your skin to a doctor."
SPACE = next(
    (place for place in (Path(__file__).with_name("space"), Path(__file__).parents[1] / "space") if place.is_dir()),
    Path("space"),
)
"""The sources of the app and of the page: in the package where it was installed, beside it in a checkout."""
SHAPERS = ("abstention", "calibration", "cards", "conditions", "export", "exported", "model")
"""The modules whose code shapes an export."""
SERVED = ("__init__", "app", "conditions", "exported", "files", "photos", "settings", "work")
"""The modules that the app needs: none of them imports TensorFlow."""

# --- one function from photo to answer -----------------------------------------------------------------------------


def answering(network: keras.Model, temperature: float, known: np.ndarray) -> tf.types.experimental.PolymorphicFunction:
    """Return the whole way from a decoded photo to what a client shows, as one TensorFlow function.

    It takes uint8 (H, W, 3), RGB, and returns a dictionary:

    - probabilities, float32 (8,): softmax(logits / ``temperature``).
    - strangeness, float32 (): distance to the fifth nearest row of ``known``, which are pooled features of training
      photos, float32 (n, 2048): :func:`skinlib.abstention.neighbour_distance`.
    - evidence, float32 (8, 7, 7): what each place adds to each logit.

    The evidence is exact for this head. Its hidden units are rectified, so for one photo each is either off or linear,
    and the logit is a weighted sum of the pooled features, which are means over the 49 places: the mean of the evidence
    is the logit, less a number that no place has a part in. Where it is positive it is Grad-CAM (Selvaraju et al.,
    2017), which for a single linear layer is the class activation map of Zhou et al. (2016).
    """
    resized, last_map = network.get_layer("resize").output, network.get_layer(explain.LAST_MAP).output
    backbone = keras.Model(resized, [last_map, network.get_layer("pool").output])
    hidden, output = network.get_layer("hidden"), network.get_layer("probabilities")
    known = known / np.linalg.norm(known, axis=1, keepdims=True)
    k = min(NEIGHBOURS, len(known))

    @tf.function(input_signature=[tf.TensorSpec((None, None, 3), tf.uint8, name="photo")])
    def answer(photo):
        places, pooled = backbone(_squared(photo)[None], training=False)
        before = pooled @ hidden.kernel + hidden.bias
        logits = tf.nn.relu(before) @ output.kernel + output.bias
        active = tf.cast(before > 0, tf.float32)  # (1, 512)
        slopes = hidden.kernel @ (tf.transpose(active) * output.kernel)  # (2048, 8)
        cosines = tf.math.l2_normalize(pooled, axis=1) @ known.T
        kth = tf.math.top_k(cosines[0], k).values[-1]
        return {
            "probabilities": tf.nn.softmax(logits[0] / temperature),
            "strangeness": tf.sqrt(tf.maximum(2 - 2 * kth, 0)),
            "evidence": tf.transpose(tf.tensordot(places[0], slopes, 1), (2, 0, 1)),
        }

    return answer


def _squared(photo: tf.Tensor) -> tf.Tensor:
    """Resize as :func:`skinlib.model.prepare` does, reading only the rows and columns that the square needs.

    Most of a large photo is never turned into floats, and no engine's own idea of resizing can differ.
    """
    top, bottom, down = _neighbours(tf.shape(photo)[0])
    left, right, across = _neighbours(tf.shape(photo)[1])
    part = tf.gather(tf.gather(photo, tf.concat([top, bottom], 0), axis=0), tf.concat([left, right], 0), axis=1)
    part = tf.cast(part, tf.float32)
    part = part[:, : model.SIZE] + (part[:, model.SIZE :] - part[:, : model.SIZE]) * across[:, None]
    return part[: model.SIZE] + (part[model.SIZE :] - part[: model.SIZE]) * down[:, None, None]


def _neighbours(length: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Return for each place along the square's side the two pixels it lies between, and how far from the first."""
    at = (tf.range(model.SIZE, dtype=tf.float32) + 0.5) * (tf.cast(length, tf.float32) / model.SIZE) - 0.5
    below = tf.floor(at)
    first = tf.maximum(tf.cast(below, tf.int32), 0)
    return first, tf.minimum(tf.cast(tf.math.ceil(at), tf.int32), length - 1), at - below


def to_onnx(function: tf.types.experimental.PolymorphicFunction, network: keras.Model) -> onnx.ModelProto:
    """Convert a function made by :func:`answering`, with the numbers of its network, to ONNX.

    The converter copies what it converts dozens of times. So the network's weights go past it: it sees them as inputs,
    and they are put back as constants. ONNX Runtime then folds what doesn't depend on the photo, batch norm among it.
    That takes a fifth of the memory and half of the time.
    """
    import tf2onnx  # slow to import, and needed here only

    weights = {f"weight_{number}": variable for number, variable in enumerate(network.variables)}
    inputs = [tf.TensorSpec(variable.shape, variable.dtype, name=name) for name, variable in weights.items()]
    signature = [*function.input_signature, *inputs]

    @tf.function(input_signature=signature)
    def apart(photo, *values):
        with keras.StatelessScope(state_mapping=list(zip(network.variables, values, strict=True))):
            return function.python_function(photo)

    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    with contextlib.redirect_stderr(io.StringIO()):
        proto, _ = tf2onnx.convert.from_function(apart, input_signature=signature, opset=OPSET)
    photo = [value for value in proto.graph.input if value.name not in weights]
    del proto.graph.input[:]
    proto.graph.input.extend(photo)
    proto.graph.initializer.extend(
        numpy_helper.from_array(keras.ops.convert_to_numpy(variable), name) for name, variable in weights.items()
    )
    return _renamed(_folded(proto))


def _folded(proto: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model as ONNX Runtime simplifies it, in ONNX's own operators, for any machine."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    with tempfile.TemporaryDirectory() as folder:
        options.optimized_model_filepath = str(Path(folder, "folded.onnx"))
        onnxruntime.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
        folded = onnx.load(options.optimized_model_filepath)
    del folded.opset_import[:]  # the runtime lists all that it knows
    folded.opset_import.append(helper.make_opsetid("", OPSET))
    return folded


def _renamed(proto: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model in one fixed order, with plain numbers for names and equal constants stored once.

    The converter's names count on from call to call, and steps that don't wait for each other come in any order. So the
    same run gives the same file, byte for byte.
    """
    graph = proto.graph
    nodes = _ordered(graph)
    del graph.node[:]
    graph.node.extend(nodes)
    names = {value.name: value.name for value in (*graph.input, *graph.output)} | {"": ""}  # "" is an input left out
    stored = {tensor.name: tensor for tensor in graph.initializer}
    count, by_content, arrays = itertools.count(), {}, []
    for number, node in enumerate(graph.node):
        node.name = f"{node.op_type}_{number}"
        for name in (*node.input, *node.output):
            if name in names:
                continue
            if name not in stored:
                names[name] = f"value_{next(count)}"
                continue
            array = numpy_helper.to_array(stored[name])
            content = (array.dtype.str, array.shape, hashlib.sha256(array.tobytes()).digest())
            if content not in by_content:
                by_content[content] = f"value_{next(count)}"
                arrays.append(numpy_helper.from_array(array, by_content[content]))
            names[name] = by_content[content]
        node.input[:] = [names[name] for name in node.input]
        node.output[:] = [names[name] for name in node.output]
    for dimension, name in zip(graph.input[0].type.tensor_type.shape.dim, ("height", "width"), strict=False):
        dimension.dim_param = name
    del graph.initializer[:], graph.value_info[:]
    graph.initializer.extend(arrays)
    graph.name, proto.doc_string, graph.doc_string = "skin_resnet50", "", ""
    onnx.checker.check_model(proto)
    return proto


def _ordered(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    """Return the graph's nodes, each after those it needs, in the order in which the outputs ask for them."""
    maker = {name: number for number, node in enumerate(graph.node) for name in node.output}
    order = {}  # a dictionary for its order

    def visit(name):
        number = maker.get(name)
        if number is not None and number not in order:
            for needed in graph.node[number].input:
                visit(needed)
            order[number] = onnx.NodeProto.FromString(graph.node[number].SerializeToString())

    for output in graph.output:
        visit(output.name)
    return list(order.values())


def packed(proto: onnx.ModelProto, bits: int = 16) -> onnx.ModelProto:
    """Return a copy whose large arrays are whole numbers of 8 or 16 bits, and a scale for each output channel.

    Every runtime turns them back into 32-bit numbers as it loads the file and computes as before, so a small file costs
    no time and engines still agree. Sixteen bits are spread evenly up to the channel's largest weight: for weights that
    is ten times finer than 16-bit floats. Raises ValueError for other ``bits``.
    """
    if bits not in (8, 16):
        raise ValueError(f"{bits} bits: use 8 or 16")
    kind, top = (np.int8, 127) if bits == 8 else (np.int16, 32767)
    small = onnx.ModelProto()
    small.CopyFrom(proto)
    arrays, unpack = [], []
    for tensor in small.graph.initializer:
        array = numpy_helper.to_array(tensor)
        if array.dtype != np.float32 or array.size < SMALLEST:
            arrays.append(tensor)
            continue
        # Convolutions have the output channel first, matrices last.
        axes = tuple(range(1, array.ndim)) if array.ndim == 4 else tuple(range(array.ndim - 1))
        scale = np.maximum(np.abs(array).max(axis=axes, keepdims=True) / top, np.finfo(np.float32).tiny)
        name = tensor.name
        arrays.append(numpy_helper.from_array(np.round(array / scale).astype(kind), f"{name}/packed"))
        arrays.append(numpy_helper.from_array(scale.astype(np.float32), f"{name}/scale"))
        unpack.append(helper.make_node("Cast", [f"{name}/packed"], [f"{name}/float"], to=onnx.TensorProto.FLOAT))
        unpack.append(helper.make_node("Mul", [f"{name}/float", f"{name}/scale"], [name]))
    nodes = list(small.graph.node)
    del small.graph.initializer[:], small.graph.node[:]
    small.graph.initializer.extend(arrays)
    small.graph.node.extend(unpack + nodes)
    onnx.checker.check_model(small)
    return small


# --- what belongs to it --------------------------------------------------------------------------------------------


def export(run: Run, data: DataSet, choices: Settings, out: Path | None = None) -> ExportedModel:
    """Write a run's exported model to the folder ``out``, or into the cache, and return it.

    ``data`` are the photos that the run was trained on. What the model needs beside its weights comes from them: the
    temperature and the threshold from the validation photos' predictions, the limit of strangeness from their features.
    The folder holds the network in 32 and in 16 bits, names and limits in ``labels.json``, a model card, where all of
    it comes from, and SHA-256 sums. An export in the cache is made once. Raises InputError where ``data`` are not the
    run's photos, where the run has no validation photos, or where ``out`` holds something.
    """
    if data.fingerprint != run.provenance["data"]["fingerprint"]:
        raise InputError(f"{data.root} does not hold the photos that {run.path} was trained on: name those with --data")
    if out is None:
        versions = [metadata.version(name) for name in ("onnx", "tf2onnx")]
        out = choices.cache / "exports" / key_of(run.provenance["key"], *versions, code_fingerprint(*SHAPERS))
        if out.is_dir():
            return ExportedModel(out)
    if Path(out).exists() and any(Path(out).iterdir()):
        raise InputError(f"{out} exists already: choose another folder, or remove it")
    validation = run.predictions[run.predictions.split == "validation"]
    if validation.empty:
        raise InputError(f"{run.path} has no validation photos, which calibration needs: train on more photos")

    temperature = calibration.fit_temperature(validation)
    calibrated = calibration.with_temperature(validation, temperature)
    threshold = abstention.threshold_for(calibrated, TARGET_ACCURACY)
    known = pooled_features(run, data, choices, "train")
    known = known[np.random.default_rng(choices.seed).permutation(len(known))[:MOST_KNOWN]]
    held_out = pooled_features(run, data, choices, "validation")
    strangeness = abstention.neighbour_distance(held_out, known, min(NEIGHBOURS, len(known)))

    full = to_onnx(answering(run.model, temperature, known), run.model)
    with written_whole(Path(out)) as draft:
        draft.mkdir()
        onnx.save(full, draft / FULL)
        onnx.save(packed(full, 16), draft / SMALL)
        labels = {
            "format": FORMAT,
            "name": "skin-conditions-resnet50",
            "notice": NOTICE,
            "conditions": [asdict(condition) for condition in conditions.CONDITIONS],
            "temperature": temperature,
            "threshold": threshold if np.isfinite(threshold) else None,
            "strangeness_limit": abstention.limit_for(strangeness, KNOWN_SHARE),
            "target_accuracy": TARGET_ACCURACY,
            "limits": LIMITS,
            "model": _told(run),
            "files": {name: _file(draft / name) for name in (FULL, SMALL)},
        }
        write_json(draft / LABELS, labels)
        write_json(draft / "provenance.json", run.provenance | {"export": _made_with()})
        (draft / "README.md").write_text(card(run, labels), encoding="utf-8")
        _write_sums(draft)
    return ExportedModel(out)


def pooled_features(run: Run, data: DataSet, choices: Settings, split: str) -> np.ndarray:
    """Return the run's own pooled features of one file of each photo in a split, float32 (n, 2048)."""
    rows = run.predictions[run.predictions.split == split].drop_duplicates("photo_id")
    recipe = run.provenance["settings"]
    bits = recipe.get("bits", 32)  # runs from before there was a choice don't name them
    if not recipe["fine_tuning_epochs"]:
        with contextlib.suppress(SkinlibError):  # a weights file may have gone since; the run has its own copy
            weights = model.get_weights(choices, data)
            if weights.sha256 == run.provenance["weights"]["sha256"]:  # then the features are kept already
                swapped = recipe["swapped_channels"]
                return train.features(data, weights, paths=rows.path, swapped_channels=swapped, bits=bits)
    extract = model.extractor(run.model, bits)
    return np.stack(list(threads(lambda: lambda path: extract.one(model.prepare(data.read(path)))[1], rows.path)))


def _told(run: Run) -> dict:
    """Return what a client says of the model it runs: data, weights, and how good it was on photos it never saw."""
    test, told = run.metrics["test"], run.provenance
    return {
        "data": told["data"]["name"],
        "fingerprint": told["data"]["fingerprint"],
        "split": told["settings"]["split"],
        "weights": told["weights"]["name"],
        "weights_note": told["weights"]["note"],
        "seed": told["seed"],
        "skinlib": told["versions"]["skinlib"],
        "test_photos": test["photos"],
        "test_accuracy": test["accuracy"],
        "test_accuracy_interval": test["accuracy_interval"],
        "training_photos": run.metrics["train"]["photos"],
    }


def _made_with() -> dict:
    packages = ("tf2onnx", "onnx", "onnxruntime")
    return {"opset": OPSET, "versions": {package: metadata.version(package) for package in packages}}


def card(run: Run, labels: dict) -> str:
    """Return the model card that travels with the files: metadata for the Hub in YAML, then words for people."""
    told, limits = labels["model"], labels["limits"]
    head = cards.metadata([run]) | {"library_name": "onnx"}
    low, high = told["test_accuracy_interval"]
    answers = (
        f"It answers where its calibrated probability is {labels['threshold']:.0%} or more"
        if labels["threshold"] is not None
        else 'No threshold did that on the validation photos, so it answers every photo with "I don\'t know"'
    )
    return f"""---
{yaml.safe_dump(head, sort_keys=False, allow_unicode=True)}---

# {labels["name"]}

**{NOTICE}**

A ResNet50 with a small head that tells eight skin conditions apart:
{", ".join(condition["title"] for condition in labels["conditions"])}.
{told["weights_note"]}

## How good it is

On {told["test_photos"]} test photos, each with one vote, {told["test_accuracy"]:.1%} of its answers were right (95 %
interval {low:.1%} to {high:.1%}). They come from the data called `{told["data"]}`, of which it learned from
{told["training_photos"]} photos, and from {cards.TEST_SETS[told["split"]]}. That says nothing about other cameras,
other clinics or other people.

It says "I don't know" where it is not sure enough for {labels["target_accuracy"]:.0%} of its answers to be right, and
where a photo is unlike those it learned from. {answers}. Both limits were chosen on validation photos, and do worse on
others.

## Files

- `{SMALL}`: what the app, the page and the command line run. Weights in 16 bits, computing in 32.
- `{FULL}`: the same in 32 bits.
- `{LABELS}`: the conditions in the order of the outputs, the limits, and what this model is.
- `provenance.json`: data, weights, seed and versions. `SHA256SUMS`: check with `sha256sum -c`.

## How to ask it

One input, `photo`: a decoded photo, uint8 (height, width, 3), RGB, upright, of any size. Resizing, preprocessing,
network and temperature ({labels["temperature"]:.3f}) are inside. Outputs: `probabilities` (8, calibrated),
`strangeness` (a photo above {labels["strangeness_limit"]:.4f} is unlike the training photos) and `evidence` (8 × 7 × 7:
what each place adds to each condition's logit).

```python
import numpy, onnxruntime
from PIL import Image, ImageOps

photo = numpy.array(ImageOps.exif_transpose(Image.open("photo.jpg")).convert("RGB"))
session = onnxruntime.InferenceSession("{SMALL}")
probabilities, strangeness = session.run(["probabilities", "strangeness"], {{"photo": photo}})
```

Clients of this model take photos of up to {limits["bytes"] // 10**6} MB and {limits["pixels"] // 10**6} million pixels.
"""


# --- what is published ---------------------------------------------------------------------------------------------


def web(exported: ExportedModel, out: Path) -> Path:
    """Write the page that runs the model in the browser to the folder ``out``: a static Space, or any web server's."""
    return _assemble(SPACE / "web", exported, out, lambda draft: _write_samples(draft / "samples"))


def space(exported: ExportedModel, out: Path) -> Path:
    """Write the app that serves the model to the folder ``out``: a Gradio Space, with all that it needs."""

    def add(draft):
        (draft / "skinlib").mkdir()
        for module in SERVED:
            shutil.copy(Path(__file__).with_name(f"{module}.py"), draft / "skinlib")

    return _assemble(SPACE, exported, out, add, "model")


def _assemble(source: Path, exported: ExportedModel, out: Path, add, folder: str = ".") -> Path:
    """Copy a folder of sources, without folders in it that are published apart, and put the model into ``folder``."""
    if not source.is_dir():
        raise InputError(f"{source}: no such folder: run this in a checkout, or install skinlib anew")
    out = Path(out)
    if out.exists() and any(out.iterdir()):
        raise InputError(f"{out} exists already: choose another folder, or remove it")
    with written_whole(out) as draft:
        shutil.copytree(source, draft, ignore=shutil.ignore_patterns("web", "__pycache__", "*.pyc"))
        (draft / folder).mkdir(exist_ok=True)
        for name in (SMALL, LABELS):
            shutil.copy(exported.folder / name, draft / folder)
        add(draft)
    return out


def _write_samples(folder: Path) -> None:
    """Draw photos to try the page on: one of each condition, and two that show none. No person is in any of them."""
    folder.mkdir()
    seed = np.random.SeedSequence(0, spawn_key=(len(conditions.KEYS), 6))  # of no sample that a run learned from
    listed = []

    def add(name, photo, title):
        Image.fromarray(photo).save(folder / f"{name}.jpg", quality=92)
        listed.append({"file": f"{name}.jpg", "title": title})

    for place, (condition, child) in enumerate(zip(conditions.CONDITIONS, seed.spawn(8), strict=True)):
        tone = simulate.TONES[place % len(simulate.TONES)]
        photo, _ = simulate.draw(condition.key, np.random.default_rng(child), tone)
        add(condition.key, photo, f"{condition.title}, drawn")
    strangers = {"healthy": "Healthy skin, drawn", "object": "A thing, drawn"}
    for (kind, title), child in zip(strangers.items(), seed.spawn(len(strangers)), strict=True):
        add(kind, simulate.draw_other(kind, np.random.default_rng(child), simulate.TONES[1]), title)
    write_json(folder / "samples.json", listed)


# --- is it the same? -----------------------------------------------------------------------------------------------


def answers(file: Path | onnx.ModelProto, photos_: Sequence[np.ndarray]) -> np.ndarray:
    """Return the probabilities, float32 (n, 8), of one ONNX file or model for uint8 RGB photos of any sizes."""
    source = file.SerializeToString() if isinstance(file, onnx.ModelProto) else file
    session = onnxruntime.InferenceSession(source, providers=["CPUExecutionProvider"])
    return np.stack([session.run(["probabilities"], {"photo": photo})[0] for photo in photos_])


def parity(reference: np.ndarray, others: dict[str, np.ndarray], truth: np.ndarray | None = None) -> pd.DataFrame:
    """Compare answers, each float (n, 8), with those of a reference: one row for each of ``others``.

    Columns: largest_difference (of any probability), same_answer (share of the photos) and, where ``truth``, int (n,),
    is given, accuracy.
    """
    rows = []
    for name, probabilities in others.items():
        top = probabilities.argmax(axis=1)
        row = {
            "name": name,
            "largest_difference": float(np.abs(probabilities - reference).max()),
            "same_answer": float((top == reference.argmax(axis=1)).mean()),
        }
        rows.append(row | ({} if truth is None else {"accuracy": float((top == truth).mean())}))
    return pd.DataFrame(rows).set_index("name")


def _file(path: Path) -> dict:
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return {"bytes": path.stat().st_size, "sha256": digest}


def _write_sums(folder: Path) -> None:
    files = sorted(file for file in folder.iterdir() if file.is_file())
    (folder / "SHA256SUMS").write_text("".join(f"{_file(file)['sha256']}  {file.name}\n" for file in files))
