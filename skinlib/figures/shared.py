"""What the figures of several chapters share: the book's style, photos in a grid, intervals, the ladder.

Every figure function takes tables and arrays, never a file name, and returns a :class:`matplotlib.figure.Figure` that
is closed in pyplot: a notebook cell that ends in it shows it once. :func:`book_figure` does both, and the style.
"""

import functools
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import cv2
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import (
    LogLocator,
    NullLocator,
    PercentFormatter,
)

from skinlib.data.classes import Classes

STYLE = Path(__file__).with_name("book.mplstyle")
"""The style sheet, for figures drawn in a notebook itself: ``plt.style.use(shared.STYLE)``."""

WIDTH = 7.2
"""Inches across a full figure."""
BLUE, ORANGE, GREY, PALE = "#0072B2", "#D55E00", "#555555", "#C9C9C9"
"""Colours for things that are no condition: the main thing, what it is compared with, text, background."""
LUMA = (0.299, 0.587, 0.114)
"""How much red, green and blue count in brightness (ITU-R BT.601, which JPEG uses)."""
STAGE_COLOURS = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"
STAGE_MARKS = "osD^vP"
"""A colour and a mark for each stage."""


def book_figure(draw: Callable[..., Figure]) -> Callable[..., Figure]:
    """Decorate a function that draws a figure: draw it in the book's style, and close it in pyplot."""

    @functools.wraps(draw)
    def drawn(*args, **kwargs) -> Figure:
        before = set(plt.get_fignums())
        with plt.style.context(STYLE):
            try:
                figure = draw(*args, **kwargs)
            finally:
                for number in set(plt.get_fignums()) - before:
                    plt.close(number)
        return figure

    return drawn


def show_photo(axes: Axes, photo: np.ndarray, title: str = "", frame: str | None = None) -> None:
    """Show a photo, (H, W, 3) RGB, uint8 or float 0..1, without ticks; ``frame`` is the colour of a line around it."""
    axes.imshow(photo)
    axes.set(xticks=[], yticks=[])
    axes.set_title(title, fontsize=9.5, loc="center")
    for spine in axes.spines.values():
        spine.set(visible=frame is not None, color=frame, linewidth=2.5)


def square(photo: np.ndarray, side: int) -> np.ndarray:
    """Cut the middle square out of a photo, (H, W, 3) or (H, W), and resize it to ``side`` pixels."""
    height, width = photo.shape[:2]
    cut = min(height, width)
    top, left = (height - cut) // 2, (width - cut) // 2
    method = cv2.INTER_AREA if cut > side else cv2.INTER_CUBIC
    return cv2.resize(photo[top : top + cut, left : left + cut], (side, side), interpolation=method)


def titles(keys: Iterable[str], classes: Classes) -> list[str]:
    """Return the titles of classes."""
    return [classes[key].title for key in keys]


def short_title(key: str, classes: Classes) -> str:
    """Return a class's title for narrow places: in lines of about twelve letters."""
    return "\n".join(textwrap.wrap(classes[key].title, 14, break_long_words=False))


