"""Figures of chapter 4, Evaluation, and of its second look at confidence."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import (
    NullFormatter,
    PercentFormatter,
)

from skinlib.data.classes import Classes
from skinlib.figures.shared import BLUE, GREY, ORANGE, PALE, WIDTH, book_figure, dot_legend, short_title, titles


@book_figure
def precision_and_recall(table: pd.DataFrame, classes: Classes) -> Figure:
    """Draw each condition's recall with its interval as a dot, and its precision as a hollow diamond.

    Introduced in chapter 4. ``table`` is what ``evaluate.per_class`` returns.
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 3.9))
    for place, row in enumerate(table.itertuples()):
        colour = classes[row.Index].colour
        low, high = row.recall_low, row.recall_high
        axes.plot([low, high], [place, place], color=colour, linewidth=4, alpha=0.45, solid_capstyle="butt")
        axes.plot(row.recall, place, "o", color=colour, markersize=8)
        axes.plot(row.precision, place - 0.28, "D", color="white", markeredgecolor=colour, markersize=6, mew=1.5)
        words = f"{row.photos} photos" + ("; never answered" if np.isnan(row.precision) else "")
        axes.text(1.02, place, words, va="center", transform=axes.get_yaxis_transform(), fontsize=9)
    axes.set(yticks=range(len(table)), yticklabels=titles(table.index, classes), xlim=(-0.02, 1.02))
    axes.set_ylim(len(table) - 0.5, -0.6)
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.grid(axis="x")
    axes.tick_params(left=False)
    axes.plot([], [], "o", color=GREY, markersize=8, label="recall, with its 95 % interval")
    axes.plot([], [], "D", color="white", markeredgecolor=GREY, mew=1.5, label="precision")
    figure.legend(loc="outside upper center", ncols=2)
    return figure


