"""The benchmarks of speed run on a few photos: what they write, and whether their ratios are those of their times."""

import itertools
import json
import os
import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).resolve().parents[1] / "benchmarks"))
import common
import everything
import extraction
import fine_tuning
import inputs
import one_answer
import recipe
import same_photo
import scale

import book
from skinlib.base import runner
from skinlib.base.errors import InputError, SkinlibError
from skinlib.learn import networks, pretrained


@pytest.fixture
def options(sample, tiny_settings, tmp_path, monkeypatch):
    """Return the options that make a benchmark read the quick sample and write to a file, which is the last of them.

    All that it measures is measured with the small backbone: how fast that is interests nobody here.
    """
    monkeypatch.setenv("SKINLIB_BACKBONE", tiny_settings.backbone)
    monkeypatch.setenv("SKINLIB_CACHE", str(tiny_settings.cache))
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


@pytest.mark.parametrize("script", [extraction, fine_tuning, inputs, same_photo])
def test_no_photos_is_refused_in_one_line(script, capsys):
    with pytest.raises(SystemExit) as ended:
        script.main(["--photos", "0"])
    assert ended.value.code == 2
    assert "0 is too few: use 1 or more" in capsys.readouterr().err


def test_operations_are_counted_from_shapes():
    from skinlib.learn.engines import keras

    entry = keras.Input((8, 6, 3))
    layers = [
        keras.layers.Conv2D(4, 3, strides=2, padding="same"),  # 4 × 3 places, 3 × 3 × 3 numbers, 4 channels
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(5),
    ]
    network = keras.Sequential([entry, *layers])
    assert common.operations(network.layers) == 2 * (4 * 3 * 27 * 4 + 4 * 5)


def test_learning_takes_three_times_the_operations_less_what_the_first_layer_need_not_do():
    from skinlib.learn.engines import keras

    entry = keras.Input((8,))
    network = keras.Model(entry, keras.layers.Dense(2)(keras.layers.Dense(4)(entry)))
    first, second = 2 * 8 * 4, 2 * 4 * 2
    assert fine_tuning.operations_to_learn(network) == 2 * first + 3 * second


def test_spread_is_the_middle_the_shortest_and_the_longest():
    assert common.spread([3.0, 1.0, 2.0]) == {"seconds": 2.0, "shortest": 1.0, "longest": 3.0}


@pytest.mark.slow
def test_light_scripts_leave_tensorflow_out():
    code = "import sys, common, everything; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=everything.HERE).returncode == 0


@pytest.mark.slow
def test_same_photo(options, tmp_path, capsys):
    result = same_photo.main(["--photos", "3", "--megapixels", "1.5", *options])
    assert same_as_written(result, options)
    without, ours = result["ways"]
    assert result["photos"] == 3 and result["drawn"] and result["megapixels"] == pytest.approx(1.5, abs=0.1)
    for copy in ("Lanczos", "Lanczos, JPEG", "area"):
        assert ours[f"levels, {copy}"] < without[f"levels, {copy}"]
        assert ours[f"agree, {copy}"] >= 2 / 3
    assert all(0 <= way[f"accuracy, {split}"] <= 1 for way in (without, ours) for split in ("grouped", "official"))
    assert "3 large photos, drawn" in capsys.readouterr().out
    (tmp_path / "none").mkdir()
    with pytest.raises(InputError, match="holds no files"):
        next(same_photo.large_photos(Namespace(large=tmp_path / "none", photos=1), None))


@pytest.mark.slow
def test_inputs(options):
    result = inputs.main(["--photos", "4", "--repeats", "1", *options])
    assert same_as_written(result, options)
    assert [row["way"] for row in result["ways"]] == ["ours, threads", "OpenCV, threads", "tf.data", "Pillow, alone"]
    ours, *others = result["ways"]
    assert result["machine"]["cores"] and result["versions"]["openvino"] and result["versions"]["pillow"]
    assert ours["largest_difference"] == 0
    assert all(0 < row["mean_difference"] < 5 for row in others)  # grey levels: other decoders, other filters
    network = result["network"][0]
    assert ours["times_network_32"] == pytest.approx(ours["per_second"] / network["per_second"], rel=0.01, abs=0.01)
    assert ours["share_32"] == pytest.approx(1 / (1 + ours["per_second"] / network["per_second"]), rel=0.05, abs=0.001)


