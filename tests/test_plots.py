"""The figures of chapters 1 and 2: each comes back drawn, closed and labelled, from tiny data, in the book's style."""

import functools
import warnings

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.text import Text

from skinlib import plots, simulate
from skinlib.conditions import CONDITIONS, KEYS

RNG = np.random.default_rng(0)


def photo(height: int = 30, width: int = 40) -> np.ndarray:
    return RNG.integers(0, 256, (height, width, 3), dtype=np.uint8)


def catalogue(keys=KEYS) -> pd.DataFrame:
    """Return two photos of each condition: of two sizes, but for the last condition, which has one."""
    rows = [(key, 40 + 10 * n * (key != keys[-1]), 30) for key in keys for n in range(2)]
    return pd.DataFrame(rows, columns=["condition", "width", "height"])


COUNTS = pd.DataFrame({"train": range(8), "test": [3] * 8}, index=list(KEYS))
RECALL = pd.Series([0.0, 0.5, 1.0, np.nan, 0.25, 0.75, 0.1, 0.9], index=list(KEYS))
COLOURS = catalogue()[["condition"]].assign(red=200, green=150, blue=120)
TONES = pd.DataFrame(3, index=list(KEYS), columns=[2, 4, 9])
CRISP = catalogue()[["condition"]].assign(crispness=np.linspace(1, 30, 16))

FIGURES = {
    "one_of_each": lambda: plots.one_of_each({key: photo() for key in KEYS}),
    "one_of_each of one": lambda: plots.one_of_each({KEYS[0]: photo()}),
    "class_counts": lambda: plots.class_counts(COUNTS),
    "class_counts of nothing": lambda: plots.class_counts(COUNTS * 0),
    "contact_sheet": lambda: plots.contact_sheet({key: [photo()] * (1 + i % 3) for i, key in enumerate(KEYS)}),
    "photo_sizes": lambda: plots.photo_sizes(catalogue()),
    "photo_sizes of two": lambda: plots.photo_sizes(catalogue(KEYS[:2])),
    "recall_bars": lambda: plots.recall_bars(RECALL, 0.125, "one in eight"),
    "colour_stripes": lambda: plots.colour_stripes(COLOURS),
    "skin_tones": lambda: plots.skin_tones(TONES, simulate.MONK),
    "skin_tones, not recorded": lambda: plots.skin_tones(TONES[[2]].set_axis([0], axis=1), simulate.MONK),
    "photo_pairs": lambda: plots.photo_pairs([(photo(), photo())] * 4, [("test", "training")] * 4),
    "photo_pairs of one": lambda: plots.photo_pairs([(photo(), photo())], [("test", "training")]),
    "photo_pairs of none": lambda: plots.photo_pairs([], []),
    "mean_detail": lambda: plots.mean_detail({key: RNG.random((12, 12)) for key in KEYS}),
    "photo_grid": lambda: plots.photo_grid([photo(), None, photo()[..., 0]], ["a", "b", "c"], 2, ["above", "below"]),
    "pixel_patch": lambda: plots.pixel_patch(photo(), 5, 5),
    "values_by_condition": lambda: plots.values_by_condition(CRISP, "crispness", "crispness"),
    "values_by_condition, log": lambda: plots.values_by_condition(CRISP, "crispness", "crispness", log=True),
    "channel_values": lambda: plots.channel_values(photo(), photo().astype(np.float32) - 110),
    "journey": lambda: plots.journey({"read": [("RGB", photo())], "inside": [("red", RNG.normal(size=(9, 9)))] * 3}),
}  # fmt: skip


