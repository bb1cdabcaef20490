"""Figures of chapter 3, Training."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import (
    PercentFormatter,
)

from skinlib.figures.shared import BLUE, GREY, ORANGE, PALE, WIDTH, book_figure

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
