"""Figures of chapter 5, Error analysis, and of its second look at shortcuts."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import (
    PercentFormatter,
)

from skinlib.data.conditions import by_key
from skinlib.figures.shared import BLUE, GREY, ORANGE, WIDTH, book_figure, overlay, short_title, show_photo, square


@book_figure
def wrong_answer(
    photo: np.ndarray, heat: np.ndarray, probabilities: pd.Series, truth: str, mask: np.ndarray | None = None
) -> Figure:
    """Show a photo, the map of the model's answer to it, and the probabilities it gave.

    Introduced in chapter 5. ``photo`` is uint8 (H, W, 3), ``heat`` float (H, W), ``mask`` bool (H, W) or None;
    ``probabilities`` has keys as index, ``truth`` is the key of the true condition.
    """
    shape = np.clip(photo.shape[1] / photo.shape[0], 0.6, 1.3)
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(WIDTH, 2.9), width_ratios=[shape, shape, 1.1])
    answer = probabilities.idxmax()
    show_photo(left, photo, f"label: {short_title(truth)}")
    overlay(middle, photo, heat, mask)
    middle.set_title(f"answer: {short_title(answer)}", fontsize=9.5, loc="center")
    places = np.arange(len(probabilities))
    right.barh(places, probabilities, color=[by_key(key).colour for key in probabilities.index])
    for place, (key, value) in zip(places, probabilities.items(), strict=True):
        weight = "bold" if key in (answer, truth) else "normal"
        words = f" {short_title(key)}" + (" (label)" if key == truth else "")
        right.text(value, place, words, va="center", fontsize=8.5, weight=weight)
    right.set(xlim=(0, 1.9), ylim=(len(places) - 0.4, -0.6), xticks=[0, 0.5, 1], yticks=[], xlabel="probability")
    right.xaxis.set_label_coords(0.26, -0.13)
    right.spines.bottom.set_bounds(0, 1)
    return figure


@book_figure
def confidence(right: np.ndarray, wrong: np.ndarray) -> Figure:
    """Draw how sure the model was of its right answers (upwards) and of its wrong ones (downwards).

    Introduced in chapter 5. Both are float arrays of the probability given to the answer, 0 to 1.
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 3.0))
    edges = np.linspace(0, 1, 21)
    for values, sign, colour, name in ((right, 1, BLUE, "right"), (wrong, -1, ORANGE, "wrong")):
        counts, _ = np.histogram(values, edges)
        axes.bar(edges[:-1] + 0.025, sign * counts, 0.046, color=colour)
        axes.plot([], [], "s", color=colour, markersize=8, label=f"{name}: {len(values)} photos")
    most = max(1, *(np.histogram(values, edges)[0].max() for values in (right, wrong)))
    axes.set(xlabel="probability of the answer", ylabel="photos", xlim=(0, 1), ylim=(-1.12 * most, 1.12 * most))
    axes.axhline(0, color="black", linewidth=0.8)
    axes.yaxis.set_major_locator(plt.MaxNLocator(6, integer=True))
    axes.yaxis.set_major_formatter(lambda value, _: f"{abs(value):.0f}")
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    figure.legend(loc="outside upper center", ncols=2)
    return figure


@book_figure
def photo_rows(rows: Mapping[str, Sequence[np.ndarray]], frames: Sequence[str]) -> Figure:
    """Show rows of photos, each with its name above it and frames of one colour.

    Introduced in chapter 5. ``rows`` maps names to lists of photos, (H, W, 3) RGB uint8.
    """
    longest = max(5, *(len(photos) for photos in rows.values()))
    figure = plt.figure(figsize=(WIDTH, len(rows) * (WIDTH / longest + 0.26)))
    for part, (name, photos), colour in zip(
        np.atleast_1d(figure.subfigures(len(rows), 1)), rows.items(), frames, strict=True
    ):
        part.suptitle(name, x=0.005, ha="left", fontsize=10)
        for i, axes in enumerate(part.subplots(1, longest)):
            axes.axis("off")
            if i < len(photos):
                axes.axis("on")
                show_photo(axes, square(photos[i], 180), frame=colour)
    return figure


@book_figure
def heat_against_area(table: pd.DataFrame, region: str) -> Figure:
    """Draw the share of heat inside a region against the region's share of the photo; the diagonal is chance.

    Introduced in chapter 5. ``table`` has a row per photo and columns area, inside and middle (the share of a blob of
    heat that always sits in the middle of the photo), all 0 to 1, and right (bool). ``region`` says what it is.
    """
    figure, panels = plt.subplots(1, 2, figsize=(WIDTH, 3.75), sharex=True, sharey=True)
    panel_names = ("Grad-CAM", "A blob in the middle")
    for axes, column, name in zip(panels, ("inside", "middle"), panel_names, strict=True):
        axes.plot([0, 1], [0, 1], "--", color=GREY, linewidth=1.2)
        for right, colour, marker, words in ((True, BLUE, "o", "right answer"), (False, ORANGE, "D", "wrong answer")):
            rows = table[table.right == right]
            axes.plot(rows.area, rows[column], marker, color=colour, alpha=0.7, markersize=5, label=words, mew=0)
        axes.set(title=name, xlim=(0, 1), ylim=(0, 1), xlabel=f"{region}: share of the photo", aspect="equal")
        axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    panels[0].set_ylabel(f"{region}: share of the heat")
    panels[1].text(0.62, 0.55, "chance", rotation=45, rotation_mode="anchor", fontsize=9, color=GREY, va="top")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure


@book_figure
def maps_side_by_side(photo: np.ndarray, maps: Mapping[str, np.ndarray], mask: np.ndarray | None = None) -> Figure:
    """Show a photo and several heat maps of it, each with its name above.

    Introduced in chapter 5. ``maps`` maps names to float (H, W); ``mask`` is bool (H, W) or None.
    """
    shape = np.clip(photo.shape[0] / photo.shape[1], 0.6, 1.4)
    figure, panels = plt.subplots(1, len(maps) + 1, figsize=(WIDTH, 0.4 + shape * WIDTH / (len(maps) + 1)))
    show_photo(panels[0], photo, "the photo")
    for axes, (name, heat) in zip(panels[1:], maps.items(), strict=True):
        overlay(axes, photo, heat, mask)
        axes.set_title(name, fontsize=9.5, loc="center")
    return figure


@book_figure
def covering(drops: pd.DataFrame) -> Figure:
    """Draw how much an answer's probability fell when parts of a photo were covered. Dots are photos, lines means.

    Introduced in chapter 5. ``drops`` has a column for each way to choose the part, a row for each photo.
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 0.9 + 0.6 * drops.shape[1]))
    rng = np.random.default_rng(0)
    axes.axvline(0, color="black", linewidth=1)
    for place, (name, colour) in enumerate(zip(drops, (ORANGE, GREY, BLUE), strict=False)):
        spread = place + rng.uniform(-0.18, 0.18, len(drops))
        axes.plot(drops[name], spread, "o", color=colour, alpha=0.55, markersize=5, mew=0)
        mean = drops[name].mean()
        axes.plot([mean, mean], [place - 0.32, place + 0.32], color="black", linewidth=2.5)
    axes.set(yticks=range(drops.shape[1]), yticklabels=drops.columns, xlabel="fall of the answer's probability")
    axes.set_ylim(drops.shape[1] - 0.5, -0.5)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:+.2f}" if value else "0")
    axes.grid(axis="x")
    axes.tick_params(left=False)
    return figure


@book_figure
def forgetting(likeness: pd.DataFrame) -> Figure:
    """Draw how far maps still resemble the trained network's while it forgets, part by part from its output down.

    Introduced in chapter 5. ``likeness`` has a row for each way, part and photo, parts in the order of forgetting, and
    columns way ("everything above, too" or the like), part and similarity, -1 to 1. Dots are photos, lines medians.
    """
    parts = list(dict.fromkeys(likeness.part))
    ways = list(dict.fromkeys(likeness.way))
    figure, axes = plt.subplots(figsize=(WIDTH, 3.6))
    axes.axhline(0, color="black", linewidth=0.8)
    for way, colour, shift in zip(ways, (ORANGE, BLUE), (-0.12, 0.12), strict=False):
        rows = likeness[likeness.way == way]
        places = rows.part.map(parts.index)
        axes.plot(places + shift, rows.similarity, "o", color=colour, alpha=0.35, markersize=4, mew=0)
        medians = rows.groupby(places).similarity.median()
        axes.plot(medians.index + shift, medians, "-", color=colour, linewidth=2, label=way)
    axes.set(
        ylabel="rank correlation with the trained map", xlabel="forgotten, from the output down", ylim=(-1.05, 1.05)
    )
    axes.set_xticks(range(len(parts)), parts, rotation=60, ha="right", rotation_mode="anchor", fontsize=8.5)
    axes.grid(axis="y")
    figure.legend(loc="outside upper center", ncols=2)
    return figure


@book_figure
def tone_agreement(table: pd.DataFrame, measured: Mapping[str, str], colours: Sequence[str]) -> Figure:
    """Draw measured typology angles against the true angle of each tone, a panel for each way to measure.

    Introduced in chapter 5. ``table`` has a row per photo and the columns tone (Monk, 1 to 10), true_angle and those
    that ``measured`` maps to a panel's title; all angles are in degrees. ``colours`` are the ten hex colours of the
    scale. Dots are photos, dashes their medians; on the diagonal the measurement is right.
    """
    figure, panels = plt.subplots(1, len(measured), figsize=(WIDTH, 3.9), sharex=True, sharey=True, squeeze=False)
    rng = np.random.default_rng(0)
    for axes, (column, title) in zip(panels.flat, measured.items(), strict=True):
        axes.plot([-90, 90], [-90, 90], "--", color=GREY, linewidth=1.2)
        for tone, rows in table.dropna(subset=column).groupby("tone"):
            true, angles = rows.true_angle.iloc[0], rows[column]
            spread = true + rng.uniform(-3, 3, len(rows))
            axes.scatter(spread, angles, s=26, color=colours[tone - 1], edgecolors="#777777", linewidths=0.6, zorder=2)
            axes.plot([true - 6, true + 6], [angles.median()] * 2, color=ORANGE, linewidth=2.5, zorder=3)
        axes.set(title=title, xlim=(-95, 95), ylim=(-95, 95), aspect="equal")
        axes.set(xticks=range(-90, 91, 45), yticks=range(-90, 91, 45))
        axes.grid(axis="y")
    figure.supxlabel("true angle of the tone, degrees (dark to light)", fontsize=10)
    panels[0, 0].set_ylabel("measured angle, degrees")
    lines = [
        Line2D([], [], color=ORANGE, linewidth=2.5, label="median of a tone"),
        Line2D([], [], color=GREY, linewidth=1.2, linestyle="--", label="measured right"),
    ]
    figure.legend(handles=lines, loc="outside upper center", ncols=2)
    return figure