@book_figure
def smallest_difference(sizes: np.ndarray, differences: np.ndarray, marked: Mapping[str, int], wanted: float) -> Figure:
    """Draw the smallest difference that one can expect to see against the number of test photos.

    Introduced in chapter 4. ``marked`` maps words to numbers of photos to point out; ``wanted`` is a difference to
    compare with, drawn as a dashed line.
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 3.3))
    axes.plot(sizes, differences, color=BLUE)
    axes.axhline(wanted, color=ORANGE, linewidth=1.4, linestyle=(0, (4, 3)))
    axes.text(sizes[0], wanted * 1.07, f"a difference of {wanted:.0%}", color=ORANGE, va="bottom")
    for words, size in marked.items():
        height = np.interp(np.log(size), np.log(sizes), differences)
        axes.plot(size, height, "o", color=BLUE, markersize=8)
        axes.annotate(f"{words}: {height:.0%}", (size, height), (8, 6), textcoords="offset points", va="bottom")
    axes.set(xscale="log", yscale="log", xlabel="test photos", ylabel="smallest visible difference")
    ticks = [0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4]
    axes.set_yticks(ticks, [f"{tick * 100:g} %" for tick in ticks])
    axes.set_xticks([100, 1000, 10_000, 100_000], ["100", "1,000", "10,000", "100,000"])
    axes.minorticks_off()
    axes.grid()
    return figure


def _curve_panels(xlabel: str, ylabel: str, classes: Classes):
    """Return a figure of square panels, one for each condition, with their titles and shared labels."""
    rows = -(-len(classes.keys) // 4)
    figure, panels = plt.subplots(rows, 4, figsize=(WIDTH, 0.5 + 2 * rows), sharex=True, sharey=True)
    for axes in panels.flat[len(classes.keys) :]:
        axes.axis("off")
    of_class = dict(zip(classes.keys, panels.flat[: len(classes.keys)], strict=True))
    for key, axes in of_class.items():
        axes.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), aspect="equal", xticks=[0, 0.5, 1], yticks=[0, 0.5, 1])
        axes.set_xticklabels(["0", "½", "1"])
        axes.set_yticklabels(["0", "½", "1"])
        axes.set_title(short_title(key, classes), loc="center", fontsize=9.5)
    figure.supxlabel(xlabel, fontsize=10)
    figure.supylabel(ylabel, fontsize=10)
    return figure, of_class


@book_figure
def roc_curves(curves: Mapping[str, tuple[np.ndarray, np.ndarray, float]], classes: Classes) -> Figure:
    """Draw the ROC curve of each condition against the rest, with its area; the dashed diagonal is chance.

    Introduced in chapter 4. ``curves`` maps keys to false-positive rates, true-positive rates and the area.
    """
    figure, panels = _curve_panels("false alarms: share of the other photos", "found: share of its photos", classes)
    for key, (false_rate, true_rate, area) in curves.items():
        panels[key].plot([0, 1], [0, 1], "--", color=GREY, linewidth=1)
        panels[key].plot(false_rate, true_rate, color=classes[key].colour)
        panels[key].text(0.97, 0.04, f"area {area:.2f}", ha="right", fontsize=9)
    return figure


@book_figure
def precision_recall_curves(
    curves: Mapping[str, tuple[np.ndarray, np.ndarray, float, float]], classes: Classes
) -> Figure:
    """Draw the precision–recall curve of each condition against the rest, with its area; the dashed line is chance.

    Introduced in chapter 4. ``curves`` maps keys to precisions, recalls, the area and the share of the condition.
    """
    figure, panels = _curve_panels(
        "recall: share of its photos found", "precision: share of alarms that are true", classes
    )
    for key, (precision, recall, area, share) in curves.items():
        panels[key].axhline(share, linestyle="--", color=GREY, linewidth=1)
        panels[key].step(recall, precision, where="pre", color=classes[key].colour)
        panels[key].text(0.97, 0.9, f"area {area:.2f}", ha="right", fontsize=9)
    return figure


@book_figure
def reliability_diagram(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Draw accuracy against confidence, a panel for each name: dots are bins, with intervals; the diagonal is perfect.

    Introduced in chapter 4. ``tables`` holds what ``calibration.reliability_table`` returns. The pale bars are where
    the bins of a perfectly calibrated model lie in 95 of 100 cases; bins outside them are orange.
    """
    count = len(tables)
    height = 0.9 + min(3.2, (WIDTH - 0.8) / count)
    figure, panels = plt.subplots(1, count, figsize=(WIDTH, height), sharey=True, squeeze=False)
    figure.get_layout_engine().set(wspace=0.06)
    for axes, (name, table) in zip(panels.flat, tables.items(), strict=True):
        axes.plot([0, 1], [0, 1], color=GREY, linewidth=1)
        axes.vlines(table.confidence, table.calibrated_low, table.calibrated_high, color=PALE, linewidth=6, zorder=0)
        outside = (table.accuracy < table.calibrated_low) | (table.accuracy > table.calibrated_high)
        for rows, colour, marker in ((table[~outside], BLUE, "o"), (table[outside], ORANGE, "D")):
            axes.vlines(rows.confidence, rows.low, rows.high, color=colour, linewidth=1.4)
            axes.plot(rows.confidence, rows.accuracy, marker, color=colour, markersize=6)
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
        axes.set_title(name, loc="center")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(plt.MultipleLocator(0.25))
            axis.set_major_formatter(PercentFormatter(1, decimals=0))
    panels[0, 0].set_ylabel("right: share of the bin's photos")
    figure.supxlabel("confidence: mean probability of the bin's answers", fontsize=10)
    band = Patch(color=PALE, label="perfect calibration, 95 %")
    dots = dot_legend({"a bin, 95 %": (BLUE, "o"), "a bin outside": (ORANGE, "D")})
    figure.legend(handles=[band, *dots], loc="outside upper center", ncols=3)
    return figure