@pytest.mark.slow
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
    numbers = 7 * 7 * 24 + 16
    assert result["disk_kilobytes_a_photo"] == pytest.approx(numbers * 4 / 1000, rel=0.02)


def test_operations_are_those_of_resnet50():
    network = networks.build()
    whole = common.operations(extraction.backbone_of(network).layers)
    assert whole / 1e9 == pytest.approx(7.7, abs=0.1)  # He et al. (2016): 3.8 billion multiply-adds
    learning = fine_tuning.operations_to_learn(networks.part_after(network, "conv4_block6_out"))
    assert learning / 1e9 == pytest.approx(4.2, abs=0.2)  # thrice 1.46, less the first two


@pytest.mark.slow
def test_extraction(options):
    result = extraction.main(["--photos", "2", "--repeats", "1", "--matrix", "1024", *options])
    assert same_as_written(result, options)
    rates = result["gigaflop_a_second"]
    fastest = max(rates["NumPy, 32 bits"], rates["TensorFlow, 32 bits"])
    limit = fastest / result["gigaflop_a_photo"]
    assert result["limit_photos_a_second"]["32 bits"] == pytest.approx(limit, rel=0.1), "but for rounding"
    engines = {row["engine"]: row for row in result["engines"]}
    assert list(engines)[:4] == ["Keras predict", "tf.function", "ONNX Runtime", "OpenVINO"]
    for name, row in engines.items():
        assert row["of_the_32_bit_limit"] == pytest.approx(
            row["per_second"] / result["limit_photos_a_second"]["32 bits"], rel=0.06, abs=0.002
        )
        assert row["largest_difference"] < (0.5 if "16 bits" in name else 1e-4)
    assert np.isfinite([row["accuracy"] for row in result["accuracy"]]).all()
    assert [row["features"] for row in result["accuracy"]][1:] == [name for name in engines if "16 bits" in name]


@pytest.mark.slow
def test_recipe(options, monkeypatch, tmp_path):
    monkeypatch.setattr(recipe, "EPOCHS", 2)  # twelve of the original would take a minute
    drawn = ["--per-class", "6", "--samples", str(tmp_path)]
    result = recipe.main(["--cold", "1", "--warm", "2", *drawn, *options])
    assert same_as_written(result, options)
    assert result["files"] <= 48 and list(tmp_path.glob("sample-6-*/truth.csv")), "some files are damaged"
    times, epochs = result["times"], result["epochs"]
    assert len(epochs) == 2
    other = times["original"]["seconds"] - sum(epochs)
    assert times["original"]["shortest"] == pytest.approx(other + 2 * min(epochs), abs=0.1)
    assert times["original"]["longest"] == pytest.approx(other + 2 * max(epochs), abs=0.1)
    for kind, ratios in result["ratios"].items():
        assert ratios["ratio"] == pytest.approx(times["original"]["seconds"] / times[kind]["seconds"], rel=0.01)
        assert ratios["low"] == pytest.approx(times["original"]["shortest"] / times[kind]["longest"], rel=0.01)
        assert ratios["high"] == pytest.approx(times["original"]["longest"] / times[kind]["shortest"], rel=0.01)
        assert ratios["low"] <= ratios["ratio"] <= ratios["high"]
        assert sum(result["profile"][kind].values()) == pytest.approx(times[kind]["seconds"], rel=0.1, abs=0.1)
    for part in ("making the network", "features"):
        assert result["profile"]["warm"][part] == 0 < result["profile"]["cold"][part]
    assert result["largest_difference"] < 1e-3 and result["same_top_answer"] == 1
    assert result["all_runs_identical"]


@pytest.fixture
def accelerator():
    """Return the benchmark that runs on any backend of Keras: TensorFlow here, which the others have chosen before."""
    import accelerator

    return accelerator


@pytest.fixture
def small(accelerator, monkeypatch):
    """Have it look at squares of 64 pixels: the same network and layers in a tenth of the time."""
    monkeypatch.setattr(accelerator, "SIZE", 64)
    return accelerator


