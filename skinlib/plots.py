"""Every figure of the book, one function each, in the order of the chapters.

Each function takes tables and arrays, never a file name, and returns a :class:`matplotlib.figure.Figure` that is
closed in pyplot: a notebook cell that ends in it shows it once. :func:`book_figure` does both, and the style.
"""

import functools
import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import cv2
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import ConnectionPatch, Patch, Rectangle
from matplotlib.ticker import (
    FixedLocator,
    LogLocator,
    MaxNLocator,
    NullFormatter,
    NullLocator,
    PercentFormatter,
    ScalarFormatter,
)

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
def twins(rows: Mapping[str, Sequence[tuple[np.ndarray, np.ndarray]]], columns: int = 4) -> Figure:
    """Show test photos beside training photos that show the same, a row of pairs for each condition.

    Introduced in chapter 1. ``rows`` maps keys to at most ``columns`` pairs (test, training), each (H, W, 3) RGB uint8.
    Test photos have an orange frame, training photos a blue one. Without any pair the figure says so.
    """
    if not any(rows.values()):
        return photo_pairs([], [])
    side, line, gap = 96, 4, 16
    step = 2 * side + gap
    figure, axes = plt.subplots(len(rows), 1, figsize=(WIDTH, 0.3 + 0.75 * len(rows)), squeeze=False)
    for place, (key, pairs) in zip(axes.flat, rows.items(), strict=True):
        strip = np.full((side, columns * step - gap, 3), 255, np.uint8)
        for i, pair in enumerate(pairs[:columns]):
            for left, photo, colour in zip((i * step, i * step + side), pair, (ORANGE, BLUE), strict=True):
                strip[:, left : left + side] = np.round(255 * np.array(to_rgb(colour)))
                strip[line:-line, left + line : left + side - line] = square(photo, side - 2 * line)
        show_photo(place, strip)
        place.set_ylabel(
            by_key(key).title.replace(" larva", "\nlarva"), rotation=0, ha="right", va="center", fontsize=9.5
        )
    frames = [
        Patch(facecolor="white", edgecolor=colour, linewidth=2.5, label=words)
        for colour, words in ((ORANGE, "test photo"), (BLUE, "training photo"))
    ]
    figure.legend(handles=frames, loc="outside upper center", ncols=2)
    return figure


@book_figure
def distances(kinds: Mapping[str, np.ndarray], limit: float, xlabel: str) -> Figure:
    """Draw how far apart the photos of pairs are, each kind of pair as the share of its pairs, and a limit as a line.

    Introduced in the second look at chapter 1. ``kinds`` maps at most three names to whole numbers, int (n,).
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 2.9))
    edges = np.arange(max((values.max(initial=0) for values in kinds.values()), default=0) + 2) - 0.5
    for (name, values), colour in zip(kinds.items(), (PALE, ORANGE, BLUE), strict=False):
        shares = np.histogram(values, edges)[0] / max(len(values), 1)
        axes.bar(edges[:-1] + 0.5, shares, 0.94, color=colour, alpha=0.8, label=f"{name}: {len(values):,} pairs")
    axes.axvline(limit + 0.5, color="black", linewidth=1.2, linestyle=(0, (4, 3)), label=f"limit: {limit:g}")
    axes.set(xlabel=xlabel, ylabel="share of the pairs", xlim=(-0.8, edges[-1] + 0.3))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    figure.legend(loc="outside upper center", ncols=3)
    return figure


@book_figure
def laid_on(
    photo: np.ndarray, other: np.ndarray, places: np.ndarray, other_places: np.ndarray, matrix: np.ndarray, side: int
) -> Figure:
    """Show features that two photos share, and one photo laid on the other: a chequerboard of squares from both.

    Introduced in chapter 1. The photos are uint8 (H, W, 3). ``places`` and ``other_places`` are (k, 2), x and y, and
    ``matrix`` is the affine map, (2, 3), from the first to the second: all on photos squeezed to ``side`` × ``side``.
    """
    figure, panels = plt.subplots(1, 3, figsize=(WIDTH, 2.75))
    times = max(384 // side, 1)  # drawn larger than they were compared, so that there is something to see
    places, other_places = ((np.asarray(each) + 0.5) * times - 0.5 for each in (places, other_places))
    turn, shift = matrix[:, :2], (matrix[:, 2] + 0.5) * times - 0.5
    matrix = np.column_stack([turn, shift - turn @ np.full(2, (times - 1) / 2)])
    side *= times
    squares = [cv2.resize(each, (side, side), interpolation=cv2.INTER_AREA) for each in (photo, other)]
    colours = plt.get_cmap("viridis")(np.linspace(0, 1, max(len(places), 2)))[: len(places)]
    for axes, picture, points, title in zip(
        panels, squares, (places, other_places), ("a photo", "another file"), strict=False
    ):
        show_photo(axes, picture, title)
        axes.scatter(*points.T, s=16, c=colours, edgecolors="white", linewidths=0.6)
        axes.set(xlim=(-0.5, side - 0.5), ylim=(side - 0.5, -0.5))
    for start, end, colour in zip(places, other_places, colours, strict=True):
        line = ConnectionPatch(
            start, end, "data", "data", axesA=panels[0], axesB=panels[1], color=colour, linewidth=0.6
        )
        figure.add_artist(line)
    laid = cv2.warpAffine(squares[0], matrix, (side, side), borderValue=(255, 255, 255))
    rows, columns = np.indices((side, side)) * 4 // side
    from_first = (rows + columns) % 2 == 0
    show_photo(panels[2], np.where(from_first[..., None], laid, squares[1]), "squares from both in turn")
    return figure


@book_figure
def mean_detail(details: Mapping[str, np.ndarray]) -> Figure:
    """Show where the photos of each condition have fine detail on average: bright where many have an edge or letters.

    Introduced in chapter 1. ``details`` maps keys to (n, n) arrays of detail; each map fills the scale by itself.
    """
    figure, axes = plt.subplots(2, 4, figsize=(WIDTH, 4.1))
    for place in axes.flat[len(details) :]:
        place.axis("off")
    for place, (key, detail) in zip(axes.flat, details.items(), strict=False):
        low, high = np.percentile(detail, [1, 99.5])
        image = place.imshow(detail, cmap="gray", vmin=low, vmax=high)
        place.set(xticks=[], yticks=[])
        place.spines[:].set_visible(False)
        place.set_title(_short(key), fontsize=9.5, loc="center")
    bar = figure.colorbar(image, ax=axes, location="bottom", shrink=0.5, aspect=40, ticks=[low, high])
    bar.ax.set_xticklabels(["smooth", "much detail"])
    return figure


# --- chapter 2, Preprocessing ---------------------------------------------------------------------------------------


@book_figure
def photo_grid(
    photos: Sequence[np.ndarray],
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
    for i, (place, photo) in enumerate(zip(axes.flat, photos, strict=False)):
        if photo is None:
            place.axis("off")
            continue
        show_photo(place, photo, titles[i] if titles else "")
        place.spines[:].set(visible=True, color=PALE, linewidth=0.6)  # white photos need an edge
        if photo.ndim == 2:
            place.images[0].set(cmap="gray", clim=(0, 255))
        if max(photo.shape[:2]) <= 64:
            place.images[0].set_interpolation("nearest")
    for place, name in zip(axes[:, 0], rows, strict=False):
        place.set_ylabel(name, fontsize=9.5)
    return figure


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
    axes.set(yticks=range(len(keys)), yticklabels=_titles(keys), ylim=(len(keys) - 0.5, -0.5), xlabel=label)
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


# --- chapter 3, Training --------------------------------------------------------------------------------------------


TOWER = (
    ("photo", "224×224×3", 1.00), ("stage 1", "56×56×64", 0.86), ("stage 2", "56×56×256", 0.78),
    ("stage 3", "28×28×512", 0.66), ("stage 4", "14×14×1024", 0.54), ("stage 5", "7×7×2048", 0.42),
    ("pool", "2048", 0.26), ("hidden", "512", 0.20), ("answer", "8", 0.14),
)  # fmt: skip
"""ResNet50 with the recipe's head: name of each step, shape of what leaves it, and how tall to draw it."""


