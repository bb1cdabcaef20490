"""The figures of the chapters: each comes back drawn, closed and labelled, from tiny data, in the book's style."""

import functools
import warnings

import cv2
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.text import Text

from skinlib.data import brushes
from skinlib.data.classes import from_folders
from skinlib.data.conditions import CONDITIONS, KEYS
from skinlib.figures import (
    ch1_data,
    ch2_preprocessing,
    ch4_evaluation,
    ch5_errors,
    ch6_deployment,
    ch7_scaling,
    performance,
    shared,
)

RNG = np.random.default_rng(0)


def photo(height: int = 30, width: int = 40) -> np.ndarray:
    return RNG.integers(0, 256, (height, width, 3), dtype=np.uint8)


COLOURS = pd.DataFrame({"condition": KEYS * 2, "red": 200, "green": 150, "blue": 120})
ANGLES = pd.DataFrame({"tone": [2, 2, 2, 9, 9], "true_angle": [80.0, 80, 80, -78, -78]})
ANGLES = ANGLES.assign(angle=[70.0, 40, 60, -60, np.nan], masked=[80.0, 78, 83, -70, -90])
ROC = np.array([0, 0.2, 1]), np.array([0, 0.7, 1]), 0.75
SPOTS = RNG.uniform(0, 127, (9, 2))

RELIABILITY = pd.DataFrame(
    {"photos": 9, "correct": [2, 4, 9], "confidence": [0.3, 0.5, 0.9], "accuracy": [2 / 9, 4 / 9, 1],
     "low": [0.1, 0.2, 0.7], "high": [0.5, 0.7, 1], "calibrated_low": [0.1, 0.5, 0.7], "calibrated_high": [0.6, 0.8, 1]}
)  # fmt: skip
BIAS = pd.DataFrame({"photos": [50, 500, 5000], "mean": [0.2, 0.06, 0.02], "low": [0.1, 0.04, 0.01], "high": 0.3})
RISK = pd.DataFrame({"threshold": [0.9, 0.7, 0.4], "coverage": [0.25, 0.5, 1], "risk": [0, 0.2, 0.4]})
STRANGE = {"energy": (RNG.normal(size=40), RNG.normal(1, 1, 30)), "distance": (RNG.random(40), RNG.random(0))}
PAIRED = {
    "photos": 40, "left_out": 0, "both_right": 20, "only_a": 3, "only_b": 11, "both_wrong": 6, "p_value": 0.057,
    "difference": 0.2, "difference_interval": [0.03, 0.38],
}  # fmt: skip
RUNGS = pd.DataFrame(
    [
        (rung, weights, split, 0.4 + 0.3 * (split == "official"), 0.3, 0.8)
        for rung, weights in (("majority", "none"), ("recipe", "untrained"), ("recipe", "imagenet"))
        for split in ("official", "grouped")
    ],
    columns=["rung", "weights", "split", "accuracy", "low", "high"],
)
ANSWERED = {key: (place + 1) / 36 for place, key in enumerate(KEYS)}
DAYS = pd.DataFrame({"share": [0.5, 0.6, 0.95], "low": [0.2, 0.2, 0.3], "expected": 0.5, "high": [0.9, 0.9, 0.8]})
STAGES = pd.DataFrame(
    {"opening": [1.0, 10, 100], "features": [9.0, 30, 300], "answers": [5.0, 60, np.nan]}, index=[100, 1000, 10_000]
)
AHEAD = pd.DataFrame({stage: [700.0, 1e6] for stage in STAGES}, index=[5000, 10**9])
FASTER = pd.DataFrame({"opening": [1.0, 1.5, 2], "features": [1.0, 2, 4]}, index=[1, 2, 4])
ENGINES = pd.DataFrame(
    {"bits": [32, 32, 16], "per_second": [30.0, 42, 190], "slowest": [28.0, 40, 150], "fastest": [31.0, 43, 200]},
    index=["another", "ours", "another, 16 bits"],
)
GROWTH = pd.DataFrame(
    [("audit", 60, 1.0, 380, False), ("audit", 4000, 60.0, 390, False), ("all pairs", 4000, 6000.0, 500, True)],
    columns=["way", "files", "seconds", "megabytes", "reckoned"],
)
GAPS = pd.DataFrame({"kept": [0, 1e-5, 1e-3], "16 bits": [0.02, 0.03, 0.01]}, index=[1, 2, 3])
TOOK = pd.Series({"ordinary": 9.0, "kept": 3, "16 bits": 2})
PARTS = pd.DataFrame(
    {"reading": [2.0, 2, 1], "features": [0.0, 8, 0], "training": [98.0, 2, 1]}, index=["original", "cold", "warm"]
)


