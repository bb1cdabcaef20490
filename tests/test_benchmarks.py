"""The benchmarks of speed run on a few photos: what they write, and whether their ratios are those of their times."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).resolve().parents[1] / "benchmarks"))
import common
import extraction
import fine_tuning
import inputs


@pytest.fixture
def options(sample, sample_settings, tmp_path, monkeypatch):
    """Return the options that make a benchmark read the quick sample and write to a file, which is the last of them."""
    monkeypatch.setenv("SKINLIB_CACHE", str(sample_settings.cache))
    return ["--data", str(sample.root), "--json", str(tmp_path / "result.json")]


def same_as_written(result, options):
    """Return whether the file holds what the script returned, numbers that JSON has words for and nothing else."""
    return json.loads(Path(options[-1]).read_text()) == json.loads(json.dumps(result, allow_nan=False))


def test_functions_take_turns_after_one_call_each():
    called = []
    seconds = common.interleaved({name: lambda name=name: called.append(name) for name in "ab"}, repeats=2)
    assert "".join(called) == "ab" + "abab"
    assert {name: len(times) for name, times in seconds.items()} == {"a": 2, "b": 2}


def test_rates_are_those_of_the_middle_the_longest_and_the_shortest_time():
    assert common.per_second([1.0, 4.0, 2.0], 8) == {"per_second": 4.0, "slowest": 2.0, "fastest": 8.0}


def test_table_lines_up_and_leaves_places_empty():
    lines = common.table([{"way": "a", "seconds": 0.5}, {"way": "long", "ratio": 12}]).splitlines()
    assert lines == ["way   seconds  ratio", "a         0.5", "long              12"]


def test_places_are_spread_and_never_twice():
    assert list(common.spread_over(3, 9)) == [0, 4, 8]
    assert list(common.spread_over(9, 3)) == [0, 1, 2]


@pytest.mark.parametrize("script", [extraction, fine_tuning, inputs])
def test_no_photos_is_refused_in_one_line(script, capsys):
    with pytest.raises(SystemExit) as ended:
        script.main(["--photos", "0"])
    assert ended.value.code == 2
    assert "0 is too few: use 1 or more" in capsys.readouterr().err


def test_operations_are_counted_from_shapes():
    keras = extraction.keras
    entry = keras.Input((8, 6, 3))
    layers = [
        keras.layers.Conv2D(4, 3, strides=2, padding="same"),  # 4 × 3 places, 3 × 3 × 3 numbers, 4 channels
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(5),
    ]
    network = keras.Sequential([entry, *layers])
    assert extraction.operations(network) == 2 * (4 * 3 * 27 * 4 + 4 * 5)


def test_inputs(options):
    result = inputs.main(["--photos", "4", "--repeats", "1", *options])
    assert same_as_written(result, options)
    assert [row["way"] for row in result["ways"]] == ["ours, threads", "OpenCV, threads", "tf.data", "Pillow, alone"]
    ours, *others = result["ways"]
    assert ours["largest_difference"] == 0
    assert all(0 < row["mean_difference"] < 5 for row in others)  # grey levels: other decoders, other filters
    network = result["network"][0]
    assert ours["times_network_32"] == pytest.approx(ours["per_second"] / network["per_second"], rel=0.01, abs=0.01)
    assert ours["share_32"] == pytest.approx(1 / (1 + ours["per_second"] / network["per_second"]), rel=0.05, abs=0.001)


def test_fine_tuning(options):
    result = fine_tuning.main(["--photos", "4", "--validation", "2", "--epochs", "2", *options])
    assert same_as_written(result, options)
    ordinary, ours = result["ways"]["ordinary"], result["ways"]["kept activations, 32 bits"]
    assert len(ordinary["loss"]) == len(ours["val_loss"]) == 2
    assert ours["first_loss_difference"] == abs(ours["loss"][0] - ordinary["loss"][0]) < 1e-4
    assert ours["largest_loss_difference"] < 1e-2
    gaps = [abs(ours[name][epoch] - ordinary[name][epoch]) for name in ("loss", "val_loss") for epoch in (0, 1)]
    assert ours["largest_loss_difference"] == pytest.approx(max(gaps))
    assert ours["ratio"] == pytest.approx(ordinary["seconds"] / ours["seconds"], abs=0.01)
    assert ours["ratio_step"] == pytest.approx(ordinary["step"] / ours["step"], rel=0.01)
    with_extraction = ordinary["seconds"] / (ours["seconds"] + ours["extraction_seconds"])
    assert ours["ratio_with_extraction"] == pytest.approx(with_extraction, abs=0.01)
    numbers = 7 * 7 * 1024 + 2048
    assert result["disk_kilobytes_a_photo"] == pytest.approx(numbers * 4 / 1000, rel=0.01)


def test_extraction(options):
    result = extraction.main(["--photos", "2", "--repeats", "1", "--matrix", "1024", *options])
    assert same_as_written(result, options)
    assert result["gigaflop_a_photo"] == pytest.approx(7.7, abs=0.1)  # He et al. (2016): 3.8 billion multiply-adds
    rates = result["gigaflop_a_second"]
    fastest = max(rates["NumPy, 32 bits"], rates["TensorFlow, 32 bits"])
    assert result["limit_photos_a_second"]["32 bits"] == pytest.approx(fastest / result["gigaflop_a_photo"], abs=0.06)
    engines = {row["engine"]: row for row in result["engines"]}
    assert list(engines)[:4] == ["Keras predict", "tf.function", "ONNX Runtime", "OpenVINO"]
    for name, row in engines.items():
        assert row["of_the_32_bit_limit"] == pytest.approx(
            row["per_second"] / result["limit_photos_a_second"]["32 bits"], rel=0.06, abs=0.002
        )
        assert row["largest_difference"] < (0.5 if "16 bits" in name else 1e-4)
    assert np.isfinite([row["accuracy"] for row in result["accuracy"]]).all()
    assert [row["features"] for row in result["accuracy"]][1:] == [name for name in engines if "16 bits" in name]
