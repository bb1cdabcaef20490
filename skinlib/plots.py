"""Every figure of the book, one function each, in the order of the chapters.

Each function takes tables and arrays, never a file name, and returns a :class:`matplotlib.figure.Figure` that is
closed in pyplot: a notebook cell that ends in it shows it once. :func:`book_figure` does both, and the style.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import cv2
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import PercentFormatter

from skinlib.conditions import KEYS, by_key

STYLE = Path(__file__).with_name("book.mplstyle")
"""The style sheet, for figures drawn in a notebook itself: ``plt.style.use(plots.STYLE)``."""

WIDTH = 7.2
"""Inches across a full figure."""
BLUE, ORANGE, GREY, PALE = "#0072B2", "#D55E00", "#555555", "#C9C9C9"
"""Colours for things that are no condition: the main thing, what it is compared with, text, background."""
LUMA = (0.299, 0.587, 0.114)
"""How much red, green and blue count in brightness (ITU-R BT.601, which JPEG uses)."""


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


def _titles(keys) -> list[str]:
    return [by_key(key).title for key in keys]


def _short(key: str) -> str:
    """Return a condition's title for narrow places."""
    return by_key(key).title.replace("Cutaneous larva", "Larva")


# --- chapter 1, Data exploration ------------------------------------------------------------------------------------


@book_figure
def one_of_each(photos: Mapping[str, np.ndarray]) -> Figure:
    """Show one photo, (H, W, 3) RGB uint8, of each condition, with its title in the condition's colour below.

    Introduced in chapter 1. ``photos`` maps keys to photos.
    """
    columns = min(4, len(photos))
    rows = -(-len(photos) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(WIDTH, 2.02 * rows), squeeze=False)
    for place in axes.flat:
        place.axis("off")
    for place, (key, photo) in zip(axes.flat, photos.items(), strict=False):
        condition = by_key(key)
        place.axis("on")
        show_photo(place, square(photo, 240), frame=condition.colour)
        place.set_xlabel(condition.title, fontsize=9.5)
    return figure


@book_figure
def class_counts(counts: pd.DataFrame) -> Figure:
    """Draw the photos of each condition as bars, training photos solid and test photos hatched.

    Introduced in chapter 1. ``counts`` is what ``DataSet.counts`` returns: keys as index, columns train and test.
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 3.5))
    places = np.arange(len(counts))
    colours = [by_key(key).colour for key in counts.index]
    axes.barh(places, counts.train, color=colours)
    axes.barh(places, counts.test, left=counts.train, color="white", edgecolor=colours, hatch="////", linewidth=1)
    for place, (train, test) in zip(places, counts[["train", "test"]].to_numpy(), strict=True):
        axes.text(train + test, place, f"  {train} + {test}", va="center", fontsize=9.5)
    axes.set(yticks=places, yticklabels=_titles(counts.index), xlabel="photos")
    axes.set_xlim(0, 1.18 * max(1, counts.sum(axis=1).max()))
    axes.invert_yaxis()
    axes.tick_params(left=False)
    kinds = [
        Patch(facecolor=GREY, label="training"),
        Patch(facecolor="white", edgecolor=GREY, hatch="////", label="test"),
    ]
    kinds[1].set_linewidth(1)
    figure.legend(handles=kinds, loc="outside upper right", ncols=2)
    return figure


@book_figure
def contact_sheet(rows: Mapping[str, Sequence[np.ndarray]]) -> Figure:
    """Show one row of photos, cropped to squares, for each condition.

    Introduced in chapter 1. ``rows`` maps keys to lists of photos, (H, W, 3) RGB uint8.
    """
    longest = max(len(photos) for photos in rows.values())
    figure, axes = plt.subplots(len(rows), 1, figsize=(WIDTH, 0.76 * len(rows)), squeeze=False)
    for place, (key, photos) in zip(axes.flat, rows.items(), strict=True):
        strip = np.full((96, 100 * longest - 4, 3), 255, np.uint8)
        for i, photo in enumerate(photos):
            strip[:, 100 * i : 100 * i + 96] = square(photo, 96)
        show_photo(place, strip)
        title = by_key(key).title.replace(" larva", "\nlarva")
        place.set_ylabel(title, rotation=0, ha="right", va="center", fontsize=9.5)
    return figure


@book_figure
def photo_sizes(photos: pd.DataFrame) -> Figure:
    """Plot width against height, one panel per condition, over all other photos in pale grey.

    Introduced in chapter 1. ``photos`` is a catalogue. A dot gets darker where several photos have one size.
    """
    keys = [key for key in KEYS if (photos.condition == key).any()]
    figure, axes = plt.subplots(2, 4, figsize=(WIDTH, 4.3), sharex=True, sharey=True)
    limit = 1.08 * photos[["width", "height"]].to_numpy().max()
    for place, key in zip(axes.flat, keys, strict=False):
        own = photos[photos.condition == key]
        place.plot([0, limit], [0, limit], color=PALE, linewidth=0.8)
        place.scatter(photos.width, photos.height, s=9, color=PALE, linewidths=0)
        place.scatter(own.width, own.height, s=16, color=by_key(key).colour, alpha=0.6, linewidths=0)
        n_sizes = len(own[["width", "height"]].drop_duplicates())
        place.set_title(f"{_short(key)}\n{n_sizes} size{'s' if n_sizes > 1 else ''}", fontsize=9)
        place.set(xlim=(0, limit), ylim=(0, limit), aspect="equal")
    for place in axes.flat[len(keys) :]:
        place.axis("off")
    figure.supxlabel("width, pixels", fontsize=10)
    figure.supylabel("height, pixels", fontsize=10)
    return figure


@book_figure
def recall_bars(recall: pd.Series, chance: float, chance_name: str = "chance") -> Figure:
    """Draw the recall of each condition, 0 to 1, as bars, beside a line for what ``chance`` gives.

    Introduced in chapter 1. ``recall`` has keys as index; NaN (no photo of it) stays empty.
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 3.5))
    places = np.arange(len(recall))
    axes.barh(places, recall.fillna(0), color=[by_key(key).colour for key in recall.index])
    for place, share in zip(places, recall, strict=True):
        axes.text(0 if np.isnan(share) else share, place, "  –" if np.isnan(share) else f"  {share:.0%}", va="center")
    axes.axvline(chance, color=GREY, linestyle="--", linewidth=1.2)
    axes.text(chance, -0.75, chance_name, color=GREY, fontsize=9.5, ha="center", va="bottom")
    axes.set(yticks=places, yticklabels=_titles(recall.index), xlim=(0, 1.12), xlabel="recall: share found")
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1])
    axes.xaxis.set_major_formatter(PercentFormatter(1))
    axes.set_ylim(len(recall) - 0.5, -0.7)
    axes.tick_params(left=False)
    return figure