@book_figure
def photo_pairs(pairs: Sequence[tuple[np.ndarray, np.ndarray]], names: Sequence[tuple[str, str]]) -> Figure:
    """Show pairs of photos side by side, three pairs a row, each photo with its name (two words or so) below.

    Introduced in chapter 1. Without any pair the figure says so.
    """
    if not pairs:
        figure, axes = plt.subplots(figsize=(WIDTH, 1))
        axes.axis("off")
        axes.text(0.5, 0.5, "There is no such pair in this data.", ha="center", va="center")
        return figure
    across = min(3, len(pairs))
    down = -(-len(pairs) // across)
    figure = plt.figure(figsize=(WIDTH * across / 3, 1.42 * down), layout="none")
    width = 1 / across
    for i, (pair, words) in enumerate(zip(pairs, names, strict=True)):
        row, column = divmod(i, across)
        for side in (0, 1):
            left = width * (column + 0.03 + 0.475 * side)
            axes = figure.add_axes((left, 1 - (row + 0.82) / down, 0.465 * width, 0.82 / down))
            show_photo(axes, square(pair[side], 200))
            axes.set_xlabel(words[side], fontsize=8.5, labelpad=2)
    return figure


@book_figure
def photo_grid(
    photos: Sequence[np.ndarray | None],
    titles: Sequence[str] = (),
    columns: int = 4,
    rows: Sequence[str] = (),
    inch: float = 0,
) -> Figure:
    """Show photos, (H, W, 3) RGB or (H, W), uint8 or float 0..1, in a grid, each with its own proportions.

    Introduced in chapter 2. ``titles`` stand above the photos, ``rows`` name the rows on the left; None in ``photos``
    leaves a place empty. ``inch`` is the height of a row. Pixels of small pictures stay sharp squares.
    """
    down = -(-len(photos) // columns)
    inch = inch or WIDTH / columns + 0.25 * bool(titles)
    figure, axes = plt.subplots(down, columns, figsize=(WIDTH, inch * down), squeeze=False)
    for place in axes.flat[len(photos) :]:
        place.axis("off")
    for i, (place, photo) in enumerate(zip(axes.flat[: len(photos)], photos, strict=True)):
        if photo is None:
            place.axis("off")
            continue
        show_photo(place, photo, titles[i] if titles else "")
        place.spines[:].set(visible=True, color=PALE, linewidth=0.6)  # white photos need an edge
        if photo.ndim == 2:
            place.images[0].set(cmap="gray", clim=(0, 255))
        if max(photo.shape[:2]) <= 64:
            place.images[0].set_interpolation("nearest")
    for place, name in zip(axes[: len(rows), 0], rows, strict=True):
        place.set_ylabel(name, fontsize=9.5)
    return figure


@book_figure
def intervals(
    table: pd.DataFrame, colours: Sequence[str] | None = None, chance: float | None = None, xlabel: str = "accuracy"
) -> Figure:
    """Draw accuracies as dots with their intervals, one row each, with the counts written on the right.

    Introduced in chapter 4. ``table`` is what ``evaluate.accuracy_table`` returns; ``chance`` becomes a dashed line.
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 0.9 + 0.42 * len(table)))
    places = np.arange(len(table))
    for place, colour, row in zip(places, colours or [BLUE] * len(table), table.itertuples(), strict=True):
        axes.plot([row.low, row.high], [place, place], color=colour, linewidth=4, alpha=0.45, solid_capstyle="butt")
        axes.plot(row.accuracy, place, "o", color=colour, markersize=8)
        words = f"{row.correct} of {row.photos}"
        axes.text(1.02, place, words, va="center", transform=axes.get_yaxis_transform())
    if chance is not None:
        axes.axvline(chance, color=GREY, linestyle=(0, (4, 3)), linewidth=1.2)
        axes.text(chance, -0.55, " chance", va="bottom", color=GREY, fontsize=9)
    axes.set(yticks=places, yticklabels=table.index, xlim=(-0.01, 1.01), ylim=(len(table) - 0.5, -0.6), xlabel=xlabel)
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.grid(axis="x")
    axes.tick_params(left=False)
    return figure


@book_figure
def ladder(table: pd.DataFrame) -> Figure:
    """Draw the accuracy of each rung with its interval, official split beside clean split.

    Introduced in chapter 4. ``table`` has columns rung, weights ("none" where a rung has no network), split ("official"
    or "grouped"), accuracy, low and high; rungs stand in the order of their first rows.
    """
    steps = list(dict.fromkeys(zip(table.weights, table.rung, strict=True)))
    figure, axes = plt.subplots(figsize=(WIDTH, 0.95 + 0.4 * len(steps)))
    looks = {"official": (ORANGE, "D", -0.16), "grouped": (BLUE, "o", 0.16)}
    for row in table.itertuples():
        colour, marker, shift = looks[row.split]
        place = steps.index((row.weights, row.rung)) + shift
        axes.plot([row.low, row.high], [place, place], color=colour, linewidth=4, alpha=0.45, solid_capstyle="butt")
        axes.plot(row.accuracy, place, marker, color=colour, markersize=7)
    axes.set(yticks=range(len(steps)), yticklabels=[rung for _, rung in steps])
    axes.set(xlim=(0, 1), ylim=(len(steps) - 0.45, -0.55), xlabel="accuracy, counted in photos")
    for place, (weights, _) in enumerate(steps):
        if not place or weights != steps[place - 1][0]:
            axes.axhline(place - 0.5, color=GREY, linewidth=0.8)
            words = textwrap.fill(f"{weights} weights", 12)
            axes.text(1.01, place - 0.42, words, va="top", fontsize=9, transform=axes.get_yaxis_transform())
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.grid(axis="x")
    axes.tick_params(left=False)
    kinds = {"official split": looks["official"][:2], "clean split": looks["grouped"][:2]}
    figure.legend(handles=dot_legend(kinds), loc="outside upper center", ncols=2)
    return figure


def overlay(axes: Axes, photo: np.ndarray, heat: np.ndarray, mask: np.ndarray | None = None) -> None:
    """Lay a heat map, float (H, W) 0 to 1, over the grey photo, and draw the outline of the mask, bool (H, W)."""
    axes.imshow(photo @ np.array(LUMA), cmap="gray", vmin=0, vmax=255)
    axes.imshow(heat, cmap="viridis", vmin=0, vmax=1, alpha=0.2 + 0.45 * heat)
    if mask is not None and mask.any():
        axes.contour(mask, [0.5], colors=["black"], linewidths=2.6)
        axes.contour(mask, [0.5], colors=["white"], linewidths=1.3)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


@book_figure
def photo_sheet(photos: Sequence[np.ndarray], words: Sequence[str], colours: Sequence[str], columns: int = 5) -> Figure:
    """Show photos in rows, each with two or three short lines of words below and a frame of a colour.

    Introduced in chapter 5. ``photos`` are (H, W, 3) RGB uint8. Without photos the figure says so.
    """
    if not photos:
        figure, axes = plt.subplots(figsize=(WIDTH, 0.8))
        axes.axis("off")
        axes.text(0.5, 0.5, "There is nothing to show here.", ha="center", va="center")
        return figure
    rows = -(-len(photos) // columns)
    lines = max(text.count("\n") for text in words) + 1
    size = WIDTH / columns
    figure, panels = plt.subplots(rows, columns, figsize=(WIDTH, rows * (0.93 * size + 0.155 * lines)), squeeze=False)
    for axes in panels.flat:
        axes.axis("off")
    for axes, photo, text, colour in zip(panels.flat[: len(photos)], photos, words, colours, strict=True):
        axes.axis("on")
        show_photo(axes, square(photo, 160), frame=colour)
        axes.set_xlabel(text, fontsize=8.5, labelpad=3)
    return figure


@book_figure
def changes(table: pd.DataFrame, xlabel: str, classes: Classes) -> Figure:
    """Draw changes with their intervals, one row per condition, beside a line at no change.

    Introduced in chapter 5. ``table`` has keys as index and columns change, low and high.
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 3.5))
    axes.axvline(0, color="black", linewidth=1)
    for place, row in enumerate(table.itertuples()):
        colour = classes[row.Index].colour
        axes.plot([row.low, row.high], [place, place], color=colour, linewidth=4, alpha=0.45, solid_capstyle="butt")
        axes.plot(row.change, place, "o", color=colour, markersize=8)
    axes.set(yticks=range(len(table)), yticklabels=titles(table.index, classes), xlabel=xlabel)
    axes.set_ylim(len(table) - 0.5, -0.5)
    widest = 1.15 * max(table[["low", "high"]].abs().to_numpy().max(), 0.01)
    axes.set_xlim(-widest, widest)
    axes.xaxis.set_major_locator(plt.MaxNLocator(6, symmetric=True))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:+.3g}" if value else "0")
    axes.grid(axis="x")
    axes.tick_params(left=False)
    return figure