def screen(headline: str = "I don't know:") -> dict:
    words = {"headline": headline, "note": "no condition is likely enough", "colour": shared.GREY}
    return {"photo": photo(), "probabilities": ANSWERED, **words}


def evidence() -> dict:
    maps = {"Ringworm: 23 %": RNG.normal(size=(7, 7)), "Cellulitis: 22 %": RNG.normal(size=(7, 7))}
    return {"photo": photo(), "name": "its closest call", "maps": maps}


FIGURES = {
    "one_of_each": lambda: ch1_data.one_of_each({key: photo() for key in KEYS}, CONDITIONS),
    "one_of_each of one": lambda: ch1_data.one_of_each({KEYS[0]: photo()}, CONDITIONS),
    "contact_sheet": lambda: ch1_data.contact_sheet({key: [photo()] * (1 + i % 3) for i, key in enumerate(KEYS)}, CONDITIONS),  # noqa: E501
    "colour_stripes": lambda: ch1_data.colour_stripes(COLOURS, CONDITIONS),
    "photo_pairs": lambda: shared.photo_pairs([(photo(), photo())] * 4, [("test", "training")] * 4),
    "photo_pairs of one": lambda: shared.photo_pairs([(photo(), photo())], [("test", "training")]),
    "photo_pairs of none": lambda: shared.photo_pairs([], []),
    "twins": lambda: ch1_data.twins({key: [(photo(), photo(40, 30))] * (i % 5) for i, key in enumerate(KEYS)}, CONDITIONS),  # noqa: E501
    "twins of none": lambda: ch1_data.twins({}, CONDITIONS),
    "laid_on": lambda: ch1_data.laid_on(photo(), photo(50, 30), SPOTS, SPOTS[::-1], np.eye(2, 3), 128),
    "laid_on without features": lambda: ch1_data.laid_on(photo(), photo(), SPOTS[:0], SPOTS[:0], np.eye(2, 3), 128),
    "mean_detail": lambda: ch1_data.mean_detail({key: RNG.random((12, 12)) for key in KEYS}, CONDITIONS),
    "roc_curves": lambda: ch4_evaluation.roc_curves(dict.fromkeys(KEYS, ROC), CONDITIONS),
    "photo_grid": lambda: shared.photo_grid([photo(), None, photo()[..., 0]], ["a", "b", "c"], 2, ["above", "below"]),
    "pixel_patch": lambda: ch2_preprocessing.pixel_patch(photo(), 5, 5),
    "journey": lambda: ch2_preprocessing.journey({"read": [("RGB", photo())], "inside": [("red", RNG.normal(size=(9, 9)))] * 3}),  # noqa: E501
    "reliability_diagram": lambda: ch4_evaluation.reliability_diagram({"before": RELIABILITY, "after": RELIABILITY}),
    "reliability_diagram of one": lambda: ch4_evaluation.reliability_diagram({"the test photos": RELIABILITY}),
    "calibration_bias_by_size": lambda: ch4_evaluation.calibration_bias_by_size(BIAS, {"a": (80, 0.2), "b": (2000, 0.35)}),  # noqa: E501
    "calibration_bias_by_size alone": lambda: ch4_evaluation.calibration_bias_by_size(BIAS, {}),
    "risk_coverage_curves": lambda: ch4_evaluation.risk_coverage_curves({"one": RISK, "two": RISK, "three": RISK}),
    "risk_coverage_curves, chosen": lambda: ch4_evaluation.risk_coverage_curves(
        {"one": RISK, "two": RISK, "three": RISK}, {"one": 0.6, "two": np.inf}
    ),
    "score_histograms": lambda: ch4_evaluation.score_histograms(STRANGE, {"energy": 1.2}),
    "score_histograms of nothing": lambda: ch4_evaluation.score_histograms({"energy": (np.empty(0), np.empty(0))}),
    "paired_comparison": lambda: ch4_evaluation.paired_comparison(PAIRED, ("recipe", "fine-tuned")),
    "paired_comparison of equals": lambda: ch4_evaluation.paired_comparison(
        PAIRED | {"only_a": 0, "only_b": 0, "difference": 0, "difference_interval": [0, 0], "p_value": 1}, ("a", "b")
    ),
    "ladder": lambda: shared.ladder(RUNGS),
    "tone_agreement": lambda: ch5_errors.tone_agreement(ANGLES, {"angle": "no mask", "masked": "a mask"}, brushes.MONK),
    "screens": lambda: ch6_deployment.screens([screen(), screen("Ringworm")] * 3, CONDITIONS),
    "screens of one": lambda: ch6_deployment.screens([screen()], CONDITIONS, columns=3),
    "evidence_maps": lambda: ch6_deployment.evidence_maps([evidence(), evidence()]),
    "evidence_maps of one, empty": lambda: ch6_deployment.evidence_maps([evidence() | {"maps": {"nothing": np.zeros((7, 7))}}]),  # noqa: E501
    "control_charts": lambda: ch6_deployment.control_charts({(w, s): DAYS for w in ("doubt", "stranger") for s in "ab"}, 3),  # noqa: E501
    "control_charts of one": lambda: ch6_deployment.control_charts({("doubt", "another camera"): DAYS}, 2),
    "time_per_stage": lambda: ch7_scaling.time_per_stage(STAGES, AHEAD),
    "shares_of_time": lambda: ch7_scaling.shares_of_time(STAGES.fillna(600)),
    "speed_ups": lambda: ch7_scaling.speed_ups({"few photos": FASTER, "many photos": FASTER}),
    "speed_ups of one": lambda: ch7_scaling.speed_ups({"few photos": FASTER}),
    "memory_by_size": lambda: shared.memory_by_size(STAGES, pd.Series(STAGES.index * 2.0, STAGES.index), 1e5),
    "engine_speeds": lambda: performance.engine_speeds(ENGINES, {32: 45.0, 16: 300}, ["ours"]),
    "engine_speeds of one": lambda: performance.engine_speeds(ENGINES[:1], {32: 45.0}),
    "growth": lambda: performance.growth(GROWTH),
    "growth of one way": lambda: performance.growth(GROWTH[GROWTH.way == "audit"].assign(reckoned=False)),
    "same_losses": lambda: performance.same_losses(GAPS, ("nudged", 1e-3), TOOK),
    "time_by_part": lambda: performance.time_by_part(PARTS),
    "tone_agreement of one way": lambda: ch5_errors.tone_agreement(ANGLES, {"masked": "beside the mask"}, brushes.MONK),
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
    assert figure.get_figwidth() <= shared.WIDTH


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


@pytest.mark.parametrize("name", [name for name in FIGURES if not name.endswith("of none")])
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
    FIGURES["colour_stripes"]()
    assert dict(mpl.rcParams) == before


def test_a_figure_that_fails_is_closed_too():
    @shared.book_figure
    def fails():
        plt.subplots()
        raise ValueError("no data")

    before = plt.get_fignums()
    with pytest.raises(ValueError, match="no data"):
        fails()
    assert plt.get_fignums() == before


def test_each_condition_keeps_its_colour():
    frames = [to_hex(axes.spines.left.get_edgecolor()).upper() for axes in draw("one_of_each").axes]
    assert frames == [condition.colour.upper() for condition in CONDITIONS]
    lines = [to_hex(axes.lines[1].get_color()).upper() for axes in draw("roc_curves").axes]
    assert lines == [condition.colour.upper() for condition in CONDITIONS]


@pytest.mark.parametrize("n", [2, 9, pytest.param(40, marks=pytest.mark.long)])
def test_any_number_of_classes_is_drawn_and_named(n):
    classes = from_folders([f"kind {number:02d}" for number in range(n)])
    keys, one = classes.keys, photo()
    colours = pd.DataFrame({"condition": keys, "red": 200, "green": 150, "blue": 120})
    recalls = pd.DataFrame(
        {"photos": 9, "precision": 0.5, "recall": 0.5, "recall_low": 0.2, "recall_high": 0.8}, index=keys
    )
    moved = pd.DataFrame({"change": 0.1, "low": 0.0, "high": 0.2}, index=keys)
    drawn = {
        "one_of_each": ch1_data.one_of_each(dict.fromkeys(keys, one), classes),
        "contact_sheet": ch1_data.contact_sheet({key: [one] for key in keys}, classes),
        "colour_stripes": ch1_data.colour_stripes(colours, classes),
        "twins": ch1_data.twins({key: [(one, one)] for key in keys}, classes),
        "mean_detail": ch1_data.mean_detail({key: RNG.random((12, 12)) for key in keys}, classes),
        "roc_curves": ch4_evaluation.roc_curves(dict.fromkeys(keys, ROC), classes),
        "precision_and_recall": ch4_evaluation.precision_and_recall(recalls, classes),
        "changes": shared.changes(moved, "change", classes),
    }
    for name, figure in drawn.items():
        words = " ".join(texts(figure))
        assert all(one.title in words for one in classes), f"{name} leaves out a class"


def test_stripes_go_from_dark_to_bright():
    table = pd.DataFrame({"condition": KEYS[0], "red": [250, 10, 120], "green": [250, 10, 120], "blue": [250, 10, 120]})
    stripes = ch1_data.colour_stripes(table, CONDITIONS).axes[0].images[0].get_array()
    assert np.array_equal(np.argsort(stripes[0, :, 0]), [0, 1, 2])


def test_no_pair_is_said():
    assert any("no such pair" in text for text in texts(draw("photo_pairs of none")))


def test_pairs_keep_their_sides():
    left, right = np.zeros((20, 20, 3), np.uint8), np.full((20, 20, 3), 255, np.uint8)
    first, second = shared.photo_pairs([(left, right)], [("test", "training")]).axes
    assert first.images[0].get_array().max() == 0 and second.images[0].get_array().min() == 255
    assert (first.get_xlabel(), second.get_xlabel()) == ("test", "training")


def test_twins_keep_their_frames_and_their_sides():
    dark, bright = np.zeros((20, 20, 3), np.uint8), np.full((20, 20, 3), 255, np.uint8)
    strip = ch1_data.twins({KEYS[0]: [(dark, bright)]}, CONDITIONS, columns=1).axes[0].images[0].get_array()
    assert strip.shape == (96, 192, 3)
    assert to_hex(strip[0, 0] / 255).upper() == shared.ORANGE and to_hex(strip[0, -1] / 255).upper() == shared.BLUE
    assert strip[4:-4, 4:92].max() == 0 and strip[4:-4, 100:188].min() == 255
    assert any("no such pair" in text for text in texts(draw("twins of none")))


def test_a_photo_laid_on_its_own_mirror_image_is_that_image():
    """The board has squares of both, and where the map is the true one nobody can tell them apart."""
    picture = np.repeat(np.arange(128, dtype=np.uint8)[None, :, None], 128, axis=0).repeat(3, axis=2)
    mirror = np.array([[-1.0, 0, 127], [0, 1, 0]])
    board = ch1_data.laid_on(picture, picture[:, ::-1], SPOTS, SPOTS, mirror, 128).axes[2].images[0].get_array()
    large = cv2.resize(picture, (384, 384))
    np.testing.assert_allclose(board.astype(int), large[:, ::-1].astype(int), atol=1)
    wrong = ch1_data.laid_on(picture, picture[:, ::-1], SPOTS, SPOTS, np.eye(2, 3), 128).axes[2].images[0].get_array()
    np.testing.assert_allclose(wrong[:96, :96].astype(int), large[:96, :96].astype(int), atol=1)
    np.testing.assert_allclose(wrong[:96, 96:192].astype(int), large[:96, ::-1][:, 96:192].astype(int), atol=1)


def test_pixel_patch_shows_the_numbers_of_its_pixels():
    picture = photo()
    numbers = texts(ch2_preprocessing.pixel_patch(picture, top=3, left=7, side=2))
    assert "\n".join(map(str, picture[4, 8])) in numbers


@pytest.mark.parametrize("shape", [(30, 50, 3), (50, 30, 3), (30, 30, 3), (300, 500, 3), (30, 50)])
def test_square_cuts_the_middle(shape):
    picture = np.zeros(shape, np.uint8)
    side = min(shape[:2])
    top, left = (shape[0] - side) // 2, (shape[1] - side) // 2
    picture[top : top + side, left : left + side] = 200
    cut = shared.square(picture, 24)
    assert cut.shape == (24, 24, *shape[2:])
    assert (cut == 200).all(), "something from outside the middle square is in it"


def test_bins_outside_perfect_calibration_are_told_apart():
    axes = draw("reliability_diagram of one").axes[0]
    inside, outside = ([*line.get_xdata()] for line in axes.lines if line.get_marker() in "oD")
    assert (inside, outside) == ([0.3, 0.9], [0.5])


def test_chosen_thresholds_are_marked_on_their_curves():
    figure = draw("risk_coverage_curves, chosen")
    dots = [line.get_xydata().tolist() for line in figure.axes[0].lines if line.get_marker() == "o"]
    assert dots == [[[0.5, 0.2]], [], []]
    words = texts(figure)
    assert "one, from 60% sure" in words and "two, never sure enough" in words and "three" in words


def test_paired_comparison_writes_its_four_counts_and_its_p_value():
    words = texts(draw("paired_comparison"))
    assert {"20", "3", "11", "6", "40 photos", "p = 0.057", "recipe\nis better", "fine-tuned\nis better"} <= set(words)


def test_score_histograms_keep_their_sides():
    for axes, (known, others) in zip(draw("score_histograms").axes, STRANGE.values(), strict=True):
        heights = np.array([bar.get_height() for bar in axes.patches])
        assert heights[heights > 0].sum() == pytest.approx(1 if len(known) else 0)
        assert -heights[heights < 0].sum() == pytest.approx(1 if len(others) else 0)


def test_ladder_puts_each_split_beside_the_other():
    axes = draw("ladder").axes[0]
    dots = {line.get_marker(): [] for line in axes.lines}
    for line in axes.lines:
        dots[line.get_marker()].append((line.get_xdata()[0], to_hex(line.get_color()).upper()))
    assert dots["D"] == [(pytest.approx(0.7), shared.ORANGE)] * 3
    assert dots["o"] == [(pytest.approx(0.4), shared.BLUE)] * 3
    assert [label.get_text() for label in axes.get_yticklabels()] == ["majority", "recipe", "recipe"]
    assert {"untrained\nweights", "imagenet\nweights"} <= set(texts(draw("ladder")))


def test_tone_agreement_has_a_dot_for_each_measured_photo_and_the_median_of_each_tone():
    left, right = draw("tone_agreement").axes
    assert [sum(len(dots.get_offsets()) for dots in axes.collections) for axes in (left, right)] == [4, 5]
    assert [to_hex(dots.get_facecolors()[0]) for dots in left.collections] == [brushes.MONK[1], brushes.MONK[8]]
    medians = [line.get_ydata()[0] for line in left.lines if line.get_color() == shared.ORANGE]
    assert medians == [60, -60]
    assert [axes.get_title(loc="left") for axes in (left, right)] == ["no mask", "a mask"]


def test_screens_show_the_three_likeliest_conditions_in_whole_percent():
    figure = draw("screens of one")
    assert {"I don't know:", "no condition is likely enough"} <= set(texts(figure))
    bars = figure.axes[1]
    likeliest = sorted(ANSWERED, key=ANSWERED.get)[:-4:-1]
    assert [round(bar.get_width(), 6) for bar in bars.containers[1]] == [round(ANSWERED[key], 6) for key in likeliest]
    assert [text.get_text() for text in bars.texts if "%" in text.get_text()] == ["22 %", "19 %", "17 %"]


def test_evidence_against_a_condition_is_blue_and_for_it_orange():
    values = np.zeros((7, 7))
    values[0, 0], values[6, 6] = -2, 2
    case = {"photo": photo(), "name": "a photo", "maps": {"a": values, "b": values / 2}}
    first, second = (axes.images[0] for axes in ch6_deployment.evidence_maps([case]).axes[1:3])
    assert [to_hex(first.to_rgba(value)).upper() for value in (-2, 2)] == [shared.BLUE, shared.ORANGE]
    assert to_hex(first.to_rgba(0)) == "#ffffff" and first.get_clim() == second.get_clim()


def test_only_days_outside_their_own_limits_are_marked():
    axes = draw("control_charts of one").axes[0]
    inside, outside = ([*line.get_xdata()] for line in axes.lines if line.get_marker() in "oD")
    assert (inside, outside) == ([1, 2], [3])


@pytest.mark.parametrize(
    "seconds, words",
    [(0.4, "0 seconds"), (119, "119 seconds"), (120, "2 minutes"), (7200, "2 hours"), (3e5, "3 days"),
     (5e10, "1,585 years")],
)  # fmt: skip
def test_span_takes_the_largest_unit_of_which_there_are_two(seconds, words):
    assert ch7_scaling.span(seconds) == words


def test_time_per_stage_is_solid_where_measured_and_dashed_beyond():
    axes = draw("time_per_stage").axes[0]
    solid = [list(line.get_xdata()) for line in axes.lines if line.get_marker() != "None"]
    dashed = [list(line.get_xdata()) for line in axes.lines if line.get_marker() == "None"][len(ch7_scaling.SPANS) :]
    assert solid == [[100, 1000, 10_000]] * 2 + [[100, 1000]]
    assert dashed == [[10_000, 10**9]] * 2 + [[1000, 5000, 10**9]], "each begins at the last measured size"
    assert {"an hour", "a year", "projected"} <= set(texts(draw("time_per_stage")))


def test_shares_of_time_fill_each_bar():
    axes = draw("shares_of_time").axes[0]
    ends = [bar.get_x() + bar.get_width() for bar in axes.containers[-1]]
    assert ends == [pytest.approx(1)] * 3
    assert {"15 seconds", "100 seconds", "17 minutes", "100 photos", "60%"} <= set(texts(draw("shares_of_time")))


def test_engines_that_are_ours_are_blue_and_each_limit_is_a_line():
    all_axes = draw("engine_speeds").axes
    blue = [[to_hex(bar.get_facecolor()).upper() == shared.BLUE for bar in axes.patches] for axes in all_axes]
    assert blue == [[False, True], [False]]
    limits = [[line.get_xdata()[0] for line in axes.lines] for axes in all_axes]
    assert limits == [[45], [45, 300]], "16 bits may go beyond the limit of 32"
    assert [text.get_text() for text in all_axes[0].texts][:2] == ["30", "42"]


def test_growth_marks_what_was_reckoned():
    time, memory = draw("growth").axes
    hollow = [line.get_ydata().tolist() for line in time.lines if line.get_markerfacecolor() == "white"]
    assert [points for points in hollow if points] == [[6000]]
    assert not [line for line in memory.lines if line.get_markerfacecolor() == "white" and len(line.get_ydata())]
    assert "reckoned from a part" in texts(draw("growth"))
    assert "reckoned from a part" not in texts(draw("growth of one way"))


def test_losses_that_are_the_same_still_have_a_place():
    left, right = draw("same_losses").axes
    drawn = {line.get_label(): line.get_ydata() for line in left.lines}
    assert min(drawn["kept"]) > 0 and drawn["nudged"][0] == 1e-3
    assert [text.get_text().strip() for text in right.texts] == ["9 s", "3 s", "2 s"]


def test_time_by_part_adds_up_and_is_compared_with_the_first():
    axes = draw("time_by_part").axes[0]
    assert [text.get_text().strip() for text in axes.texts] == [
        "100 s", "12 s, 8.33 times as fast", "2 s, 50 times as fast"
    ]  # fmt: skip
    ends = [bar.get_x() + bar.get_width() for bar in axes.containers[-1]]
    assert ends == [100, 12, 2]
