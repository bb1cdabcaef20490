"""The graph by itself: resizing, evidence, packing, the order of its nodes, and a disk that is full."""

import errno
import os
import sys
from itertools import pairwise

import numpy as np
import onnx
import pytest
from scipy.special import log_softmax

from skinlib.base import files
from skinlib.learn import extraction, preprocessing
from skinlib.serve import onnx_graph


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (224, 224), (223, 449), (225, 31), (1200, 900)])
def test_every_size_of_photo_is_squared_as_tensorflow_does_it(shape):
    photo = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    ours = onnx_graph._squared(photo).numpy()
    assert ours.shape == (preprocessing.SIZE, preprocessing.SIZE, 3)
    assert np.abs(ours - preprocessing.prepare(photo)).max() < 0.01  # of 255


def test_evidence_adds_up_to_the_logits(grouped_run, sample):
    """The mean of the evidence is the logit, less the biases' part, which the active hidden units tell."""
    network = grouped_run.model
    answer = onnx_graph.answering(network, 1.0, np.eye(8, grouped_run.backbone.n_features, dtype=np.float32))
    hidden, output = network.get_layer("hidden"), network.get_layer("probabilities")
    extract = extraction.extractor(network)
    for photo in map(sample.read, sample.photos.path[::30]):
        pooled = extract.one(preprocessing.prepare(photo))[1]
        before = pooled @ hidden.kernel.numpy() + hidden.bias.numpy()
        rest = (hidden.bias.numpy() * (before > 0)) @ output.kernel.numpy() + output.bias.numpy()
        found = answer(photo)
        logits = found["evidence"].numpy().mean(axis=(1, 2)) + rest
        np.testing.assert_allclose(log_softmax(logits), np.log(found["probabilities"]), atol=1e-3)


def test_packing_keeps_weights_to_half_a_step():
    weights = np.random.default_rng(0).normal(size=(64, 8, 3, 3)).astype(np.float32)
    weights[0] *= 1e-6  # a channel so small that 16-bit floats would lose it
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Conv", ["x", "w"], ["y"])],
        "one",
        [onnx.helper.make_tensor_value_info("x", 1, [1, 8, 3, 3])],
        [onnx.helper.make_tensor_value_info("y", 1, [1, 64, 1, 1])],
        [onnx.numpy_helper.from_array(weights, "w")],
    )
    proto = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", onnx_graph.OPSET)], ir_version=10)
    for bits, top in ((8, 127), (16, 32767)):
        arrays = {t.name: onnx.numpy_helper.to_array(t) for t in onnx_graph.packed(proto, bits).graph.initializer}
        error = np.abs(arrays["w/packed"] * arrays["w/scale"] - weights)
        largest = np.abs(weights).max(axis=(1, 2, 3), keepdims=True)
        assert (error <= largest / top * 0.51).all()
    assert onnx.numpy_helper.to_array(proto.graph.initializer[0]).dtype == np.float32  # the original is untouched
    with pytest.raises(ValueError, match="4 bits: use 8 or 16"):
        onnx_graph.packed(proto, 4)


def test_a_full_disk_is_told_as_one(grouped_run, tmp_path, monkeypatch):
    """ONNX Runtime calls what it could not write an invalid model, which nobody can do anything about."""

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def invalid(*_, **__):
        raise RuntimeError("INVALID_PROTOBUF")

    graph = onnx.helper.make_graph([], "none", [], [])
    monkeypatch.setattr(onnx_graph.onnxruntime, "InferenceSession", invalid)
    with pytest.raises(RuntimeError, match="INVALID_PROTOBUF"):  # there was room enough, so it is another trouble
        onnx_graph._folded(onnx.helper.make_model(graph))
    monkeypatch.setattr(files, "_reserve", full)
    with pytest.raises(OSError, match="No space left"):
        onnx_graph._folded(onnx.helper.make_model(graph))


def test_a_graph_may_be_deeper_than_python_calls():
    """Nodes come after what they need, in the order in which the outputs ask, however many there are in a row."""
    depth = 5 * sys.getrecursionlimit()
    names = ["in", *(f"v{i}" for i in range(depth)), "out"]
    row = [onnx.helper.make_node("Relu", [a], [b]) for a, b in pairwise(names)]
    two = [onnx.helper.make_node("Add", ["left", "right"], ["sum"]), onnx.helper.make_node("Neg", ["in"], ["right"])]
    left = onnx.helper.make_node("Abs", ["right"], ["left"])
    unused = onnx.helper.make_node("Cos", ["in"], ["nobody's"])
    ends = [onnx.helper.make_tensor_value_info(name, 1, [1]) for name in ("in", "out", "sum")]
    graph = onnx.helper.make_graph([*reversed(row), *two, unused, left], "deep", ends[:1], ends[1:])
    ordered = onnx_graph._ordered(graph)
    assert [node.output[0] for node in ordered] == [*names[1:], "right", "left", "sum"]
