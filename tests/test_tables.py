"""Tables of files read back equal, whatever the files are called."""

import csv

import numpy as np
import pandas as pd
import pytest
from drawn import fill

from skinlib.base.files import write_table
from skinlib.base.settings import Settings
from skinlib.data.opening import open_data

NAMES = (
    "cr\rhere.jpg", "\rfirst", "last\r", "lf\nhere", "both\r\nhere", 'quo"te', '"', '""', "com,ma", "semi;colon",
    "tab\there", " leading", "trailing ", "\u202eright to left", "\x01control\x7f", "NA", "null", "1e5", "007", "=1+1",
    "#", "\x85next line",
    "\u2028line separator", "\x0bvertical\x0c", "back\\slash", "\ufeffmark", "'", "\x1b[2J", "plain",
)  # fmt: skip


@pytest.mark.parametrize("names", [NAMES, NAMES[-1:], ["last\r"], ["lf\nhere"]], ids=["all", "plain", "CR", "LF"])
def test_names_read_back_equal(tmp_path, names):
    table = pd.DataFrame(
        {"path": names, "share": np.linspace(0.1, 0.123456789123, len(names)), "files": 3, "right": True}
    )
    write_table(tmp_path / "t.csv", table, "%.8g")
    texts = {"path": str}
    for engine in ("c", "python"):
        again = pd.read_csv(tmp_path / "t.csv", dtype=texts, keep_default_na=False, engine=engine)
        assert again.path.tolist() == list(names)
        np.testing.assert_allclose(again["share"], table["share"], rtol=1e-7)
        assert again.files.tolist() == table.files.tolist() and again.right.tolist() == table.right.tolist()
    with (tmp_path / "t.csv").open(newline="", encoding="utf-8") as stream:
        assert [row[0] for row in csv.reader(stream)] == ["path", *names]


def test_ordinary_names_stand_without_quotation_marks(tmp_path):
    write_table(tmp_path / "t.csv", pd.DataFrame({"path": ["a b.jpg"], "n": [1]}))
    assert (tmp_path / "t.csv").read_bytes() == b"path,n\na b.jpg,1\n"


def test_a_catalogue_of_odd_names_has_a_row_for_each(tmp_path):
    files = [f"{split}/{kind}/{name}" for split in ("train", "test") for kind in ("a", "b") for name in NAMES]
    systems = [
        f"{split}/a/{name}" for split in ("train", "test") for name in ("Icon\r", "Thumbs.db", "desktop.ini", "._x")
    ]
    data = open_data(Settings(data=str(fill(tmp_path / "odd", [*files, *systems])), cache=tmp_path / "cache"))
    assert sorted(data.photos.path) == sorted(files)
    assert data.missed.empty and set(data.left_out.path) == set(systems)
    write_table(tmp_path / "t.csv", data.photos)
    again = pd.read_csv(tmp_path / "t.csv", dtype=str, keep_default_na=False)
    assert again.path.tolist() == data.photos.path.tolist()