def _draw_tower(axes: Axes, parameters: Mapping[str, int], thawed: Sequence[str]) -> None:
    """Draw the network as a row of shrinking boxes; those in ``thawed`` learn, the others are frozen."""
    for place, (name, shape, height) in enumerate(TOWER):
        colour = ORANGE if name in thawed else PALE if name in ("photo", "pool") else BLUE
        axes.add_patch(Rectangle((place + 0.14, 0.5 - height / 2), 0.72, height, color=colour))
        axes.text(place + 0.5, 1.06, name, ha="center", fontsize=9.5)
        axes.text(place + 0.5, -0.14, shape.replace("×", "×\n", 1), ha="center", va="center", fontsize=8.5, color=GREY)
        if name in parameters:
            millions = f"{parameters[name] / 1e6:.1f}M" if parameters[name] > 5e4 else f"{parameters[name] / 1e3:.0f}k"
            axes.text(place + 0.5, 0.5, millions, ha="center", va="center", color="white", fontsize=8.5)
        if place:
            arrow = {"arrowstyle": "-|>", "color": GREY, "linewidth": 0.9}
            axes.annotate("", (place + 0.14, 0.5), (place - 0.14, 0.5), arrowprops=arrow)
    kinds = [Patch(color=BLUE, label="frozen"), Patch(color=ORANGE, label="learns")]
    axes.legend(handles=kinds, loc="lower center", ncols=2, bbox_to_anchor=(0.5, -0.45))
    axes.set(xlim=(0, len(TOWER)), ylim=(-0.3, 1.15))
    axes.axis("off")


@book_figure
def tower(parameters: Mapping[str, int], thawed: Sequence[str] = ("hidden", "answer")) -> Figure:
    """Draw the network from photo to answer: shapes below, numbers of weights inside, what learns in orange.

    Introduced in chapter 3. ``parameters`` counts the weights of the steps named as in ``TOWER``.
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 2.5))
    _draw_tower(axes, parameters, thawed)
    return figure


@book_figure
def tower_and_ladder(parameters: Mapping[str, int], table: pd.DataFrame) -> Figure:
    """Draw the tower and, beneath it, the accuracies of ``table`` from the lowest rung to the highest.

    Introduced in chapter 3. ``table`` is what ``evaluate.accuracy_table`` returns; its last row is the network's.
    """
    height = 0.42 * len(table)
    figure, (top, bottom) = plt.subplots(
        2, 1, figsize=(WIDTH, 3.6 + height), gridspec_kw={"height_ratios": [2.3, 0.6 + height]}
    )
    _draw_tower(top, parameters, ("hidden", "answer"))
    places = np.arange(len(table))
    colours = [BLUE] * (len(table) - 1) + [ORANGE]
    bottom.barh(places, table.accuracy, 0.66, color=colours)
    bottom.hlines(places, table.low, table.high, color="black", linewidth=1.3)
    for place, row in zip(places, table.itertuples(), strict=True):
        bottom.text(row.high + 0.015, place, f"{row.accuracy:.0%}", va="center")
    bottom.set(yticks=places, yticklabels=table.index, xlim=(0, 1), xlabel="accuracy, with its 95 % interval")
    bottom.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    bottom.tick_params(left=False)
    return figure


@book_figure
def feature_map(places: np.ndarray, conditions: Sequence[str]) -> Figure:
    """Draw each photo as a dot where two numbers put it, in its condition's colour, with the condition's centre named.

    Introduced in chapter 3. ``places`` is float (n, 2), ``conditions`` n keys.
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 4.4))
    conditions = np.asarray(conditions)
    for key in KEYS:
        dots = places[conditions == key]
        if len(dots):
            axes.scatter(*dots.T, s=16, color=by_key(key).colour, alpha=0.75, linewidths=0, label=by_key(key).title)
    axes.set(xlabel="first principal component", ylabel="second principal component", xticks=[], yticks=[])
    figure.legend(loc="outside right center", handletextpad=0.2)
    return figure


@book_figure
def learning_curves(history: pd.DataFrame, mark_best: bool = False) -> Figure:
    """Draw loss and accuracy by epoch, on the photos that were learned from and on those that were held out.

    Introduced in chapter 3. ``history`` is a run's. ``mark_best`` draws a line at the lowest validation loss.
    """
    figure, panels = plt.subplots(1, 2, figsize=(WIDTH, 2.9))
    epochs = np.arange(1, len(history) + 1)
    marker = "o" if len(history) <= 20 else None
    for axes, measure in zip(panels, ("loss", "accuracy"), strict=True):
        axes.plot(epochs, history[measure], color=BLUE, marker=marker, label="training")
        axes.plot(epochs, history[f"val_{measure}"], color=ORANGE, marker=marker, label="validation")
        axes.set(xlabel="epoch", title=measure)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(axis="y")
        if mark_best:
            axes.axvline(epochs[history.val_loss.argmin()], color=GREY, linestyle=(0, (4, 3)), linewidth=1.2)
    panels[0].set_ylim(bottom=0)
    panels[1].set_ylim(0, 1.02)
    panels[1].yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    panels[0].legend(loc="upper right")
    return figure


