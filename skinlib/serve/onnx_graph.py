"""One ONNX graph from the decoded photo to the calibrated answer, small and the same byte for byte.

Introduced in chapter 6, Deployment.
"""

import contextlib
import hashlib
import io
import itertools
import logging
import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from skinlib.base.files import in_need_of
from skinlib.judge.limits import NEIGHBOURS
from skinlib.learn.backbones import backbone_of
from skinlib.learn.engines import keras, standard, tf
from skinlib.learn.preprocessing import SIZE
from skinlib.serve.exported import onnxruntime

OPSET = 18
"""Version of ONNX's operators, two years older than the runtimes that must read it."""
SMALLEST = 2048
"""Numbers from which on an array is worth packing."""
BAND = 14
"""Rows of the square that are made at a time: fewer take less memory, and more steps."""


@standard()
def answering(network: keras.Model, temperature: float, known: np.ndarray) -> tf.types.experimental.PolymorphicFunction:
    """Return the whole way from a decoded photo to what a client shows, as one TensorFlow function.

    It takes uint8 (H, W, 3), RGB, and returns a dictionary:

    - probabilities, float32 (classes,): softmax(logits / ``temperature``).
    - strangeness, float32 (): distance to the fifth nearest row of ``known``, which are pooled features of training
      photos, float32 (n, features): :func:`skinlib.judge.abstention.neighbour_distance`.
    - evidence, float32 (classes, 7, 7): what each place adds to each logit.

    The evidence is exact for this head. Its hidden units are rectified, so for one photo each is either off or linear,
    and the logit is a weighted sum of the pooled features, which are means over all places: the mean of the evidence
    is the logit, less a number that no place has a part in. Where it is positive it is Grad-CAM (Selvaraju et al.,
    2017), which for a single linear layer is the class activation map of Zhou et al. (2016).
    """
    resized, last_map = network.get_layer("resize").output, network.get_layer(backbone_of(network).last_map).output
    backbone = keras.Model(resized, [last_map, network.get_layer("pool").output])
    hidden, output = network.get_layer("hidden"), network.get_layer("probabilities")
    lengths = np.linalg.norm(known, axis=1, keepdims=True)
    known = known / np.where(lengths > 0, lengths, 1)  # a row of zeros has no direction, and stays
    k = min(NEIGHBOURS, len(known))

    @tf.function(input_signature=[tf.TensorSpec((None, None, 3), tf.uint8, name="photo")])
    def answer(photo):
        places, pooled = backbone(_squared(photo)[None], training=False)
        before = pooled @ hidden.kernel + hidden.bias
        logits = tf.nn.relu(before) @ output.kernel + output.bias
        active = tf.cast(before > 0, tf.float32)  # (1, hidden)
        slopes = hidden.kernel @ (tf.transpose(active) * output.kernel)  # (features, classes)
        cosines = tf.math.l2_normalize(pooled, axis=1) @ known.T
        kth = tf.math.top_k(cosines[0], k).values[-1]
        return {
            "probabilities": tf.nn.softmax(logits[0] / temperature),
            "strangeness": tf.sqrt(tf.maximum(2 - 2 * kth, 0)),
            "evidence": tf.transpose(tf.tensordot(places[0], slopes, 1), (2, 0, 1)),
        }

    return answer


def _squared(photo: tf.Tensor) -> tf.Tensor:
    """Resize as :func:`skinlib.learn.preprocessing.prepare` does: a triangle of weights over what a new pixel covers.

    Rows first, in bands, so that a small part of a large photo is floats at a time; then columns. Both are products of
    matrices, about which engines agree; about shrinking and about borders each has an idea of its own.
    """
    height, width = tf.shape(photo)[0], tf.shape(photo)[1]
    down, first, end = _triangles(height)
    across, _, _ = _triangles(width)
    rows, bands = tf.reshape(photo, (height, width * 3)), []
    for top in range(0, SIZE, BAND):
        part = slice(first[top], end[top + BAND - 1])
        bands.append(down[top : top + BAND, part] @ tf.cast(rows[part], tf.float32))
    low = tf.transpose(tf.reshape(tf.concat(bands, 0), (SIZE, width, 3)), (0, 2, 1))
    square = tf.matmul(tf.reshape(low, (SIZE * 3, width)), across, transpose_b=True)
    return tf.transpose(tf.reshape(square, (SIZE, 3, SIZE)), (0, 2, 1))


def _triangles(length: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Return what each of ``length`` pixels weighs in each of the square's, float32 (SIZE, length), rows of sum 1.

    Beside it, for each of the square's, the first pixel that may weigh anything and the one after the last.
    """
    scale = tf.cast(length, tf.float32) / SIZE
    reach = tf.maximum(scale, 1.0)
    middles = (tf.range(SIZE, dtype=tf.float32) + 0.5) * scale
    distances = tf.abs(tf.range(tf.cast(length, tf.float32)) + 0.5 - middles[:, None])
    weights = tf.nn.relu(1 - distances / reach)
    first = tf.maximum(tf.cast(tf.floor(middles - reach - 0.5), tf.int32), 0)
    end = tf.minimum(tf.cast(tf.math.ceil(middles + reach + 0.5), tf.int32), length)
    return weights / tf.reduce_sum(weights, axis=1, keepdims=True), first, end


@standard()
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
        with in_need_of(proto.ByteSize(), Path(folder)):
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
    graph.name, proto.doc_string, graph.doc_string = "photo_to_answer", "", ""
    onnx.checker.check_model(proto)
    return proto


def _ordered(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    """Return the graph's nodes, each after those it needs, in the order in which the outputs ask for them."""
    maker = {name: number for number, node in enumerate(graph.node) for name in node.output}
    order = {}  # a dictionary for its order
    # What is still asked for, the next last. A node comes up twice: to ask for what it needs, and to take its place.
    asked = [(maker[output.name], False) for output in reversed(graph.output) if output.name in maker]
    while asked:
        number, ready = asked.pop()
        if number in order:
            continue
        node = graph.node[number]
        if ready:
            order[number] = onnx.NodeProto.FromString(node.SerializeToString())
            continue
        asked.append((number, True))
        asked += [(maker[name], False) for name in reversed(node.input) if name in maker]
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