@book_figure
def calibration_bias_by_size(table: pd.DataFrame, measured: Mapping[str, tuple[int, float]]) -> Figure:
    """Draw the calibration error that a perfectly calibrated model shows by chance, against the number of photos.

    Introduced in chapter 4. ``table`` is what ``calibration.bias_by_size`` returns, sizes rising; ``measured`` maps
    words to photos and error of what was measured, drawn as diamonds.
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 3.4))
    axes.fill_between(table.photos, table.low, table.high, color=BLUE, alpha=0.25, linewidth=0)
    axes.plot(table.photos, table["mean"], color=BLUE)
    axes.set(xscale="log", xlabel="photos", ylabel="expected calibration error")
    highest = max([table.high.max(), *(error for _, error in measured.values())])
    axes.set(ylim=(0, 1.12 * highest), xlim=(table.photos.min(), table.photos.max()))
    middle = np.sqrt(table.photos.min() * table.photos.max())  # halfway on a logarithmic axis
    for (words, (photos, error)), below in zip(measured.items(), np.resize([False, True], len(measured)), strict=True):
        right = photos > middle
        axes.plot(photos, error, "D", color=ORANGE, markersize=7, clip_on=False)
        axes.annotate(
            words, (photos, error), (-9 if right else 9, -4 if below else 4), textcoords="offset points",
            ha="right" if right else "left", va="top" if below else "bottom", color=ORANGE,
        )  # fmt: skip
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.grid(axis="y")
    handles = [
        Patch(color=BLUE, alpha=0.25, label="perfect calibration, 95 %"),
        Line2D([], [], color=BLUE, label="its mean"),
        Line2D([], [], color=ORANGE, marker="D", linestyle="", markersize=7, label="measured"),
    ]
    figure.legend(handles=handles[: 2 + bool(measured)], loc="outside upper center", ncols=3)
    return figure


@book_figure
def risk_coverage_curves(curves: Mapping[str, pd.DataFrame], thresholds: Mapping[str, float] | None = None) -> Figure:
    """Draw the share of wrong answers against the share of photos answered; dots are the chosen thresholds.

    Introduced in chapter 4. ``curves`` holds what ``abstention.risk_coverage`` returns, up to seven of them;
    ``thresholds`` maps some of their names to a threshold. One that answers none of these photos has no dot.
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 3.5))
    for name, curve in curves.items():
        threshold = (thresholds or {}).get(name)
        words = "" if threshold is None else ", never sure enough" if threshold > 1 else f", from {threshold:.0%} sure"
        # Between two thresholds nothing changes: a step, that starts where the first photo is answered.
        (line,) = axes.plot(curve.coverage, curve.risk, drawstyle="steps-pre", linewidth=1.8, label=name + words)
        chosen = curve[curve.threshold >= (np.inf if threshold is None else threshold)].tail(1)
        dot = {"color": line.get_color(), "markersize": 9, "mec": "white", "clip_on": False, "zorder": 4}
        axes.plot(chosen.coverage, chosen.risk, "o", **dot)
    highest = max(curve.risk.max() for curve in curves.values())
    axes.set(xlabel="coverage: share of the photos answered", ylabel="risk: wrong among the answered")
    axes.set(xlim=(0, 1.005), ylim=(0, max(0.05, min(1.02, 1.15 * highest))))
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.grid()
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=2 if thresholds else 3)
    return figure