@book_figure
def head_starts(histories: Mapping[str, pd.DataFrame]) -> Figure:
    """Draw the validation loss of several trainings by epoch, one line each.

    Introduced in chapter 3. ``histories`` holds a history for each name.
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 3.0))
    for name, history in histories.items():
        axes.plot(np.arange(1, len(history) + 1), history.val_loss, label=name)
    axes.set(xlabel="epoch", ylabel="validation loss, logarithmic", yscale="log")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.yaxis.set_major_formatter(ScalarFormatter())
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.grid(axis="y")
    axes.legend(loc="upper right", ncols=2)
    return figure


# --- chapter 4, Evaluation ------------------------------------------------------------------------------------------


@book_figure
def repeated_test_sets(accuracies: np.ndarray, observed: float) -> Figure:
    """Draw how often each accuracy came out of many test sets, and the one that was seen.

    Introduced in chapter 4. ``accuracies`` is float (n,), 0 to 1, one per simulated test set.
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 2.9))
    values, counts = np.unique(accuracies, return_counts=True)
    step = np.diff(values).min() if len(values) > 1 else 0.01
    low, high = np.quantile(accuracies, [0.025, 0.975])
    inside = (values >= low) & (values <= high)
    axes.bar(values, counts / len(accuracies), 0.8 * step, color=np.where(inside, BLUE, PALE))
    axes.axvline(observed, color="black", linewidth=1.2)
    axes.annotate(
        "the test set we have", (observed, 1), (6, -4), xycoords=("data", "axes fraction"),
        textcoords="offset points", va="top",
    )  # fmt: skip
    axes.set(xlabel="accuracy", ylabel="share of test sets")
    axes.set_ylim(0, 1.25 * counts.max() / len(accuracies))
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    kinds = [Patch(color=BLUE, label="the middle 95 %"), Patch(color=PALE, label="the rest")]
    axes.legend(handles=kinds, loc="upper left")
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
def score_bars(table: pd.DataFrame, colours: Sequence[str]) -> Figure:
    """Draw accuracies as bars from 0, with their intervals as lines, and write accuracy and counts beside them.

    Introduced in chapter 4. ``table`` is what ``evaluate.accuracy_table`` returns.
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 0.9 + 0.62 * len(table)))
    for place, colour, row in zip(range(len(table)), colours, table.itertuples(), strict=True):
        axes.barh(place, row.accuracy, 0.62, color=colour)
        axes.plot([row.low, row.high], [place, place], color="black", linewidth=1.6)
        axes.plot([row.low, row.high], [place, place], "|", color="black", markersize=9, mew=1.6)
        share = "no photos" if np.isnan(row.accuracy) else f"{row.accuracy:.0%}, {row.correct} of {row.photos}"
        axes.text(row.high + 0.015, place, share, va="center")
    axes.set(yticks=range(len(table)), yticklabels=table.index, xlabel="accuracy", ylim=(len(table) - 0.5, -0.5))
    axes.set_xlim(0, max(1, 1.28 * table.high.max()))
    axes.set_xticks(np.linspace(0, 1, 6))
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.spines.bottom.set_bounds(0, 1)
    axes.tick_params(left=False)
    return figure


@book_figure
def confusion(counts: pd.DataFrame) -> Figure:
    """Draw a confusion matrix twice: as counts, and as shares of each row. The diagonal is framed.

    Introduced in chapter 4. ``counts`` is what ``evaluate.confusion_matrix`` returns.
    """
    names = [_short(key) for key in counts.index]
    figure, panels = plt.subplots(1, 2, figsize=(WIDTH, 4.6), sharey=True)
    rates = counts.div(counts.sum(axis=1).clip(lower=1), axis=0)
    for axes, values, title in zip(panels, (counts, rates * 100), ("photos", "per cent of each row"), strict=True):
        values = values.to_numpy()
        axes.imshow(values, cmap="Blues", vmin=0, vmax=max(values.max(), 1))
        for (row, column), value in np.ndenumerate(values):
            if value >= 0.5:
                colour = "white" if value > 0.55 * values.max() else "#222222"
                axes.text(column, row, f"{value:.0f}", ha="center", va="center", fontsize=9, color=colour)
            if row == column:
                frame = plt.Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, edgecolor="black", linewidth=1)
                axes.add_patch(frame)
        axes.set(xticks=range(len(names)), yticks=range(len(names)), title=title, xlabel="the model's answer")
        axes.set_xticklabels(names, rotation=55, ha="right", rotation_mode="anchor")
        axes.set_yticklabels(names)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
    panels[0].set_ylabel("the truth")
    return figure


@book_figure
def precision_and_recall(table: pd.DataFrame) -> Figure:
    """Draw each condition's recall with its interval as a dot, and its precision as a hollow diamond.

    Introduced in chapter 4. ``table`` is what ``evaluate.per_class`` returns.
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 3.9))
    for place, row in enumerate(table.itertuples()):
        colour = by_key(row.Index).colour
        low, high = row.recall_low, row.recall_high
        axes.plot([low, high], [place, place], color=colour, linewidth=4, alpha=0.45, solid_capstyle="butt")
        axes.plot(row.recall, place, "o", color=colour, markersize=8)
        axes.plot(row.precision, place - 0.28, "D", color="white", markeredgecolor=colour, markersize=6, mew=1.5)
        words = f"{row.photos} photos" + ("; never answered" if np.isnan(row.precision) else "")
        axes.text(1.02, place, words, va="center", transform=axes.get_yaxis_transform(), fontsize=9)
    axes.set(yticks=range(len(table)), yticklabels=_titles(table.index), xlim=(-0.02, 1.02))
    axes.set_ylim(len(table) - 0.5, -0.6)
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.grid(axis="x")
    axes.tick_params(left=False)
    axes.plot([], [], "o", color=GREY, markersize=8, label="recall, with its 95 % interval")
    axes.plot([], [], "D", color="white", markeredgecolor=GREY, mew=1.5, label="precision")
    figure.legend(loc="outside upper center", ncols=2)
    return figure


@book_figure
def coverage(shares: np.ndarray, covered: Mapping[str, np.ndarray], promise: float = 0.95) -> Figure:
    """Draw how often intervals held the true share, for each true share.

    Introduced in chapter 4. ``shares`` is float (n,), 0 to 1; ``covered`` maps names of intervals to float (n,).
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 3.2))
    axes.axhline(promise, color="black", linewidth=1, linestyle=(0, (4, 3)))
    axes.text(0.5, promise + 0.035, "promised", ha="center", va="bottom", fontsize=9)
    for (name, values), colour, dash in zip(covered.items(), (ORANGE, BLUE), ("--", "-"), strict=False):
        axes.plot(shares, values, dash, color=colour, label=name)
    axes.set(xlabel="the true accuracy", ylabel="intervals that held it", xlim=(0, 1), ylim=(0, 1.08))
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.legend(loc="lower center")
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


@book_figure
def top_k(table: pd.DataFrame) -> Figure:
    """Draw top-k accuracy with its interval for each k, beside what guessing gives.

    Introduced in chapter 4. ``table`` has k, from 1 up, as its index and columns accuracy, low, high and chance.
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 3.0))
    axes.fill_between(table.index, table.low, table.high, color=BLUE, alpha=0.25, linewidth=0)
    axes.plot(table.index, table.accuracy, "o-", color=BLUE)
    axes.plot(table.index, table.chance, "--", color=GREY, linewidth=1.4)
    middle = (len(table) + 1) // 2
    axes.annotate("guessing", (middle, table.chance[middle]), (6, -6), textcoords="offset points", va="top", color=GREY)
    axes.annotate(
        "the model", (middle, table.high[middle]), (-6, 4), textcoords="offset points", ha="right", color=BLUE
    )
    axes.set(xlabel="answers allowed, k", ylabel="truth among them", ylim=(0, 1.05), xticks=table.index)
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.grid(axis="y")
    return figure


