"""Scaling: hand-worked projections, speed-ups and bills, and the measured table that comes with the package."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from skinlib.base.errors import InputError
from skinlib.learn import backbones
from skinlib.learn.engines import keras
from skinlib.scale import scaling


def row(stage: str, files: int, seconds: float, bits: int = 32, cores: int = 2) -> dict:
    return {
        "stage": stage, "bits": bits, "cores": cores, "files": files, "seconds": seconds,
        "processor_seconds": 2 * seconds,
    }  # fmt: skip


@pytest.fixture
def table() -> pd.DataFrame:
    """Return a table of easy numbers: each stage at 100 and 1,000 files, features in 16 bits at 10,000, too."""
    rows = [row(stage, files, files / 10) for stage in scaling.STAGES for files in (100, 1000)]
    rows += [row("features", 100, 6, 16), row("features", 1000, 24, 16), row("features", 10_000, 960, 16)]
    rows += [row(stage, 100, 99, cores=1) for stage in scaling.STAGES]
    rows += [row("reading", 100, 20), row("reading", 1000, 100), row("reading", 5000, 1, cores=1)]
    return pd.DataFrame(rows)


def test_each_stage_is_seen_on_most_cores_in_the_fewest_bits(table):
    stages = scaling.stages(table)
    assert list(stages.columns) == list(scaling.STAGES) and list(stages.index) == [100, 1000, 10_000]
    assert stages.features.tolist() == [6, 24, 960]
    assert stages["head"].tolist()[:2] == [10, 100] and np.isnan(stages["head"].iloc[2])
    assert scaling.stages(table, "processor_seconds").loc[100, "features"] == 12


def test_projections_by_hand(table):
    ahead = scaling.projected(table, [1, 100, 550, 1000, 5500, 10_000, 40_000])
    assert ahead.index.tolist() == [1, 100, 550, 1000, 5500, 10_000, 40_000]
    # A straight line between sizes; below the smallest, the smallest.
    assert ahead.features.tolist()[:6] == [6, 6, 15, 24, (24 + 960) / 2, 960]
    # From 1,000 to 10,000 files 40 times as long, so an exponent of log10(40).
    assert ahead.features.iloc[6] == pytest.approx(960 * 4 ** np.log10(40))
    # In proportion: an exponent of 1.
    assert ahead["head"].tolist() == pytest.approx([10, 10, 55, 100, 550, 1000, 4000])


def test_an_exponent_is_never_below_one(table):
    start_up = table.assign(seconds=table.seconds.where(table.stage != "audit", 5 + table.files / 1000))
    ahead = scaling.projected(start_up, [1000, 10_000])
    assert ahead.audit.tolist() == pytest.approx([6, 60])


@pytest.mark.parametrize("files", [[0], [100, -1], [np.nan]])
def test_a_projection_to_nothing_is_refused(files, table):
    with pytest.raises(InputError, match=r"^\S+ files can't be projected: use 1 or more$"):
        scaling.projected(table, files)


def test_a_stage_of_one_size_is_refused(table):
    with pytest.raises(InputError, match=r"^head was measured at 1 sizes: a projection needs two$"):
        scaling.projected(table[(table.stage != "head") | (table.files == 100)], [100])


def test_amdahl_by_hand():
    assert scaling.amdahl(0.5, 1) == 1
    assert scaling.amdahl(0, 8) == 8 and scaling.amdahl(1, 8) == 1
    assert scaling.amdahl(0.25, 3) == pytest.approx(2)  # a quarter, and a third of three quarters
    assert scaling.amdahl(0.05, 1e9) == pytest.approx(20)
    np.testing.assert_allclose(scaling.amdahl([0.5, 0], [[2], [4]]), [[4 / 3, 2], [8 / 5, 4]])


def test_karp_and_flatt_by_hand():
    assert scaling.serial_share(10, 5, 2) == 0 and scaling.serial_share(10, 10, 2) == 1
    assert scaling.serial_share(10, 5.5, 2) == pytest.approx(0.1)
    assert scaling.serial_share(12, 14, 2) > 1 and scaling.serial_share(12, 5, 2) < 0
    shares = np.array([0.0, 0.05, 0.3, 1.0])
    np.testing.assert_allclose(scaling.serial_share(7, 7 / scaling.amdahl(shares, 16), 16), shares, atol=1e-12)


@pytest.mark.parametrize(
    "call",
    [
        lambda: scaling.amdahl(1.1, 2),
        lambda: scaling.amdahl([0.5, -0.1], 2),
        lambda: scaling.amdahl(np.nan, 2),
        lambda: scaling.amdahl(0.5, 0),
        lambda: scaling.amdahl(0.5, [1, 0.5]),
        lambda: scaling.serial_share(10, 5, 1),
        lambda: scaling.serial_share(0, 5, 2),
        lambda: scaling.serial_share([10, 10], [5, -5], 2),
        lambda: scaling.Assumptions(gpu_hour=-1),
        lambda: scaling.Assumptions(share_of_peak=0),
        lambda: scaling.Assumptions(months=float("nan")),
    ],
)
def test_bad_input_is_told_in_one_line(call):
    with pytest.raises(InputError) as caught:
        call()
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 120


EASY = scaling.Assumptions(
    operations_per_photo=6e9, operations_to_fine_tune=2e9, gpu_peak=1e12, share_of_peak=0.1, fine_tuning_epochs=2,
    photo_bytes=1e6, feature_bytes=4e5, sketch_bytes=1e5, months=10, gpu_hour=3, core_hour=0.5, gigabyte_month=0.1,
)  # fmt: skip


def test_a_bill_by_hand(table):
    bill = scaling.costs([1000, 36_000], EASY, table)
    first, second = bill.loc[1000], bill.loc[36_000]
    assert first.gpu_hours == pytest.approx(1000 * (6e9 + 2 * 2e9) / 1e11 / 3600)
    assert second.gpu_hours == pytest.approx(1)
    # 100 seconds for each stage at 1,000 files, 200 of processors, four times: opened, read, audited, trained.
    assert first.core_hours == pytest.approx(800 / 3600)
    assert second.core_hours == pytest.approx(8)
    assert second.terabytes == pytest.approx(0.054)
    assert second.gpu_dollars == pytest.approx(3) and second.core_dollars == pytest.approx(4)
    assert second.storage_dollars == pytest.approx(54)  # 54 GB, 10 months
    assert second.dollars == pytest.approx(61)
    assert second.dollars_per_photo == pytest.approx(61 / 36_000)


def test_reading_is_that_of_the_largest_size_on_most_cores(table):
    assert scaling.reading_seconds(table) == pytest.approx(0.2)
    with pytest.raises(InputError, match=r"^reading was not measured: write the table anew with benchmarks/scale.py$"):
        scaling.reading_seconds(table[table.stage != "reading"])


def test_one_assumption_changes_its_own_columns_only(table):
    before, after = (scaling.costs([1e6], a, table).loc[1e6] for a in (EASY, replace(EASY, gpu_hour=6)))
    assert set(before.index[before != after]) == {"gpu_dollars", "dollars", "dollars_per_photo"}
    assert after.gpu_dollars == pytest.approx(2 * before.gpu_dollars)


def test_the_bytes_kept_are_those_of_the_features():
    numbers = {layer: int(np.prod(shape)) for layer, shape in backbones.RESNET50.shapes.items()}
    assert scaling.Assumptions().feature_bytes == 4 * sum(numbers.values()) and numbers["pool"] * 4 == 8192


def test_operations_are_those_of_the_network():
    """A convolution multiplies and adds once for each weight and place of its output."""
    network = backbones.RESNET50.build(keras.Input((224, 224, 3)))
    sums = {"whole": 0, "last stage": 0}
    for layer in network.layers:
        if isinstance(layer, keras.layers.Conv2D):
            operations = 2 * int(np.prod(layer.kernel.shape)) * int(np.prod(layer.output.shape[1:3]))
            sums["whole"] += operations
            sums["last stage"] += operations * layer.name.startswith(backbones.RESNET50.last_stage_layers)
    assumed = scaling.Assumptions()
    assert assumed.operations_per_photo == pytest.approx(sums["whole"], rel=0.01)
    assert assumed.operations_to_fine_tune == pytest.approx(3 * sums["last stage"], rel=0.01)


# --- what comes with the package -----------------------------------------------------------------------------------


def test_the_shipped_table_measures_every_stage():
    table = scaling.measured()
    assert set(table.stage) == {*scaling.STAGES, "reading"} and {"date", "machine", "versions"} <= set(table.attrs)
    assert (table[["files", "seconds", "processor_seconds"]] > 0).all().all()
    assert not table.duplicated(["stage", "bits", "cores", "files"]).any()
    stages = scaling.stages(table)
    assert len(stages) >= 3 and stages.iloc[:2].notna().all().all(), "two sizes of each stage, three of most"
    on_one = table[(table.cores == 1) & (table.files == table.files.min())]
    assert set(on_one.stage) == {*scaling.STAGES, "reading"}, "the smallest sample, on one core"
    assert {16, 32} <= set(table[table.stage == "features"].bits)


def test_the_shipped_table_can_be_projected_and_billed():
    table, sizes = scaling.measured(), 10.0 ** np.arange(3, 10)
    ahead = scaling.projected(table, sizes)
    assert (ahead.diff().dropna() >= 0).all().all() and np.isfinite(ahead).all().all()
    bill = scaling.costs(sizes, scaling.Assumptions(), table)
    assert (bill > 0).all().all() and bill.dollars.is_monotonic_increasing


@pytest.mark.parametrize("content", ["", "[]", "{}", json.dumps({"rows": [{"stage": "audit"}]})])
def test_a_file_that_is_no_such_table_is_refused(content, tmp_path):
    file = tmp_path / "broken.json"
    file.write_text(content)
    with pytest.raises(InputError, match=r"has no measured stages \(.*\): write it with benchmarks/scale.py$"):
        scaling.measured(file)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InputError, match="has no measured stages"):
        scaling.measured(tmp_path / "nothing.json")
