"""Where windows lie: the attributes that convolutions and poolings share (ONNX, "Conv", "MaxPool")."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from verifier.network.linear_maps.convolution import Window
from verifier.readers.onnx.call import Call

STATE_PADS = "export the model with explicit pads"


@dataclass(frozen=True)
class Geometry:
    """A sliding window, one entry a spatial dimension.

    Attributes:
        kernel, strides, dilations: sizes and steps of the window.
        begin, end: padding as the model states it.
        out: the number of window positions; with ceil_mode the last window may reach beyond the padding.
    """

    spatial: tuple[int, ...]
    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    begin: tuple[int, ...]
    end: tuple[int, ...]
    out: tuple[int, ...]

    @property
    def reach(self) -> tuple[int, ...]:
        """End padding that all windows fit in; at least `end`."""
        return tuple(
            max(q, (o - 1) * s + d * (k - 1) + 1 - n - p)
            for n, k, s, d, p, q, o in zip(
                self.spatial, self.kernel, self.strides, self.dilations, self.begin, self.end, self.out, strict=True
            )
        )

    def window(self, groups: int = 1) -> Window:
        """The same as a convolution's window."""
        return Window(self.strides, self.begin, self.reach, self.dilations, groups)

    def patches(self, image: np.ndarray, padding: int) -> np.ndarray:
        """What each window meets: shape (*leading, *out, kernel positions); `image` is (*leading, *spatial)."""
        leading = image.ndim - len(self.kernel)
        widths = [(0, 0)] * leading + list(zip(self.begin, self.reach, strict=True))
        padded = np.pad(image, widths, constant_values=padding)
        views = []
        for offset in np.ndindex(*self.kernel):
            starts = [o * d for o, d in zip(offset, self.dilations, strict=True)]
            spans = tuple(
                slice(a, a + s * (n - 1) + 1, s) for a, s, n in zip(starts, self.strides, self.out, strict=True)
            )
            views.append(padded[(slice(None),) * leading + spans])
        return np.stack(views, axis=-1)


def geometry(call: Call, spatial: tuple[int, ...], kernel: tuple[int, ...]) -> Geometry:
    """The window of a Conv, MaxPool or AveragePool over an image of size `spatial`."""
    rank = len(spatial)
    if rank == 0 or len(kernel) != rank or min(kernel) < 1:
        raise call.error(f"a kernel of size {kernel} for an image of size {spatial}")
    strides = ones_or(call, "strides", rank)
    dilations = ones_or(call, "dilations", rank)
    spans = tuple(d * (k - 1) + 1 for d, k in zip(dilations, kernel, strict=True))
    begin, end = _padding(call, spatial, spans, strides)
    ceil = call.flag("ceil_mode")
    out = tuple(
        _positions(n, span, s, p, q, ceil) for n, span, s, p, q in zip(spatial, spans, strides, begin, end, strict=True)
    )
    if min(out) < 1:
        raise call.error(f"a window of size {spans} does not fit an image of size {spatial}")
    return Geometry(spatial, kernel, strides, dilations, begin, end, out)


def _positions(size: int, span: int, stride: int, begin: int, end: int, ceil: bool) -> int:
    room = size + begin + end - span
    if not ceil:
        return room // stride + 1
    count = -(-room // stride) + 1
    # A window that would start in the end padding is left out.
    return count - 1 if (count - 1) * stride >= size + begin else count


def ones_or(call: Call, name: str, rank: int) -> tuple[int, ...]:
    """A positive attribute with one entry a dimension, all 1 by default."""
    values = tuple(call.attribute(name, [1] * rank))
    if len(values) != rank or not 1 <= min(values) <= max(values) < 1 << 30:
        raise call.error(f"{name} {values} for {rank} spatial dimensions")
    return values


def _padding(
    call: Call, spatial: tuple[int, ...], spans: tuple[int, ...], strides: tuple[int, ...]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    mode = call.attribute("auto_pad", "NOTSET")
    if mode == "VALID":
        return (0,) * len(spatial), (0,) * len(spatial)
    if mode == "NOTSET":
        return explicit_pads(call, len(spatial))
    if mode in ("SAME_UPPER", "SAME_LOWER") and max(ones_or(call, "dilations", len(spatial))) > 1:
        does = "refuses" if call.op == "Conv" else "pads otherwise than the standard"
        raise call.error(f"{mode} with dilations, which ONNX Runtime {does}", STATE_PADS)
    totals = [(-(-n // s) - 1) * s + span - n for n, span, s in zip(spatial, spans, strides, strict=True)]
    if min(totals) < 0 and call.op != "Conv":  # a Conv has none then, as the standard says
        raise call.error(f"{mode} padding that would be negative, for which ONNX Runtime crops", STATE_PADS)
    return same_pads(call, [max(0, t) for t in totals])


def explicit_pads(call: Call, rank: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The attribute `pads`, begins and ends."""
    pads = tuple(call.attribute("pads", [0] * (2 * rank)))
    if len(pads) != 2 * rank or min(pads) < 0:
        raise call.error(f"pads {pads} for {rank} spatial dimensions")
    return pads[:rank], pads[rank:]


def same_pads(call: Call, totals: list[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Total padding split in two halves, the odd one at the end (SAME_UPPER) or at the beginning (SAME_LOWER)."""
    mode = call.attribute("auto_pad")
    if mode not in ("SAME_UPPER", "SAME_LOWER"):
        raise call.error(f"auto_pad '{mode}' is unknown")
    small, large = tuple(t // 2 for t in totals), tuple(t - t // 2 for t in totals)
    return (small, large) if mode == "SAME_UPPER" else (large, small)