def _curve_panels(xlabel: str, ylabel: str):
    """Return a figure of eight square panels, one for each condition, with their titles and shared labels."""
    figure, panels = plt.subplots(2, 4, figsize=(WIDTH, 4.5), sharex=True, sharey=True)
    for axes, key in zip(panels.flat, KEYS, strict=True):
        axes.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), aspect="equal", xticks=[0, 0.5, 1], yticks=[0, 0.5, 1])
        axes.set_xticklabels(["0", "½", "1"])
        axes.set_yticklabels(["0", "½", "1"])
        axes.set_title(_short(key), loc="center", fontsize=9.5)
    figure.supxlabel(xlabel, fontsize=10)
    figure.supylabel(ylabel, fontsize=10)
    return figure, dict(zip(KEYS, panels.flat, strict=True))


@book_figure
def roc_curves(curves: Mapping[str, tuple[np.ndarray, np.ndarray, float]]) -> Figure:
    """Draw the ROC curve of each condition against the rest, with its area; the dashed diagonal is chance.

    Introduced in chapter 4. ``curves`` maps keys to false-positive rates, true-positive rates and the area.
    """
    figure, panels = _curve_panels("false alarms: share of the other photos", "found: share of its photos")
    for key, (false_rate, true_rate, area) in curves.items():
        panels[key].plot([0, 1], [0, 1], "--", color=GREY, linewidth=1)
        panels[key].plot(false_rate, true_rate, color=by_key(key).colour)
        panels[key].text(0.97, 0.04, f"area {area:.2f}", ha="right", fontsize=9)
    return figure


@book_figure
def precision_recall_curves(curves: Mapping[str, tuple[np.ndarray, np.ndarray, float, float]]) -> Figure:
    """Draw the precision–recall curve of each condition against the rest, with its area; the dashed line is chance.

    Introduced in chapter 4. ``curves`` maps keys to precisions, recalls, the area and the share of the condition.
    """
    figure, panels = _curve_panels("recall: share of its photos found", "precision: share of alarms that are true")
    for key, (precision, recall, area, share) in curves.items():
        panels[key].axhline(share, linestyle="--", color=GREY, linewidth=1)
        panels[key].step(recall, precision, where="pre", color=by_key(key).colour)
        panels[key].text(0.97, 0.9, f"area {area:.2f}", ha="right", fontsize=9)
    return figure


# --- chapter 4, continued: how sure is the model? --------------------------------------------------------------------


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
    dots = _dots({"a bin, 95 %": (BLUE, "o"), "a bin outside": (ORANGE, "D")})
    figure.legend(handles=[band, *dots], loc="outside upper center", ncols=3)
    return figure


def _dots(names: Mapping[str, tuple[str, str]]) -> list[Line2D]:
    """Return handles for a legend: a dot of a colour and shape for each name, on the line of its interval."""
    return [
        Line2D([], [], color=colour, marker=marker, markersize=6, linewidth=1.4, label=name)
        for name, (colour, marker) in names.items()
    ]


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


@book_figure
def learning_curve_by_photos(table: pd.DataFrame, ends: pd.DataFrame, chance: float) -> Figure:
    """Draw test accuracy against the number of photos learned from: small dots are repeats, the line is their mean.

    Introduced in chapter 4. ``table`` is what ``train.learning_curve`` returns; ``ends`` has low and high, the interval
    that the test photos leave to each mean, with the numbers of photos as its index.
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 3.3))
    mean = table.groupby("photos").accuracy.mean()
    axes.fill_between(ends.index, ends.low, ends.high, color=BLUE, alpha=0.2, linewidth=0)
    axes.plot(mean.index, mean, color=BLUE, marker="o", markersize=7)
    axes.plot(table.photos, table.accuracy, "o", color=ORANGE, markersize=3.5, zorder=3)
    axes.axhline(chance, color=GREY, linestyle=(0, (4, 3)), linewidth=1.2)
    axes.text(mean.index[-1], chance, "chance ", va="bottom", ha="right", color=GREY, fontsize=9)
    axes.set(xscale="log", ylim=(0, 1.02), xlabel="photos learned from, copies not counted", ylabel="test accuracy")
    axes.xaxis.set_major_locator(FixedLocator(list(mean.index)))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.grid(axis="y")
    handles = [
        Line2D([], [], color=BLUE, marker="o", markersize=7, label="mean of the repeats"),
        Patch(color=BLUE, alpha=0.2, label="95 %, from the test photos"),
        Line2D([], [], color=ORANGE, marker="o", linestyle="", markersize=3.5, label="a repeat"),
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=3)
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
    for place, ((weights, _), (before, _)) in enumerate(zip(steps, [("none", ""), *steps], strict=False)):
        if weights != before:
            axes.axhline(place - 0.5, color=GREY, linewidth=0.8)
            words = textwrap.fill(f"{weights} weights", 12)
            axes.text(1.01, place - 0.42, words, va="top", fontsize=9, transform=axes.get_yaxis_transform())
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.grid(axis="x")
    axes.tick_params(left=False)
    kinds = {"official split": looks["official"][:2], "clean split": looks["grouped"][:2]}
    figure.legend(handles=_dots(kinds), loc="outside upper center", ncols=2)
    return figure


# --- chapter 5, Error analysis --------------------------------------------------------------------------------------


def _overlay(axes: Axes, photo: np.ndarray, heat: np.ndarray, mask: np.ndarray | None = None) -> None:
    """Lay a heat map, float (H, W) 0 to 1, over the grey photo, and draw the outline of the mask, bool (H, W)."""
    axes.imshow(photo @ np.array(LUMA), cmap="gray", vmin=0, vmax=255)
    axes.imshow(heat, cmap="viridis", vmin=0, vmax=1, alpha=0.2 + 0.45 * heat)
    if mask is not None and mask.any():
        axes.contour(mask, [0.5], colors=["black"], linewidths=2.6)
        axes.contour(mask, [0.5], colors=["white"], linewidths=1.3)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


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
    show_photo(left, photo, f"label: {_short(truth)}")
    _overlay(middle, photo, heat, mask)
    middle.set_title(f"answer: {_short(answer)}", fontsize=9.5, loc="center")
    places = np.arange(len(probabilities))
    right.barh(places, probabilities, color=[by_key(key).colour for key in probabilities.index])
    for place, (key, value) in zip(places, probabilities.items(), strict=True):
        weight = "bold" if key in (answer, truth) else "normal"
        words = f" {_short(key)}" + (" (label)" if key == truth else "")
        right.text(value, place, words, va="center", fontsize=8.5, weight=weight)
    right.set(xlim=(0, 1.9), ylim=(len(places) - 0.4, -0.6), xticks=[0, 0.5, 1], yticks=[], xlabel="probability")
    right.xaxis.set_label_coords(0.26, -0.13)
    right.spines.bottom.set_bounds(0, 1)
    return figure


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
    for axes, photo, text, colour in zip(panels.flat, photos, words, colours, strict=False):
        axes.axis("on")
        show_photo(axes, square(photo, 160), frame=colour)
        axes.set_xlabel(text, fontsize=8.5, labelpad=3)
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
def changes(table: pd.DataFrame, xlabel: str) -> Figure:
    """Draw changes with their intervals, one row per condition, beside a line at no change.

    Introduced in chapter 5. ``table`` has keys as index and columns change, low and high.
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 3.5))
    axes.axvline(0, color="black", linewidth=1)
    for place, row in enumerate(table.itertuples()):
        colour = by_key(row.Index).colour
        axes.plot([row.low, row.high], [place, place], color=colour, linewidth=4, alpha=0.45, solid_capstyle="butt")
        axes.plot(row.change, place, "o", color=colour, markersize=8)
    axes.set(yticks=range(len(table)), yticklabels=_titles(table.index), xlabel=xlabel)
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
                _overlay(axes, case["photo"], case["heat"], case["mask"])
        figure.text((column + 0.02) / columns, 1 - (row + 0.95) * height, case["words"], fontsize=9, va="bottom")
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
        _overlay(axes, photo, heat, mask)
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


