"""Figures of chapter 6, Deployment."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import (
    MaxNLocator,
    PercentFormatter,
)

from skinlib.data.classes import Classes
from skinlib.figures.shared import BLUE, GREY, ORANGE, PALE, WIDTH, book_figure, short_title, show_photo, square


@book_figure
def screens(cases: Sequence[dict], classes: Classes, columns: int = 4) -> Figure:
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
        bars.barh(places, [value for _, value in best], 0.8, color=[classes[key].colour for key, _ in best], alpha=0.55)
        for place, (key, value) in zip(places, best, strict=True):
            bars.text(0.02, place, short_title(key, classes), fontsize=7.5, va="center")
            bars.text(0.98, place, f"{np.floor(100 * value + 0.5):.0f} %", fontsize=7.5, va="center", ha="right")
        bars.set(xlim=(0, 1), ylim=(len(best) - 0.5, -0.5), xticks=[], yticks=[])
        bars.spines[:].set_visible(False)
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