@functools.cache
def draw(name: str) -> Figure:
    """Draw a figure and render it; any warning, of a layout that doesn't fit say, is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return rendered(FIGURES[name]())


def rendered(figure: Figure) -> Figure:
    """Lay out and draw a figure, as saving it does: a closed one has no canvas that could."""
    FigureCanvasAgg(figure).draw()
    return figure


def texts(figure: Figure) -> list[str]:
    """Return every text in a figure that a reader can see."""
    rendered(figure)
    found = [text for text in figure.findobj(Text) if text.get_visible()]
    return [text.get_text() for text in found if text.get_text().strip()]


@pytest.mark.parametrize("name", FIGURES)
def test_figure_is_drawn_and_closed(name):
    before = plt.get_fignums()
    figure = FIGURES[name]()
    assert isinstance(figure, Figure)
    assert plt.get_fignums() == before, "an open figure would be shown twice"
    assert figure.get_figwidth() <= plots.WIDTH


@pytest.mark.parametrize("name", FIGURES)
def test_axes_with_ticks_are_labelled(name):
    figure = draw(name)
    for axes in figure.axes:
        if not axes.axison or axes.get_label() == "<colorbar>":
            continue
        for axis, of_all in ((axes.xaxis, figure.get_supxlabel()), (axes.yaxis, figure.get_supylabel())):
            ticks = [text.get_text() for text in axis.get_ticklabels() if text.get_visible() and text.get_text()]
            numbers = [tick for tick in ticks if tick.replace("−", "").replace(".", "").replace("%", "").isdigit()]
            assert not numbers or axis.get_label_text() or of_all, f"{name}: numbers without a label"


@pytest.mark.parametrize("name", [name for name in FIGURES if name != "photo_pairs of none"])
def test_text_stays_inside_and_apart(name):
    """No text of one axes runs over the figure's edge; titles of neighbours don't touch."""
    figure = draw(name)
    boxes = []
    for axes in (axes for axes in figure.axes if axes.axison):
        words = {axes.get_title(loc=where) for where in ("left", "center")} - {""}
        titles = [text for text in axes.get_children() if isinstance(text, Text) and text.get_text() in words]
        boxes += [title.get_window_extent() for title in titles]
    for i, box in enumerate(boxes):
        assert box.x0 >= -2 and box.x1 <= figure.bbox.x1 + 2
        assert not any(box.overlaps(other) for other in boxes[i + 1 :]), f"{name}: titles overlap"


def test_drawing_leaves_the_readers_style_alone():
    before = dict(mpl.rcParams)
    FIGURES["class_counts"]()
    assert dict(mpl.rcParams) == before


def test_a_figure_that_fails_is_closed_too():
    @plots.book_figure
    def fails():
        plt.subplots()
        raise ValueError("no data")

    before = plt.get_fignums()
    with pytest.raises(ValueError, match="no data"):
        fails()
    assert plt.get_fignums() == before


def test_each_condition_keeps_its_colour():
    bars = [to_hex(bar.get_facecolor()).upper() for bar in draw("class_counts").axes[0].containers[0]]
    assert bars == [condition.colour.upper() for condition in CONDITIONS]
    dots = [to_hex(dots.get_facecolors()[0]).upper() for dots in draw("values_by_condition").axes[0].collections]
    assert dots == [condition.colour.upper() for condition in CONDITIONS]


def test_class_counts_writes_the_numbers():
    assert "7 + 3" in [text.strip() for text in texts(draw("class_counts"))]


def test_photo_sizes_tells_one_size_from_several():
    titles = [axes.get_title(loc="left") or axes.get_title() for axes in draw("photo_sizes").axes]
    assert [title.splitlines()[-1] for title in titles] == ["2 sizes"] * 7 + ["1 size"]


def test_recall_bars_tells_zero_from_unknown():
    words = [text.strip() for text in texts(draw("recall_bars"))]
    assert "0%" in words and "–" in words and "100%" in words


def test_stripes_go_from_dark_to_bright():
    table = pd.DataFrame({"condition": KEYS[0], "red": [250, 10, 120], "green": [250, 10, 120], "blue": [250, 10, 120]})
    stripes = plots.colour_stripes(table).axes[0].images[0].get_array()
    assert np.array_equal(np.argsort(stripes[0, :, 0]), [0, 1, 2])


def test_missing_skin_tones_are_said_to_be_missing():
    assert "not recorded" in texts(draw("skin_tones, not recorded"))
    assert "tone 9" in texts(draw("skin_tones"))


def test_no_pair_is_said():
    assert any("no such pair" in text for text in texts(draw("photo_pairs of none")))


def test_pairs_keep_their_sides():
    left, right = np.zeros((20, 20, 3), np.uint8), np.full((20, 20, 3), 255, np.uint8)
    first, second = plots.photo_pairs([(left, right)], [("test", "training")]).axes
    assert first.images[0].get_array().max() == 0 and second.images[0].get_array().min() == 255
    assert (first.get_xlabel(), second.get_xlabel()) == ("test", "training")


def test_pixel_patch_shows_the_numbers_of_its_pixels():
    picture = photo()
    numbers = texts(plots.pixel_patch(picture, top=3, left=7, side=2))
    assert "\n".join(map(str, picture[4, 8])) in numbers


@pytest.mark.parametrize("shape", [(30, 50, 3), (50, 30, 3), (30, 30, 3), (300, 500, 3), (30, 50)])
def test_square_cuts_the_middle(shape):
    picture = np.zeros(shape, np.uint8)
    side = min(shape[:2])
    top, left = (shape[0] - side) // 2, (shape[1] - side) // 2
    picture[top : top + side, left : left + side] = 200
    cut = plots.square(picture, 24)
    assert cut.shape == (24, 24, *shape[2:])
    assert (cut == 200).all(), "something from outside the middle square is in it"
