"""Figures of chapter 2, Preprocessing."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import (
    LogLocator,
    NullLocator,
)

from skinlib.data.conditions import KEYS, by_key
from skinlib.figures.shared import GREY, LUMA, PALE, WIDTH, book_figure, show_photo, titles


@book_figure
def pixel_patch(photo: np.ndarray, top: int, left: int, side: int = 6) -> Figure:
    """Show a photo, (H, W, 3) RGB uint8, and a patch of ``side`` × ``side`` of its pixels with their three numbers.

    Introduced in chapter 2.
    """
    figure, (whole, patch) = plt.subplots(1, 2, figsize=(WIDTH, 3.5), width_ratios=(1, 1))
    show_photo(whole, photo, "the photo")
    whole.add_patch(Rectangle((left, top), side, side, fill=False, edgecolor="white", linewidth=2.5))
    whole.add_patch(Rectangle((left, top), side, side, fill=False, edgecolor="black", linewidth=1))
    pixels = photo[top : top + side, left : left + side]
    show_photo(patch, pixels, f"{side} × {side} of its pixels: red, green, blue")
    patch.images[0].set_interpolation("nearest")
    for (row, column), bright in np.ndenumerate(pixels @ LUMA > 110):
        numbers = "\n".join(str(number) for number in pixels[row, column])
        patch.text(column, row, numbers, ha="center", va="center", fontsize=8, color="black" if bright else "white")
    whole.annotate(
        "", xy=(0, 0.5), xycoords=patch.transAxes, xytext=(left + side, top + side / 2), textcoords="data",
        arrowprops={"arrowstyle": "->", "color": GREY, "linewidth": 1.2},
    )  # fmt: skip
    return figure


@book_figure
def values_by_condition(table: pd.DataFrame, column: str, label: str, log: bool = False) -> Figure:
    """Draw one number of each photo as a dot, a row for each condition, with a line at the median.

    Introduced in chapter 2. ``table`` has the column condition (key) and ``column``; ``label`` names its axis.
    """
    keys = [key for key in KEYS if (table.condition == key).any()]
    figure, axes = plt.subplots(figsize=(WIDTH, 3.7))
    rng = np.random.default_rng(0)  # dots are moved up and down at random so that they don't cover each other
    for row, key in enumerate(keys):
        values = table.loc[table.condition == key, column].to_numpy()
        axes.scatter(values, row + rng.uniform(-0.26, 0.26, len(values)), s=11, alpha=0.65, color=by_key(key).colour)
        axes.plot([np.median(values)] * 2, [row - 0.36, row + 0.36], color="black", linewidth=2)
    axes.set(yticks=range(len(keys)), yticklabels=titles(keys), ylim=(len(keys) - 0.5, -0.5), xlabel=label)
    if log:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_locator(NullLocator())
    axes.tick_params(axis="y", left=False)
    axes.grid(axis="x")
    return figure


@book_figure
def channel_values(before: np.ndarray, after: np.ndarray) -> Figure:
    """Draw how often each value occurs in the three channels, before and after ImageNet preprocessing.

    Introduced in chapter 2. ``before`` is (…, 3) RGB, 0 to 255; ``after`` is (…, 3) BGR, mean-subtracted.
    """
    figure, axes = plt.subplots(1, 2, figsize=(WIDTH, 3.0), sharey=True)
    by_name = {"red": ("#D55E00", "-"), "green": ("#009E73", "--"), "blue": ("#0072B2", ":")}
    orders = (list(by_name), list(by_name)[::-1])
    names = ("as read: red, green, blue", "as the network gets it: blue, green, red")
    for place, values, order, title in zip(axes, (before, after), orders, names, strict=True):
        bins = np.linspace(-130, 256, 65)
        for channel, name in enumerate(order):
            shares, edges = np.histogram(values[..., channel], bins)
            colour, line = by_name[name]
            middle = (edges[1:] + edges[:-1]) / 2
            place.plot(middle, shares / shares.sum(), color=colour, linestyle=line, label=name)
        place.axvline(0, color=PALE, linewidth=1)
        place.set_title(title)
        place.set_xlabel("value of a pixel in one channel")
        place.legend()
    axes[0].set_ylabel("share of pixels")
    return figure


@book_figure
def journey(rows: Mapping[str, Sequence[tuple[str, np.ndarray]]]) -> Figure:
    """Show one photo on its way into the network: a row for each step, each with up to four titled pictures.

    Introduced in chapter 2. ``rows`` maps a step's name to (title, picture) pairs; pictures are (H, W, 3) RGB, uint8 or
    float 0..1, or signed floats (H, W), which are drawn from blue (negative) over white (0) to red.
    """
    columns = max(len(pictures) for pictures in rows.values())
    figure, axes = plt.subplots(len(rows), columns, figsize=(WIDTH, 2.08 * len(rows)), squeeze=False)
    for place in axes.flat:
        place.axis("off")
    for line, (step, pictures) in zip(axes, rows.items(), strict=True):
        for place, (title, picture) in zip(line, pictures, strict=False):
            place.axis("on")
            show_photo(place, picture, title)
            if picture.ndim == 2:
                place.images[0].set(cmap="RdBu_r", clim=(-152, 152))
        line[0].set_ylabel(step, fontsize=10)
    return figure