# --- chapter 5, continued: shortcuts, people, labels ----------------------------------------------------------------


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


# --- chapter 6, Deployment ------------------------------------------------------------------------------------------


@book_figure
def screens(cases: Sequence[dict], columns: int = 4) -> Figure:
    """Show photos with what a user's screen says of each: a headline, a line below it and the likeliest conditions.

    Introduced in chapter 6. Each case has photo, uint8 (H, W, 3); probabilities, a mapping of keys to floats; headline
    and note, a few words each, of which the note may be empty; and colour, that of the frame.
    """
    rows = -(-len(cases) // columns)
    size = WIDTH / columns
    figure = plt.figure(figsize=(WIDTH, rows * (0.94 * size + 0.95)), layout="none")
    high, tall = figure.get_figheight(), 0.94 * size + 0.95
    for i, case in enumerate(cases):
        row, column = divmod(i, columns)
        left, top = (column + 0.04) / columns, 1 - row * tall / high
        photo = figure.add_axes((left, top - (0.9 * size + 0.02) / high, 0.92 / columns, 0.9 * size / high))
        show_photo(photo, square(case["photo"], 200), frame=case["colour"])
        words = (top - (0.9 * size + 0.1) / high, top - (0.9 * size + 0.28) / high)
        weights = ("bold", "normal")
        for text, place, weight in zip((case["headline"], case["note"]), words, weights, strict=True):
            figure.text(left, place, text, fontsize=8, weight=weight, va="top")
        bars = figure.add_axes((left, top - (0.9 * size + 0.88) / high, 0.92 / columns, 0.42 / high))
        best = sorted(case["probabilities"].items(), key=lambda pair: -pair[1])[:3]
        places = np.arange(len(best))
        bars.barh(places, 1, 0.8, color="#EEEEEE")
        bars.barh(places, [value for _, value in best], 0.8, color=[by_key(key).colour for key, _ in best], alpha=0.55)
        for place, (key, value) in zip(places, best, strict=True):
            bars.text(0.02, place, _short(key), fontsize=7.5, va="center")
            bars.text(0.98, place, f"{np.floor(100 * value + 0.5):.0f} %", fontsize=7.5, va="center", ha="right")
        bars.set(xlim=(0, 1), ylim=(len(best) - 0.5, -0.5), xticks=[], yticks=[])
        bars.spines[:].set_visible(False)
    return figure


@book_figure
def answer_differences(differences: Mapping[str, np.ndarray], lines: Mapping[str, float]) -> Figure:
    """Draw how far each version's probabilities lie from the reference, a dot for each photo, on a logarithmic axis.

    Introduced in chapter 6. ``differences`` maps versions to float (n,), above 0; ``lines`` maps words to limits.
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 0.95 + 0.5 * len(differences)))
    rng = np.random.default_rng(0)
    colours = (BLUE, "#009E73", ORANGE, GREY)
    for place, (values, colour) in enumerate(zip(differences.values(), colours, strict=False)):
        values = np.maximum(values, 1e-9)  # an axis of logarithms has no 0
        spread = place + rng.uniform(-0.22, 0.22, len(values))
        axes.plot(values, spread, "o", color=colour, alpha=0.55, markersize=5, mew=0)
    for words, value in lines.items():
        axes.axvline(value, color="black", linewidth=1.2, linestyle=(0, (4, 3)))
        axes.text(value, -0.62, f"{words} ", fontsize=9, ha="right", va="bottom")
    axes.set_xscale("log")
    axes.set(yticks=range(len(differences)), yticklabels=list(differences), ylim=(len(differences) - 0.5, -1))
    axes.set_xlabel("largest difference of a probability from Keras")
    axes.grid(axis="x")
    axes.tick_params(left=False)
    return figure


@book_figure
def evidence_maps(cases: Sequence[dict]) -> Figure:
    """Show photos, each beside maps of evidence: orange speaks for a condition, blue against it.

    Introduced in chapter 6. Each case has photo, (H, W, 3), uint8; name, the words above it; and maps, a mapping of
    names to float (h, w), in logits. The maps of one case share their scale.
    """
    colours = LinearSegmentedColormap.from_list("evidence", [BLUE, "white", ORANGE], 257)  # odd: 0 is white
    figure = plt.figure(figsize=(WIDTH, 2.35 * len(cases)))
    for part, case in zip(np.atleast_1d(figure.subfigures(len(cases), 1)), cases, strict=True):
        first, *others = part.subplots(1, 1 + len(case["maps"]))
        show_photo(first, case["photo"], case["name"])
        most = max(np.abs(values).max() for values in case["maps"].values()) or 1
        for axes, (name, values) in zip(others, case["maps"].items(), strict=True):
            shown = axes.imshow(values, cmap=colours, vmin=-most, vmax=most)
            axes.set(xticks=[], yticks=[])
            axes.set_title(name, fontsize=9.5, loc="center")
            axes.spines[:].set_color(PALE)
        bar = part.colorbar(shown, ax=others, shrink=0.85, aspect=14)
        bar.set_label("logits", fontsize=9)
        bar.locator = MaxNLocator(5)
        bar.outline.set_visible(False)
    return figure


@book_figure
def other_shares(table: pd.DataFrame) -> Figure:
    """Draw one photo's probabilities as the model gives them and after the shares of a clinic, and those shares.

    Introduced in chapter 6. ``table`` has keys as index and columns shown, clinic and there: the model's probability,
    the condition's share of the patients, and the probability there, all 0 to 1.
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 3.6))
    for place, row in enumerate(table.itertuples()):
        colour = by_key(row.Index).colour
        axes.plot([row.shown, row.there], [place, place], color=colour, linewidth=2, alpha=0.5)
        axes.plot(row.shown, place, "o", color="white", markeredgecolor=colour, markersize=8, mew=2)
        axes.plot(row.there, place, "D", color=colour, markersize=7)
    axes.set(yticks=range(len(table)), ylim=(len(table) - 0.5, -0.5), xlim=(-0.02, 1.02), xlabel="probability")
    names = [f"{_short(row.Index)}, {row.clinic:.0%} of patients" for row in table.itertuples()]
    axes.set_yticklabels(names)
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.grid(axis="x")
    axes.tick_params(left=False)
    marks = [
        Line2D([], [], marker="o", color="white", markeredgecolor=GREY, markersize=8, mew=2, label="on the screen"),
        Line2D([], [], marker="D", color=GREY, linestyle="", markersize=7, label="with the clinic's shares"),
    ]
    figure.legend(handles=marks, loc="outside upper center", ncols=2)
    return figure


