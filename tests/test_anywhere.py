"""The whole book on a folder of one's own, and with an unlucky seed: `python tests/anywhere.py` tries many more."""

import anywhere
import pytest

CHAPTERS = anywhere.execute.notebooks()


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    return tmp_path_factory.mktemp("anywhere")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["plain", "seven"])
def test_the_whole_book_on_other_photos(name, work):
    """Cats and dogs without splits, and seven of the eight conditions: no cell stops, warns or shows a NaN."""
    results = anywhere.run(name, 0, "quick", [*CHAPTERS, *anywhere.execute.pages()], work, "tiny")
    assert len(results) > 10 and not any(results.values()), results


@pytest.mark.slow
@pytest.mark.parametrize(
    ("seed", "chapters"),
    [(1, ("01_", "01b_", "02_")), (2**32 - 1, ("01_", "01b_", "02_")), (3, ("05_",))],
    ids=lambda value: str(value) if isinstance(value, int) else "",
)
def test_chapters_with_an_unlucky_seed(seed, chapters, work):
    """Draws of the quick sample on which asserts once stopped, or no test photo has a wrong label."""
    sources = [path for path in CHAPTERS if path.name.startswith(chapters)]
    results = anywhere.run("sample", seed, "quick", sources, work, "tiny")
    assert len(results) == len(chapters) and not any(results.values()), results


@pytest.mark.slow
def test_maps_of_two_classes_may_all_be_empty(work):
    """What speaks for the one speaks against the other, so that ResNet50's map of the second class is empty."""
    sources = [path for path in CHAPTERS if path.name.startswith("05_")]
    results = anywhere.run("pets", 0, "quick", sources, work)
    assert len(results) == 1 and not any(results.values()), results


def test_complaints_can_be_made():
    """What must not be seen is seen by the driver: an error, a warning, a NaN in a line, in a value and in a table."""
    cells = [
        "1 / 0",
        "import warnings\nwarnings.warn('old')",
        "print('nan %')",
        "glue('x', float('nan'), display=False)",
    ]
    cells += ["pd.Series([None, 1.0])", "print('well')"]
    notebook = anywhere.execute.nbformat.v4.new_notebook()
    start = "import pandas as pd\nfrom myst_nb import glue"
    notebook.cells = [anywhere.execute.nbformat.v4.new_code_cell(source) for source in [start, *cells]]
    client = anywhere.client(notebook, anywhere.ROOT)
    client.execute(env=anywhere.execute.environment())
    places = [line.split(":")[0] for line in anywhere.complaints(notebook)]
    assert places == ["cell 1", "cell 2", "cell 3", "cell 4", "cell 5"]