@pytest.mark.slow
def test_accelerator(small, tmp_path):
    accelerator = small
    options = ["--per-class", "5", "--photos", "4", "--validation", "2", "--epochs", "2", "--repeats", "1"]
    options += ["--bits", "32", "--json", str(tmp_path / "result.json")]
    result = accelerator.main(options)
    assert same_as_written(result, options)
    assert result["machine"]["backend"] == "tensorflow" and result["versions"]["tensorflow"]
    assert set(result["extraction"]) == {"32 bits"}
    times = result["recipe"]["times"]
    assert list(times["cold"]["parts"]) == ["features", "training", "prediction"]
    assert list(times["original"]["parts"]) == list(times["warm"]["parts"]) == ["training", "prediction"]
    for way in times.values():
        assert sum(way["parts"].values()) == pytest.approx(way["seconds"], abs=0.001)
        # The first time, which compiles, is told apart from the others.
        assert set(way) == {"first", "seconds", "shortest", "longest", "parts"}
    for kind, ratios in result["recipe"]["ratios"].items():
        assert ratios["ratio"] == pytest.approx(times["original"]["seconds"] / times[kind]["seconds"], rel=0.02)
        assert ratios["first"] == pytest.approx(times["original"]["first"] / times[kind]["first"], rel=0.02)
        assert ratios["low"] <= ratios["ratio"] <= ratios["high"]
    assert result["recipe"]["largest_difference"] < 1e-3 and result["recipe"]["same_top_answer"] == 1
    told = result["fine_tuning"]["32 bits"]
    ordinary, kept = told["ways"]["ordinary"], told["ways"]["kept"]
    assert len(ordinary["loss"]) == len(kept["val_loss"]) == 2
    assert kept["loss"] == pytest.approx(ordinary["loss"], rel=1e-2)
    assert told["largest_loss_difference"] == accelerator.gap(ordinary, kept) < 1e-2 * max(ordinary["val_loss"])
    assert told["ratio"]["ratio"] == pytest.approx(ordinary["seconds"] / kept["seconds"], abs=0.01)
    assert told["ratio_step"] == pytest.approx(ordinary["step"] / kept["step"], rel=0.01)


@pytest.mark.slow
def test_accelerator_begins_again_and_loses_nothing_at_the_stage(small):
    accelerator = small
    squares = np.random.default_rng(0).uniform(0, 255, (2, accelerator.SIZE, accelerator.SIZE, 3)).astype(np.float32)
    network = accelerator.build(accelerator.draw_weights(squares, 0), 0)
    before = accelerator.part_before(network, "pool", accelerator.LAST_STAGE).predict(squares, verbose=0)
    learner = accelerator.Learner(accelerator.part_after(network, accelerator.LAST_STAGE), 1e-3, "conv5")
    answers = learner.network.predict(before[accelerator.LAST_STAGE], verbose=0)
    assert answers == pytest.approx(network.predict(squares, verbose=0), abs=1e-5), "nothing is lost at the stage"
    assert 0 < before["pool"].std() < 100, "numbers stay those of a trained network"
    weights = learner.network.get_weights()
    learner.learn(before[accelerator.LAST_STAGE], np.array([0, 1]), np.array([0]), np.array([1]), OneEpoch)
    changed = {layer.name for layer in learner.network.layers if layer.trainable_weights}
    assert changed and all(name.startswith(("conv5", "hidden", "prob")) and "bn" not in name for name in changed)
    assert any((old != new).any() for old, new in zip(weights, learner.network.get_weights(), strict=True))
    learner.begin_again()
    assert all((old == new).all() for old, new in zip(weights, learner.network.get_weights(), strict=True))


class OneEpoch:
    epochs, seed = 1, 0


def test_accelerator_has_the_package_s_constants(accelerator):
    from skinlib.learn import backbones, fitting, prepared, preprocessing, runs, train

    modules = {networks: ("HIDDEN",), preprocessing: ("SIZE", "MEANS_BGR"), pretrained: ("CALIBRATION_PHOTOS",)}
    modules |= {fitting: ("LEARNING_RATE",), train: ("FINE_TUNING_RATE",), prepared: ("EPOCHS",), runs: ("BATCH_SIZE",)}
    for module, names in modules.items():
        for name in names:
            assert getattr(accelerator, name) == getattr(module, name)
    assert backbones.RESNET50.last_stage == accelerator.LAST_STAGE


@pytest.mark.slow
def test_accelerator_needs_no_tensorflow():
    # Of Keras's backends the only other one that is sure to be here can't train, but it can be imported and refused.
    code = (
        "import sys; sys.modules['tensorflow'] = sys.modules['openvino_telemetry'] = None; import accelerator, common; "
        "assert not {'skinlib.learn.networks', 'skinlib.learn.train'} & set(sys.modules); common.run(accelerator.main)"
    )
    told = subprocess.run(
        [sys.executable, "-c", code],
        cwd=everything.HERE,
        env=os.environ | {"KERAS_BACKEND": "openvino"},
        capture_output=True,
        text=True,
    )
    assert told.returncode == 2
    assert told.stderr.strip() == "Keras on openvino can't train: set KERAS_BACKEND to tensorflow, jax or torch"