@book_figure
def control_charts(charts: Mapping[tuple[str, str], pd.DataFrame], change: int) -> Figure:
    """Draw daily shares with their limits, a column for each scenario and a row for each thing that is watched.

    Introduced in chapter 6. ``charts`` maps (watched, scenario) to a table with a row for each day and columns share,
    low, expected and high, all 0 to 1; from day ``change`` on, counted from 1, something is different. Days outside
    their limits are orange diamonds.
    """
    watched = list(dict.fromkeys(name for name, _ in charts))
    scenarios = list(dict.fromkeys(name for _, name in charts))
    size = (WIDTH, 0.6 + 1.95 * len(watched))
    figure, panels = plt.subplots(len(watched), len(scenarios), figsize=size, sharex=True, sharey=True, squeeze=False)
    for (name, scenario), table in charts.items():
        axes = panels[watched.index(name), scenarios.index(scenario)]
        days, share = np.arange(1, len(table) + 1), table.share.to_numpy()
        outside = ((share < table.low) | (share > table.high)).to_numpy()
        axes.fill_between(days, table.low, table.high, step="mid", color="#E6E6E6", linewidth=0)
        axes.step(days, table.expected, where="mid", color=GREY, linewidth=1)
        axes.axvline(change - 0.5, color="black", linewidth=1.2, linestyle=(0, (4, 3)))
        axes.plot(days, share, color=BLUE, linewidth=1)
        axes.plot(days[~outside], share[~outside], "o", color=BLUE, markersize=4)
        axes.plot(days[outside], share[outside], "D", color=ORANGE, markersize=6)
        axes.set(xlim=(0.2, len(table) + 0.8), ylim=(-0.03, 1.03))
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    for axes, scenario in zip(panels[0], scenarios, strict=True):
        axes.set_title(scenario, fontsize=9.5)
    for axes, name in zip(panels[:, 0], watched, strict=True):
        axes.set_ylabel(name, fontsize=9.5)
    for axes in panels[-1]:
        axes.set_xlabel("day")
    marks = [
        Patch(color="#E6E6E6", label="between the limits"),
        Line2D([], [], marker="D", color=ORANGE, linestyle="", markersize=6, label="outside"),
        Line2D([], [], color="black", linewidth=1.2, linestyle=(0, (4, 3)), label="the change"),
    ]
    figure.legend(handles=marks, loc="outside upper center", ncols=3)
    return figure


# --- chapter 7, Scaling up ------------------------------------------------------------------------------------------


SPANS = {"a minute": 60, "an hour": 3600, "a day": 86_400, "a month": 30 * 86_400, "a year": 365 * 86_400}
"""Seconds in what people count time in."""
STAGE_COLOURS = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"
STAGE_MARKS = "osD^vP"
"""A colour and a mark for each stage."""


def _powers_of_ten(*axes) -> None:
    for axis in axes:
        axis.set_major_locator(LogLocator(10, numticks=20))
        axis.set_minor_locator(NullLocator())


@book_figure
def time_per_stage(measured: pd.DataFrame, projected: pd.DataFrame) -> Figure:
    """Draw the time of each stage against the photos, both logarithmic: measured solid, projected dashed.

    Introduced in chapter 7. Both tables have numbers of photos as index and a column of seconds for each stage; a
    stage that was not measured at a size has NaN there. Of the projection the part beyond a stage's last measured size
    is drawn.
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 4.9))
    last = projected.index.max()
    axes.set(xscale="log", yscale="log", xlim=(0.7 * measured.index.min(), 1.4 * last))
    for words, seconds in SPANS.items():
        axes.axhline(seconds, color=PALE, linewidth=1, zorder=0)
        axes.text(1.01, seconds, words, transform=axes.get_yaxis_transform(), fontsize=9, color=GREY, va="center")
    handles = []
    for place, stage in enumerate(measured):
        points, mark = measured[stage].dropna(), STAGE_MARKS[place]
        ahead = projected[stage][projected.index > points.index.max()]
        ahead = pd.concat([points.iloc[-1:], ahead])
        axes.plot(points.index, points, marker=mark, color=STAGE_COLOURS[place], markersize=6)
        axes.plot(ahead.index, ahead, color=STAGE_COLOURS[place], linestyle=(0, (4, 2.5)), linewidth=1.5)
        handles.append(Line2D([], [], marker=mark, color=STAGE_COLOURS[place], markersize=6, label=stage))
    _powers_of_ten(axes.xaxis, axes.yaxis)
    axes.set(xlabel="photos", ylabel="seconds")
    handles.append(Line2D([], [], color=GREY, linestyle=(0, (4, 2.5)), linewidth=1.5, label="projected"))
    figure.legend(handles=handles, loc="outside upper center", ncols=4)
    return figure


def span(seconds: float) -> str:
    """Return a time in words, in the largest unit of which it holds two: "3 hours". Introduced in chapter 7."""
    for unit, size in (("years", 365 * 86_400), ("days", 86_400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:,.0f} {unit}"
    return f"{seconds:.0f} seconds"


@book_figure
def shares_of_time(stages: pd.DataFrame) -> Figure:
    """Draw one bar for each number of photos, cut into the shares of the time that its stages took.

    Introduced in chapter 7. ``stages`` has numbers of photos as index and a column of seconds for each stage, none
    missing. The whole time stands on the right.
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 1.25 + 0.62 * len(stages)))
    shares = stages.div(stages.sum(axis=1), axis=0)
    left, places = np.zeros(len(stages)), np.arange(len(stages))
    for number, stage in enumerate(stages):
        axes.barh(
            places, shares[stage], 0.68, left, color=STAGE_COLOURS[number], edgecolor="white", linewidth=1, label=stage
        )
        for place, (start, share) in enumerate(zip(left, shares[stage], strict=True)):
            if share >= 0.06:
                ink = "white" if number < 3 else "black"  # the first three colours are dark
                axes.text(start + share / 2, place, f"{share:.0%}", ha="center", va="center", fontsize=9, color=ink)
        left += shares[stage].to_numpy()
    for place, total in enumerate(stages.sum(axis=1)):
        axes.text(1.01, place, span(total), va="center", fontsize=9.5)
    axes.set(yticks=places, yticklabels=[f"{n:,} photos" for n in stages.index], xlim=(0, 1.17), xlabel="share of time")
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1])
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.spines.bottom.set_bounds(0, 1)
    axes.tick_params(left=False)
    axes.invert_yaxis()
    figure.legend(loc="outside upper center", ncols=len(stages.columns), columnspacing=1.2, handlelength=1.2)
    return figure