@book_figure
def score_histograms(
    scores: Mapping[str, tuple[np.ndarray, np.ndarray]], limits: Mapping[str, float] | None = None
) -> Figure:
    """Draw how strange known photos (upwards) and other photos (downwards) are, a panel for each score.

    Introduced in chapter 4. ``scores`` maps a score's name to float arrays (n,) of known and (m,) of other photos;
    ``limits`` maps some of the names to the strangeness from which on photos are refused, a dashed line.
    """
    count = len(scores)
    figure, panels = plt.subplots(1, count, figsize=(WIDTH, 3.1), sharey=True, squeeze=False)
    for axes, (name, sides) in zip(panels.flat, scores.items(), strict=True):
        edges = np.histogram_bin_edges(np.r_[sides], 18) if len(np.r_[sides]) else np.linspace(0, 1, 19)
        for values, sign, colour in zip(sides, (1, -1), (BLUE, ORANGE), strict=True):
            shares = np.histogram(values, edges)[0] / max(len(values), 1)
            axes.bar(edges[:-1], sign * shares, 0.92 * np.diff(edges), align="edge", color=colour)
        axes.axhline(0, color="black", linewidth=0.8)
        if limits and name in limits:
            axes.axvline(limits[name], color="black", linewidth=1.2, linestyle=(0, (4, 3)))
        axes.set_title(name, loc="center", fontsize=9.5)
        axes.xaxis.set_major_locator(plt.MaxNLocator(4))
    most = max(abs(bar.get_height()) for axes in panels.flat for bar in axes.patches) or 1
    panels[0, 0].set(ylim=(-1.1 * most, 1.1 * most), ylabel="share of the photos")
    panels[0, 0].yaxis.set_major_formatter(lambda value, _: f"{abs(value):.0%}")
    figure.supxlabel("strangeness", fontsize=10)
    handles = [Patch(color=BLUE, label="known conditions"), Patch(color=ORANGE, label="other photos")]
    handles += [Line2D([], [], color="black", linewidth=1.2, linestyle=(0, (4, 3)), label="limit")] * bool(limits)
    figure.legend(handles=handles, loc="outside upper center", ncols=3)
    return figure


@book_figure
def paired_comparison(comparison: Mapping, names: tuple[str, str]) -> Figure:
    """Draw how many photos two models got right or wrong together, and the difference of their accuracies.

    Introduced in chapter 4. ``comparison`` is what ``evaluate.compare_runs`` returns, ``names`` those of its two runs.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH, 2.9), width_ratios=[1, 1.5])
    counts = np.array(
        [[comparison["both_right"], comparison["only_a"]], [comparison["only_b"], comparison["both_wrong"]]]
    )
    colours = np.array([[PALE, BLUE], [ORANGE, PALE]])
    left.imshow(np.array([[to_rgb(colour) for colour in row] for row in colours]))
    for (row, column), number in np.ndenumerate(counts):
        words = "white" if row != column else "#222222"
        left.text(column, row, f"{number}", ha="center", va="center", fontsize=13, color=words)
    left.set(xticks=[0, 1], xticklabels=["right", "wrong"], yticks=[0, 1], yticklabels=["right", "wrong"])
    left.set(xlabel=names[1], ylabel=names[0])
    left.set_title(f"{comparison['photos']} photos", loc="center")
    left.tick_params(length=0)
    left.spines[:].set_visible(False)
    low, high = comparison["difference_interval"]
    right.axvline(0, color="black", linewidth=1)
    right.plot([low, high], [0, 0], color=GREY, linewidth=5, alpha=0.5, solid_capstyle="butt")
    right.plot(comparison["difference"], 0, "o", color=GREY, markersize=9)
    widest = 1.25 * max(abs(low), abs(high), 0.02)
    right.set(xlim=(-widest, widest), ylim=(-1, 1), yticks=[])
    right.set_xlabel("accuracy gained, percentage points, 95 % interval")
    right.spines.left.set_visible(False)
    right.xaxis.set_major_locator(plt.MaxNLocator(7, symmetric=True))
    right.xaxis.set_major_formatter(lambda value, _: f"{100 * value:+.3g}" if value else "0")
    for name, side, colour in zip(names, (-1, 1), (BLUE, ORANGE), strict=True):
        right.text(side * 0.97 * widest, 0.92, f"{name}\nis better", ha="left" if side < 0 else "right", va="top",
                   color=colour)  # fmt: skip
    p_value = comparison["p_value"]
    right.set_title("p < 0.001" if p_value < 0.001 else f"p = {p_value:.3f}", loc="center")
    return figure