@pytest.mark.slow
def test_one_answer_tells_a_refusal_from_an_answer(tmp_path, exported, grouped_run, sample):
    names = itertools.cycle([str(sample.path(path)) for path in sample.photos.path[:3]])
    times = one_answer.in_python(exported.folder, names, 1)
    assert times["start"]["seconds"] > times["warm"]["seconds"] > 0
    (tmp_path / "no.jpg").write_text("no photo")
    with pytest.raises(SkinlibError, match="no answer"):
        one_answer.in_python(exported.folder, iter([next(names), str(tmp_path / "no.jpg")]), 1)


def test_without_a_browser_the_page_is_left_out(monkeypatch):
    monkeypatch.setattr(one_answer, "CHROMIUM", "/no/such/chromium")
    assert one_answer.no_browser() == "there is no Chromium here"


# --- everything ----------------------------------------------------------------------------------------------------

TIMES = {"seconds": 2.0, "shortest": 1.0, "longest": 4.0}
RESULTS = {
    "recipe": {
        "times": {"original": TIMES, "cold": TIMES, "warm": TIMES},
        "ratios": {"cold": {"ratio": 12.0, "low": 11, "high": 13}, "warm": {"ratio": 59.9, "low": 50, "high": 70}},
    },
    "audit": {
        "exponent_of_processor_seconds": {"fitted": 1.15},
        "sizes": [
            {"audit": {"files": 60, "seconds": 1.0, "anonymous_megabytes": 100}},
            {
                "audit": {"files": 4000, "seconds": 50.0, "anonymous_megabytes": 111},
                "all-pairs": {"seconds": 500.0, "extrapolated": True},
                "imagededup": {"skipped": "not installed"},
            },
        ],
    },
    "one_answer": {
        "ways": {
            "Keras": {"start": {"seconds": 8.0, "shortest": 6.0, "longest": 9.0}, "warm": TIMES},
            "Python": {"start": TIMES, "warm": TIMES},
            "page": {"skipped": "there is no Chromium here"},
        }
    },
}


def test_table_says_which_goals_were_reached():
    found = everything.rows(RESULTS)
    cold, warm, exponent, memory, peer, start, _ = found
    assert [cold["goal"], cold["reached"]] == ["≥ 12", True], "a goal is reached where it is just met"
    assert [warm["goal"], warm["reached"]] == ["≥ 60", False]
    assert [exponent["goal"], exponent["reached"]] == ["≤ 1.15", True]
    assert [memory["ratio"], memory["reached"]] == [1.11, False]
    assert [peer["ratio"], peer["goal"], peer["reached"]] == [10, None, None]
    assert "reckoned" in peer["theirs"]
    assert [start["ratio"], start["low"], start["high"]] == [4, 1.5, 9], "shortest against longest"
    lines = everything.shown(found).splitlines()
    assert lines[1].split()[-3:] == ["≥", "12", "yes"] and lines[2].split()[-1] == "no"
    assert "11 to 13" in lines[1]
    assert not [row for row in found if "page" in row["what"]]


def a_run(date, ratio, reached, **more):
    row = everything.row("recipe", "1 s", "the original", "9 s", ratio, ratio - 1, ratio + 1, at_least=12)
    assert row["reached"] is reached
    machine = {"processor": "one", "cores": 2}
    return {"date": date, "complete": True, "machine": machine, "table": [{"script": "recipe"} | row]} | more


def test_page_reads_all_complete_runs_of_the_latest_machine(tmp_path):
    runs = {
        "a": a_run("2026-01-01", 99, True, machine={"processor": "another", "cores": 64}),
        "b": a_run("2026-01-03", 14, True),
        "c": a_run("2026-01-02", 11, False),
        "d": a_run("2026-01-04", 1, False, complete=False),
    }
    for name, run in runs.items():
        (tmp_path / f"bench-{name}.json").write_text(json.dumps(run))
    (tmp_path / "book.json").write_text("{}")
    kept = everything.kept(tmp_path)
    assert [run["date"] for run in kept] == ["2026-01-02", "2026-01-03"]
    (row,) = everything.over_runs(kept)
    assert row["ratios"] == [11, 14] and (row["low"], row["high"]) == (10, 15)
    assert row["reached"] is False, "each run has to reach it"
    assert everything.over_runs(kept[1:])[0]["reached"] is True