@book_figure
def ways_and_times(seconds: pd.Series, marked: Sequence[str] = ()) -> Figure:
    """Draw a bar for the seconds of each way to the same result, and how many times as fast as the first it is.

    Introduced in chapter 7. The index names the ways; those that are ``marked`` are blue, the others grey.
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 0.75 + 0.48 * len(seconds)))
    places = np.arange(len(seconds))
    axes.barh(places, seconds, 0.7, color=[BLUE if way in marked else "#9A9A9A" for way in seconds.index])
    for place, value in zip(places, seconds, strict=True):
        axes.text(value, place, f"  {seconds.iloc[0] / value:.1f} ×", va="center", fontsize=9.5)
    axes.set(yticks=places, yticklabels=list(seconds.index), xlabel="seconds", xlim=(0, 1.12 * seconds.max()))
    axes.invert_yaxis()
    axes.tick_params(left=False)
    return figure


@book_figure
def speed_ups(panels: Mapping[str, pd.DataFrame]) -> Figure:
    """Draw how many times as fast each stage is with more workers, a panel for each setting, all axes logarithmic.

    Introduced in chapter 7. Each table has numbers of workers as index and a column of speed-ups for each stage. The
    dashed line is what one would wish for: n workers, n times as fast.
    """
    figure, all_axes = plt.subplots(1, len(panels), figsize=(WIDTH, 4.1), sharey=True, squeeze=False)
    for axes, (title, table) in zip(all_axes[0], panels.items(), strict=True):
        axes.plot(table.index, table.index, color=GREY, linestyle=(0, (4, 2.5)), linewidth=1.2, label="as many times")
        for place, stage in enumerate(table):
            axes.plot(table.index, table[stage], color=STAGE_COLOURS[place], label=stage)
            axes.plot(table.index[-1], table[stage].iloc[-1], STAGE_MARKS[place], color=STAGE_COLOURS[place])
        axes.set(xscale="log", yscale="log", xlabel="workers")
        ticks = [n for n in (1, 2, 4, 8, 16, 32, 64, 128, 256) if n <= table.index.max()]
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(FixedLocator(ticks))
            axis.set_minor_locator(NullLocator())
            axis.set_major_formatter(ScalarFormatter())
        axes.set_title(title, fontsize=9.5)
        axes.grid()
    all_axes[0][0].set_ylabel("times as fast")
    handles, labels = all_axes[0][0].get_legend_handles_labels()
    handles = [
        Line2D([], [], color=line.get_color(), linestyle=line.get_linestyle(), marker=mark, label=label)
        for line, label, mark in zip(handles, labels, ["", *STAGE_MARKS], strict=False)
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=4)
    return figure


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
    _powers_of_ten(axes.xaxis, axes.yaxis)
    axes.grid(axis="y")
    figure.legend(loc="outside upper center", ncols=4)
    return figure


@book_figure
def bill(costs: pd.DataFrame, others: Mapping[str, pd.Series] | None = None) -> Figure:
    """Draw dollars against photos, both logarithmic: GPUs, cores, storage, all, and other bills dashed.

    Introduced in chapter 7. ``costs`` is what :func:`skinlib.scaling.costs` returns; ``others`` maps words to dollars
    with the same index, such as the whole bill under another assumption.
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 4.1))
    kinds = {"gpu_dollars": "GPUs", "core_dollars": "cores", "storage_dollars": "storage"}
    for place, (column, words) in enumerate(kinds.items()):
        axes.plot(costs.index, costs[column], color=STAGE_COLOURS[place], marker=STAGE_MARKS[place], label=words)
    axes.plot(costs.index, costs.dollars, color="#BBBBBB", linewidth=7, zorder=0, label="in all")
    for words, dollars in (others or {}).items():
        axes.plot(dollars.index, dollars, color="black", linewidth=1.5, linestyle=(0, (4, 2.5)), label=words)
    axes.set(xscale="log", yscale="log", xlabel="photos", ylabel="dollars")
    _powers_of_ten(axes.xaxis, axes.yaxis)
    axes.grid(axis="y")
    figure.legend(loc="outside upper center", ncols=5)
    return figure


