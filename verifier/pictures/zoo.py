"""The pictures of the line-up: certified accuracy of all networks, and level curves in the plane."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from verifier.evaluation.evaluate import Accuracy
from verifier.network.graph import Network
from verifier.pictures.style import ATTACKED, BLACK, BLUE, DASHES, MARKERS, SERIES, file_of, norm_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = 5
LEVELS = (0.0, 0.1, 0.2, 0.3)


def certified_picture(networks: Sequence[tuple[str, Accuracy]], room: np.ndarray) -> bytes:
    """A panel for each network: the share that some method certifies, at each size, as the bytes of a PNG file.

    The others' curves are grey behind it, so that each is seen alone and beside all.

    Args:
        networks: names and robust accuracies, all at the same sizes.
        room: what accuracy itself allows for each sample, shape (N,).
    """
    norm = networks[0][1].options.norm
    figure, panels = _panels(
        len(networks), f"size of the perturbation, {norm_name(norm)}", "certified share of the samples"
    )
    curves = []
    for _, found in networks:
        sizes = [0.0, *(size.epsilon for size in found.summary.sizes)]
        curves.append((sizes, [found.summary.clean.value, *(size.by_any.value for size in found.summary.sizes)]))
    fine = np.linspace(0.0, curves[0][0][-1], 200)
    allowed = [(room > size).mean() for size in fine]
    for place, (axes, (name, _)) in enumerate(zip(panels, networks, strict=True)):
        for number, curve in enumerate(curves):
            if number != place:
                axes.plot(*curve, color="0.85", linewidth=0.7, label="the other networks", zorder=1)
        axes.plot(*curves[place], color=BLUE, marker="o", markersize=3, linewidth=1.5, label="the panel's network")
        axes.plot(fine, allowed, color=BLACK, linestyle="--", linewidth=1.0, label="what accuracy allows")
        axes.set_title(name, fontsize=9)
    _key(figure)
    return file_of(figure, ".png", 100)


def methods_picture(networks: Sequence[tuple[str, Accuracy]]) -> bytes:
    """A panel for each network: what each method certifies at each size, and what attacks leave, as a PNG file's bytes.

    Args:
        networks: names and robust accuracies, all by the same methods at the same sizes.
    """
    norm = networks[0][1].options.norm
    figure, panels = _panels(len(networks), f"size of the perturbation, {norm_name(norm)}", "share of the samples")
    for axes, (name, found) in zip(panels, networks, strict=True):
        sizes = [0.0, *(size.epsilon for size in found.summary.sizes)]
        clean = found.summary.clean.value
        for place, method in enumerate(found.summary.sizes[0].certified):
            shares = [size.certified[method].value for size in found.summary.sizes]
            color, marker, dashes = SERIES[place], MARKERS[place], DASHES[place]
            line = axes.plot(sizes[1:], shares, color=color, marker=marker, linestyle=dashes, label=method)
            line[0].set(markersize=3, linewidth=1.2, alpha=0.9)
        left = [clean, *(size.unbroken.value for size in found.summary.sizes)]
        axes.plot(
            sizes, left, "--", color=ATTACKED, marker="x", markersize=3, linewidth=1.0, label="not broken by attacks"
        )
        axes.set_title(name, fontsize=9)
    _key(figure)
    return file_of(figure, ".png", 100)


def _panels(count: int, across: str, up: str) -> tuple[Figure, list[Axes]]:
    """A figure of so many panels with axes in common, each with its ticks, and the axes' words."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = min(COLUMNS, count)
    rows = -(-count // columns)
    figure = Figure(figsize=(max(2.3 * columns, 6.0), 0.8 + 1.9 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    cells = list(figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).flat)
    for place, axes in enumerate(cells):
        axes.grid(color="0.92")
        axes.tick_params(labelsize=7, labelbottom=place + columns >= count)
        axes.set_axisbelow(True)
        if place >= count:
            axes.set_axis_off()
    cells[0].set_ylim(-0.02, 1.02)
    figure.supxlabel(across, fontsize=9)
    figure.supylabel(up, fontsize=9)
    return figure, cells[:count]


def _key(figure: Figure) -> None:
    """One legend of what the panels have in common, above them; each name once."""
    figure.axes[0].set_xlim(left=0.0)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    once = dict(zip(labels, handles, strict=True))
    figure.legend(
        list(once.values()), list(once), loc="outside upper center", ncols=len(once), fontsize=8, frameon=False
    )


def levels_picture(networks: Sequence[tuple[str, Network]], x: np.ndarray, labels: np.ndarray) -> bytes:
    """The levels of the difference of two outputs, side by side, as the bytes of a PNG file.

    Args:
        networks: names, and networks of two inputs and two outputs.
        x, labels: samples, shape (N, 2), and their classes.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10.0, 4.6), layout="constrained")
    FigureCanvasAgg(figure)
    low, high = x.min(axis=0) - 0.3, x.max(axis=0) + 0.3
    columns, rows = np.linspace(low[0], high[0], 200), np.linspace(low[1], high[1], 200)
    grid = np.stack(np.meshgrid(columns, rows), axis=-1).reshape(-1, 2)
    for axes, (name, network) in zip(figure.subplots(1, len(networks), squeeze=False).flat, networks, strict=True):
        y = network.forward(grid)
        difference = (y[:, 1] - y[:, 0]).reshape(200, 200) / np.sqrt(2.0)
        largest = float(np.abs(difference).max())
        levels = np.linspace(-largest, largest, 21)
        filled = axes.contourf(columns, rows, difference, levels=levels, cmap="PuOr", alpha=0.7)
        lines = sorted({sign * level for level in LEVELS for sign in (-1.0, 1.0)})
        drawn = axes.contour(columns, rows, difference, levels=lines, colors="black", linewidths=0.9)
        axes.clabel(drawn, fontsize=7)
        for label, marker, color in ((0, "o", BLUE), (1, "^", ATTACKED)):
            chosen = x[labels == label]
            axes.plot(chosen[:, 0], chosen[:, 1], marker, color=color, markersize=3, label=f"sample of class {label}")
        axes.set_aspect("equal")
        axes.set_xlabel("first input")
        axes.set_ylabel("second input")
        axes.set_title(name, fontsize=10)
        bar = figure.colorbar(filled, ax=axes, shrink=0.75, format="%.2g", ticks=np.linspace(-largest, largest, 5))
        bar.set_label("difference of the outputs / sqrt(2)", fontsize=8)
        bar.ax.tick_params(labelsize=7)
    figure.axes[0].plot([], [], color="black", linewidth=0.9, label="level curve, with its level")
    handles, names = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=len(names), fontsize=8, frameon=False)
    return file_of(figure, ".png", 100)