@book_figure
def heat_maps(cases: Sequence[dict], columns: int = 3) -> Figure:
    """Show photos, each beside its heat map; the outline is the true lesion, where it is known.

    Introduced in chapter 5. Each case has photo, uint8 (H, W, 3); heat, float (H, W); mask, bool (H, W) or None; words;
    and colour, that of the frame.
    """
    rows = -(-len(cases) // columns)
    width = WIDTH / columns
    figure = plt.figure(figsize=(WIDTH, rows * (width / 2 + 0.3)), layout="none")
    height = 1 / rows
    for i, case in enumerate(cases):
        row, column = divmod(i, columns)
        for side in (0, 1):
            left = (column + 0.02 + 0.485 * side) / columns
            place = (left, 1 - (row + 0.83) * height, 0.47 / columns, 0.82 * height)
            axes = figure.add_axes(place)
            if side == 0:
                show_photo(axes, case["photo"], frame=case["colour"])  # whole: heat may lie at the very edge
            else:
                overlay(axes, case["photo"], case["heat"], case["mask"])
        figure.text((column + 0.02) / columns, 1 - (row + 0.95) * height, case["words"], fontsize=9, va="bottom")
    return figure


def powers_of_ten(*axes) -> None:
    """Mark the powers of ten on logarithmic axes, and nothing between them."""
    for axis in axes:
        axis.set_major_locator(LogLocator(10, numticks=20))
        axis.set_minor_locator(NullLocator())


@book_figure
def memory_by_size(stages: pd.DataFrame, at_once: pd.Series, has: float) -> Figure:
    """Draw the memory of each stage against the photos, beside what all features at once would need.

    Introduced in chapter 7. ``stages`` has numbers of photos as index and a column of megabytes for each stage, NaN
    where it was not measured; ``at_once`` has the same index; ``has`` is the machine's memory in megabytes.
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 4.1))
    for place, stage in enumerate(stages):
        points, mark = stages[stage].dropna(), STAGE_MARKS[place]
        axes.plot(points.index, points, marker=mark, color=STAGE_COLOURS[place], markersize=6, label=stage)
    dashed = {"color": GREY, "linestyle": (0, (4, 2.5)), "linewidth": 1.5}
    axes.plot(at_once.index, at_once, **dashed, label="all features at once")
    axes.axhline(has, color="black", linewidth=1.2, linestyle=":", label="what the machine has")
    axes.set(xscale="log", yscale="log", xlabel="photos", ylabel="megabytes")
    powers_of_ten(axes.xaxis, axes.yaxis)
    axes.grid(axis="y")
    figure.legend(loc="outside upper center", ncols=4)
    return figure


def dot_legend(names: Mapping[str, tuple[str, str]]) -> list[Line2D]:
    """Return handles for a legend: a dot of a colour and shape for each name, on the line of its interval."""
    return [
        Line2D([], [], color=colour, marker=marker, markersize=6, linewidth=1.4, label=name)
        for name, (colour, marker) in names.items()
    ]
