"""The pictures of the line-up: certified accuracy of all networks, and level curves in the plane."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np

from verifier.evaluation.evaluate import Accuracy
from verifier.network.graph import Network

STYLES = ("-", "--", "-.", ":")
COLUMNS = 5
LEVELS = (0.0, 0.1, 0.2, 0.3)


def certified_picture(networks: Sequence[tuple[str, Accuracy]], room: np.ndarray) -> bytes:
    """A curve for each network: the share that some method certifies, at each size, as the bytes of a PNG file.

    Args:
        networks: names and robust accuracies, all at the same sizes.
        room: what accuracy itself allows for each sample, shape (N,).
    """
    from matplotlib import colormaps
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.0, 5.0), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    colors = colormaps["tab10"].colors  # type: ignore[attr-defined]
    for place, (name, found) in enumerate(networks):
        sizes = [0.0, *(size.epsilon for size in found.summary.sizes)]
        shares = [found.summary.clean.value, *(size.by_any.value for size in found.summary.sizes)]
        axes.plot(sizes, shares, STYLES[place // 10], color=colors[place % 10], marker="o", markersize=3, label=name)
    fine = np.linspace(0.0, sizes[-1], 200)
    axes.plot(fine, [(room > size).mean() for size in fine], "k--", linewidth=1.0, label="what accuracy allows")
    axes.set_ylim(-0.02, 1.02)
    axes.set_xlim(left=0.0)
    axes.set_xlabel(f"size of the perturbation, {networks[0][1].options.norm:g}-norm")
    axes.set_ylabel("certified share of the samples")
    axes.grid(color="0.92")
    figure.legend(loc="outside right upper", fontsize=8, frameon=False)
    return _png(figure)


def methods_picture(networks: Sequence[tuple[str, Accuracy]]) -> bytes:
    """A panel for each network: what each method certifies at each size, and what attacks leave, as a PNG file's bytes.

    Args:
        networks: names and robust accuracies, all by the same methods at the same sizes.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = -(-len(networks) // COLUMNS)
    figure = Figure(figsize=(2.3 * COLUMNS, 0.6 + 1.9 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(rows, COLUMNS, sharex=True, sharey=True, squeeze=False).flat
    for axes, (name, found) in zip(panels, networks, strict=False):
        sizes = [0.0, *(size.epsilon for size in found.summary.sizes)]
        clean = found.summary.clean.value
        for method in found.summary.sizes[0].certified:
            shares = [size.certified[method].value for size in found.summary.sizes]
            axes.plot(sizes[1:], shares, marker="o", markersize=2.5, linewidth=1.2, label=method)
        left = [clean, *(size.unbroken.value for size in found.summary.sizes)]
        axes.plot(sizes, left, "k--", linewidth=1.0, label="not broken by attacks")
        axes.set_title(name, fontsize=9)
        axes.grid(color="0.92")
        axes.tick_params(labelsize=7)
    for axes in list(figure.axes)[len(networks) :]:
        axes.set_axis_off()
    figure.axes[0].set_ylim(-0.02, 1.02)
    figure.supxlabel(f"size of the perturbation, {networks[0][1].options.norm:g}-norm", fontsize=9)
    figure.supylabel("share of the samples", fontsize=9)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(labels), fontsize=8, frameon=False)
    return _png(figure)


def levels_picture(networks: Sequence[tuple[str, Network]], x: np.ndarray, labels: np.ndarray) -> bytes:
    """The levels of the difference of two outputs, side by side, as the bytes of a PNG file.

    Args:
        networks: names, and networks of two inputs and two outputs.
        x, labels: samples, shape (N, 2), and their classes.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10.0, 4.4), layout="constrained")
    FigureCanvasAgg(figure)
    low, high = x.min(axis=0) - 0.3, x.max(axis=0) + 0.3
    columns, rows = np.linspace(low[0], high[0], 200), np.linspace(low[1], high[1], 200)
    grid = np.stack(np.meshgrid(columns, rows), axis=-1).reshape(-1, 2)
    for axes, (name, network) in zip(figure.subplots(1, len(networks)), networks, strict=True):
        y = network.forward(grid)
        difference = (y[:, 1] - y[:, 0]).reshape(200, 200) / np.sqrt(2.0)
        axes.contourf(columns, rows, difference, levels=20, cmap="RdBu_r", alpha=0.6)
        levels = sorted({sign * level for level in LEVELS for sign in (-1.0, 1.0)})
        lines = axes.contour(columns, rows, difference, levels=levels, colors="black", linewidths=0.9)
        axes.clabel(lines, fontsize=7)
        for label, marker in ((0, "o"), (1, "^")):
            chosen = x[labels == label]
            axes.plot(chosen[:, 0], chosen[:, 1], marker, color="black", markersize=2, linestyle="none")
        axes.set_aspect("equal")
        axes.set_title(name, fontsize=10)
    return _png(figure)


def _png(figure) -> bytes:  # type: ignore[no-untyped-def]
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=100)
    return file.getvalue()