def test_page_reads_no_runs_and_rows_without_a_spread(tmp_path):
    assert everything.kept(tmp_path) == [] == everything.over_runs([])
    row = {"script": "audit"} | everything.row("audit", "1 s", "all pairs", "9 s", 9.0)
    one, other = ({"table": [row]}, {"table": [row | {"ratio": 7.0}]})
    assert everything.over_runs([one])[0]["low"] is None
    both = everything.over_runs([one, other])[0]
    assert (both["low"], both["high"], both["reached"]) == (7, 9, None), "runs that differ are a spread"


def test_scripts_run_in_turn_and_one_that_fails_loses_no_other(tmp_path, monkeypatch, capsys):
    """Two scripts stand in for those of the folder: one writes what it is told to, and one says why it can't."""
    monkeypatch.setenv("SKINLIB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(everything, "HERE", tmp_path)
    told = {"machine": {"cores": 2}, "versions": {"openvino": "1"}}
    (tmp_path / "common.py").write_text(f"print({json.dumps(told)!r})")
    result = RESULTS["audit"] | {"options": None}
    writes = "import json, pathlib, sys; result = json.loads({!r}); result['options'] = sys.argv[1:-1]\n"
    writes += "pathlib.Path(sys.argv[-1]).write_text(json.dumps(result))"
    (tmp_path / "audit.py").write_text(writes.format(json.dumps(result)))
    (tmp_path / "extraction.py").write_text("import sys; print('well'); sys.exit('0 is too few: use 1 or more')")
    out = tmp_path / "some.json"
    assert everything.main(["--quick", "--only", "extraction", "audit", "--out", str(out)]) == 1
    written, said = json.loads(out.read_text()), capsys.readouterr().out
    assert list(written["results"]) == ["audit"] and list(written["failed"]) == ["extraction"]
    assert set(written["minutes"]) == {"extraction", "audit"}
    options = [*everything.SCRIPTS["audit"].quick, "--samples", str(tmp_path / "cache" / "bench" / "samples"), "--json"]
    assert written["results"]["audit"]["options"] == options
    line = next(line for line in said.splitlines() if line.startswith("benchmarks/extraction.py"))
    assert "failed" in line and "0 is too few: use 1 or more" in line
    log = Path(line.split("(")[-1].split(" has")[0])
    assert "0 is too few" in log.read_text()
    assert str(log) not in out.read_text(), "where the log lies is nobody else's business"
    assert not written["complete"], "a part is not for the page"
    assert {row["script"] for row in written["table"]} == {"audit"}
    assert written["machine"]["cores"] and written["versions"]["openvino"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["app", "audit", "hostile", "peers", "three_ways"])
def test_every_script_says_how_it_is_called(name):
    """Those that no test runs: their imports and options, at least, are right."""
    done = subprocess.run([sys.executable, everything.HERE / f"{name}.py", "--help"], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.startswith("usage:"), done.stderr


@pytest.mark.parametrize("name", everything.SCRIPTS)
def test_everything_knows_its_scripts_and_their_options(name):
    source = "".join((everything.HERE / f"{part}.py").read_text("utf-8") for part in (name, "common"))
    script = everything.SCRIPTS[name]
    options = [each for each in (*script.full, *script.quick, "--json") if each.startswith("--")]
    assert not [option for option in options if f'add_argument("{option}"' not in source.replace("(\n        ", "(")]


# --- the book ------------------------------------------------------------------------------------------------------

REPORT = """<?xml version="1.0" encoding="utf-8"?>
<testsuites name="pytest tests"><testsuite name="pytest" errors="1" failures="2" skipped="3" tests="6" time="61.5">
<testcase classname="tests.test_train" name="test_resumes[a]" time="40.26" />
<testcase classname="tests.test_audit" name="test_pairs" time="12.0"><failure message="no">no</failure></testcase>
<testcase classname="notebooks.03_training.ipynb" name="notebooks/03_training.ipynb::Cell 3" time="9.1" />
<testcase classname="tests.test_audit" name="test_groups" time="1.0" />
</testsuite></testsuites>"""


def test_a_report_of_the_tests_is_read(tmp_path, monkeypatch):
    report = tmp_path / "report.xml"
    report.write_text(REPORT)
    monkeypatch.setattr(book, "SLOWEST", 2)
    out = tmp_path / "book.json"
    out.write_text(json.dumps({"book": {name: TIMES for name in ("cold", "warm", "touched")}}))
    result = book.main(["--only", "tests", "--tests", str(report), "--out", str(out)])
    tests = result["tests"]
    assert [tests[name] for name in ("seconds", "tests", "failures", "errors", "skipped")] == [61.5, 6, 2, 1, 3]
    assert tests["slowest"] == [
        {"test": "test_train: test_resumes[a]", "seconds": 40.3},
        {"test": "test_audit: test_pairs", "seconds": 12.0},
    ]
    assert tests["files"][1] == {"file": "test_audit", "seconds": 13.0}
    assert json.loads(out.read_text())["book"]["cold"] == TIMES, "what was not measured stays"


def test_what_is_no_report_is_refused(tmp_path):
    (tmp_path / "report.xml").write_text("no report")
    with pytest.raises(InputError, match=r"report\.xml is no report of pytest --junitxml"):
        book.of_the_tests(tmp_path / "report.xml")


def test_the_copy_holds_what_git_knows_and_a_touched_notebook_runs_the_same(tmp_path):
    if not (book.ROOT / ".git").exists():
        pytest.skip("this is not a git checkout: nothing is tracked")
    folder = book.copy(tmp_path / "book")
    assert (folder / "book" / "build.py").is_file() and not (folder / ".venv").exists()
    before = json.loads((folder / book.TOUCHED).read_text())
    book.touch(folder / book.TOUCHED)
    after = json.loads((folder / book.TOUCHED).read_text())
    changed = [
        ("".join(one["source"]), "".join(other["source"]))
        for one, other in zip(before["cells"], after["cells"], strict=True)
        if one != other
    ]
    ((old, new),) = changed
    assert new == old + "\n# touched"


def test_stages_whose_time_is_known_are_left_out_of_large_sizes():
    few, many = scale.stages(scale.MOST, 16), scale.stages(scale.MOST + 1, 16)
    assert [stage for stage, _ in few] == [
        "opening", "reading", "audit", "features", "features", "head", "fine-tuning", "answers",
    ]  # fmt: skip
    assert set(few) - set(many) == {("features", 32), ("answers", 32)}
    assert scale.stages(scale.MOST + 1, 32) == [(stage, 32) for stage, _ in many]


def test_what_was_measured_is_gone_on_with(tmp_path):
    file, calls = tmp_path / "scale.json", []

    def measured():
        calls.append(1)
        return {"files": 8, "seconds": 0.5}

    for _ in range(2):
        kept = scale.Kept(file)
        for cores in (2, 1):
            with scale.on_cores(1):
                kept.add({"stage": "audit", "cores": cores}, measured)
    assert len(calls) == 2
    told = json.loads(file.read_text())
    assert told == json.loads(json.dumps(kept.result()))
    assert [row["cores"] for row in told["rows"]] == [2, 1] and told["machine"]["cores"] == runner.cores()


@pytest.mark.skipif(not scale.LINUX, reason="elsewhere no process can be kept to some of the cores")
def test_a_stage_is_kept_to_its_cores():
    before = runner.cores()
    with scale.on_cores(1):
        assert runner.cores() == 1
    assert runner.cores() == before


@pytest.mark.slow
def test_a_stage_in_a_process_of_its_own(sample, tmp_path):
    told = scale.in_a_new_process(scale.__file__, "--one", "opening", sample.root, tmp_path, 32)
    assert told["files"] == len(sample.photos) and told["seconds"] > 0
    assert list(tmp_path.iterdir()), "the catalogue is kept for the stages after it"
    again = scale.in_a_new_process(scale.__file__, "--one", "reading", sample.root, tmp_path, 32)
    assert again["files"] == told["files"] and again["disk_megabytes"] == 0


def test_a_goal_is_missed_by_a_number_of_numpy_too():
    assert everything.row("memory", "2 MB", "itself", "1 MB", np.float64(2), at_most=1.1)["reached"] is False


def test_tests_that_did_not_pass_are_told_beside_their_time():
    tests = {"tests": 2102, "seconds": 1269.1, "failures": 0, "errors": 0, "skipped": 0}
    assert book.in_words(tests) == "2,102 tests, cells of notebooks among them, take 21.2 minutes, and all pass."
    others = book.in_words(tests | {"failures": 1, "skipped": 6})
    assert others.endswith("take 21.2 minutes; 1 failed, 6 were left out.")