@book_figure
def reach(photos: pd.Series, xlabel: str) -> Figure:
    """Draw how many photos each way gets through, as bars on a logarithmic axis.

    Introduced in chapter 7. The index names the ways, from the smallest to the largest; ``photos`` are counts.
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 0.85 + 0.46 * len(photos)))
    places, least = np.arange(len(photos)), 10 ** np.floor(np.log10(photos.min()) - 0.5)
    axes.hlines(places, least, photos, color=PALE, linewidth=3)
    axes.plot(photos, places, "o", color=BLUE, markersize=9)
    for place, value in zip(places, photos, strict=True):
        axes.annotate(f"{value:,.0f}", (value, place), (9, 0), textcoords="offset points", va="center", fontsize=9.5)
    axes.set(xscale="log", xlim=(least, 30 * photos.max()), xlabel=xlabel, ylim=(len(photos) - 0.5, -0.5))
    axes.set(yticks=places, yticklabels=list(photos.index))
    _powers_of_ten(axes.xaxis)
    axes.tick_params(left=False)
    return figure


# --- the Performance page -------------------------------------------------------------------------------------------


@book_figure
def engine_speeds(engines: pd.DataFrame, limits: Mapping[int, float], ours: Sequence[str] = ()) -> Figure:
    """Draw the photos a second of each engine, with the slowest and the fastest turn, and the machine's limits.

    Introduced on the Performance page. ``engines`` has names as index and columns bits, per_second, slowest and
    fastest; ``limits`` maps bits to photos a second; engines that are ``ours`` are blue. Each number of bits has a
    panel, since the second is several times as fast, with the limits up to its own.
    """
    groups = {bits: part for bits, part in engines.groupby("bits", sort=False)}
    heights = [len(part) + 1 for part in groups.values()]
    size = (WIDTH, 0.6 * len(groups) + 0.4 * sum(heights))
    figure, panels = plt.subplots(len(groups), 1, figsize=size, height_ratios=heights, squeeze=False)
    for axes, (bits, part) in zip(panels[:, 0], groups.items(), strict=True):
        drawn = {each: limit for each, limit in limits.items() if each >= bits}
        places, most = np.arange(len(part)), max(part.fastest.max(), *drawn.values())
        axes.barh(places, part.per_second, 0.66, color=[BLUE if name in ours else "#BDBDBD" for name in part.index])
        axes.hlines(places, part.slowest, part.fastest, color="black", linewidth=1.2)
        for place, (name, value) in enumerate(part.per_second.items()):
            ink = "white" if name in ours else "black"
            axes.text(0.01 * most, place, f"{value:.0f}", va="center", fontsize=9.5, color=ink)
        for row, (each, limit) in enumerate(drawn.items()):
            axes.axvline(limit, color="black", linewidth=1.2, linestyle=(0, (4, 3)))
            side = "left" if limit < most / 2 else "right"
            axes.text(limit, -0.55 - 0.42 * row, f" limit, {each} bits ", fontsize=9, va="bottom", ha=side)
        axes.set(yticks=places, yticklabels=list(part.index), xlim=(0, 1.06 * most))
        axes.set(ylim=(len(part) - 0.5, -0.6 - 0.42 * len(drawn)))
        axes.tick_params(left=False)
        axes.set_xlabel("photos a second")
    return figure


@book_figure
def growth(table: pd.DataFrame) -> Figure:
    """Draw the time and the memory of several ways against the number of files, all axes logarithmic.

    Introduced on the Performance page. ``table`` has a row for each way and size: way, files, seconds, megabytes and
    reckoned, which is True where the time comes from a part of the work: such a point is hollow.
    """
    figure, panels = plt.subplots(1, 2, figsize=(WIDTH, 3.5))
    for axes, column, words in zip(panels, ("seconds", "megabytes"), ("seconds", "peak memory, MB"), strict=True):
        for place, (way, part) in enumerate(table.groupby("way", sort=False)):
            colour, mark = STAGE_COLOURS[place], STAGE_MARKS[place]
            axes.plot(part.files, part[column], color=colour, marker=mark, markersize=6, label=way)
            hollow = part[part.reckoned] if column == "seconds" else part[:0]
            axes.plot(hollow.files, hollow[column], mark, color=colour, markersize=6, markerfacecolor="white")
        axes.set(xscale="log", yscale="log", xlabel="files", ylabel=words)
        _powers_of_ten(axes.xaxis, axes.yaxis)
        axes.grid()
    low, high = table.megabytes.min(), table.megabytes.max()
    panels[1].set_ylim(10 ** np.floor(np.log10(low)), 10 ** np.ceil(np.log10(high * 1.01)))
    handles, labels = panels[0].get_legend_handles_labels()
    if table.reckoned.any():
        handles.append(Line2D([], [], marker="o", color=GREY, linestyle="", markerfacecolor="white", markersize=6))
        labels.append("reckoned from a part")
    figure.legend(handles, labels, loc="outside upper center", ncols=4)
    return figure


@book_figure
def same_losses(gaps: pd.DataFrame, line: tuple[str, float], seconds: pd.Series) -> Figure:
    """Draw how far each way's training loss lies from the ordinary way's, epoch by epoch, and the time of each way.

    Introduced on the Performance page. ``gaps`` has epochs as index and a column of absolute differences for each way,
    drawn on a logarithmic axis; ``line`` is a name and a difference to compare them with; ``seconds`` has the names of
    all ways as index, the ordinary one first.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH, 3.3), width_ratios=(1.15, 1))
    colours = dict(zip(seconds.index, ("#9A9A9A", *STAGE_COLOURS), strict=False))
    for place, way in enumerate(gaps):
        values = np.maximum(gaps[way], 1e-9)  # an axis of logarithms has no 0
        left.plot(gaps.index, values, marker=STAGE_MARKS[place], color=colours[way], label=way)
    left.axhline(line[1], color="black", linewidth=1.2, linestyle=(0, (4, 3)), label=line[0])
    left.set(yscale="log", xlabel="epoch", ylabel="difference of the loss")
    left.xaxis.set_major_locator(MaxNLocator(integer=True))
    _powers_of_ten(left.yaxis)
    left.grid(axis="y")
    places = np.arange(len(seconds))
    right.barh(places, seconds, 0.6, color=[colours[way] for way in seconds.index])
    for place, value in zip(places, seconds, strict=True):
        right.text(value, place, f"  {value:.3g} s", va="center", fontsize=9.5)
    right.set(yticks=places, xlabel="seconds", xlim=(0, 1.35 * seconds.max()), ylim=(len(seconds) - 0.4, -0.6))
    right.set_yticklabels([textwrap.fill(way, 16) for way in seconds.index])
    right.tick_params(left=False)
    figure.legend(*left.get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return figure


@book_figure
def time_by_part(parts: pd.DataFrame) -> Figure:
    """Draw a bar of seconds for each way, cut into the parts of its work, and its speed against the first.

    Introduced on the Performance page. ``parts`` has ways as index and a column of seconds for each part, 0 where a way
    lacks it.
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 1.35 + 0.5 * len(parts)))
    left, places, total = np.zeros(len(parts)), np.arange(len(parts)), parts.sum(axis=1)
    for number, part in enumerate(parts):
        axes.barh(places, parts[part], 0.66, left, color=STAGE_COLOURS[number], label=part)
        left += parts[part].to_numpy()
    for place, value in zip(places, total, strict=True):
        times = f", {total.iloc[0] / value:.3g} times as fast" if place else ""
        axes.text(value, place, f"  {value:.3g} s{times}", va="center", fontsize=9.5)
    axes.set(yticks=places, yticklabels=list(parts.index), xlabel="seconds", xlim=(0, 1.22 * total.max()))
    axes.invert_yaxis()
    axes.tick_params(left=False)
    figure.legend(loc="outside upper center", ncols=3)
    return figure