@book_figure
def colour_stripes(colours: pd.DataFrame) -> Figure:
    """Show each photo as one stripe in its mean colour, a row per condition, from dark to bright.

    Introduced in chapter 1. ``colours`` has the columns condition (key) and red, green, blue (means, 0 to 255). The
    stripes of a condition share the row's whole width, so few photos give wide ones.
    """
    keys = [key for key in KEYS if (colours.condition == key).any()]
    figure, axes = plt.subplots(figsize=(WIDTH, 4.0))
    for row, key in enumerate(keys):
        own = colours.loc[colours.condition == key, ["red", "green", "blue"]].to_numpy() / 255
        own = own[np.argsort(own @ LUMA, kind="stable")]
        axes.imshow(own[None], extent=(0, 100, row + 0.42, row - 0.42), aspect="auto", interpolation="nearest")
    axes.set(yticks=range(len(keys)), yticklabels=_titles(keys), xlim=(0, 100), ylim=(len(keys) - 0.5, -0.5))
    axes.set_xticks([0, 50, 100], ["darkest", "median photo", "brightest"])
    axes.tick_params(left=False)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("photos of one condition, in order of brightness")
    return figure


@book_figure
def skin_tones(tones: pd.DataFrame, colours: Sequence[str]) -> Figure:
    """Draw how many photos of each condition show each recorded skin tone, as stacked bars.

    Introduced in chapter 1. ``tones`` has keys as index and tones 1 to 10 as columns, or 0 for "nobody recorded it";
    ``colours`` are the ten hex colours of the scale.
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 3.9))
    places, left = np.arange(len(tones)), np.zeros(len(tones))
    for tone in tones.columns:
        style = {"color": colours[tone - 1]} if tone else {"color": "white", "hatch": "...."}
        name = f"tone {tone}" if tone else "not recorded"
        axes.barh(places, tones[tone], left=left, label=name, edgecolor="#777777", linewidth=0.6, **style)
        left += tones[tone].to_numpy()
    axes.set(yticks=places, yticklabels=_titles(tones.index), xlabel="photos")
    axes.invert_yaxis()
    axes.tick_params(left=False)
    figure.legend(loc="outside upper center", ncols=6, handlelength=1.2, columnspacing=1.2)
    return figure


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
    figure = plt.figure(figsize=(WIDTH * across / 3, 1.42 * down), layout=None)
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
def mean_detail(details: Mapping[str, np.ndarray]) -> Figure:
    """Show where the photos of each condition have fine detail on average: bright where many have an edge or letters.

    Introduced in chapter 1. ``details`` maps keys to (n, n) arrays of detail, on one scale, which all panels share.
    """
    figure, axes = plt.subplots(2, 4, figsize=(WIDTH, 4.1))
    low, high = np.percentile(np.stack(list(details.values())), [2, 99.5])
    for place in axes.flat[len(details) :]:
        place.axis("off")
    for place, (key, detail) in zip(axes.flat, details.items(), strict=False):
        image = place.imshow(detail, cmap="gray", vmin=low, vmax=high)
        place.set(xticks=[], yticks=[])
        place.spines[:].set_visible(False)
        place.set_title(_short(key), fontsize=9.5, loc="center")
    bar = figure.colorbar(image, ax=axes, location="bottom", shrink=0.5, aspect=40, ticks=[low, high])
    bar.ax.set_xticklabels(["smooth", "much detail"])
    return figure


# --- chapter 2, Preprocessing ---------------------------------------------------------------------------------------


# --- chapter 3, Training --------------------------------------------------------------------------------------------


# --- chapter 4, Evaluation ------------------------------------------------------------------------------------------


# --- chapter 5, Error analysis --------------------------------------------------------------------------------------
