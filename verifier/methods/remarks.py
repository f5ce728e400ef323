"""What an answer says beside its verdict: classes, and inputs that were fixed to what their type cannot hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from verifier.property.query import BY_NETWORK, Query

if TYPE_CHECKING:
    from verifier.evidence.replay import Replay
    from verifier.network.graph import Network
    from verifier.verdict import Witness


def of_classes(query: Query, witness: Witness | None, replay: Replay) -> list[str]:
    """Which classes are spoken of, where one is asked to be kept."""
    kept = query.kept
    if kept is None:
        return []
    told = [f"the sample's class is {kept.label}, as {kept.source} says"]
    if witness is None:
        return told
    leading = np.flatnonzero(witness.y == witness.y.max()).tolist()
    if len(leading) > 1:
        told.append(f"classes {' and '.join(map(str, leading))} tie at the counterexample")
    else:
        told.append(f"the counterexample's is {leading[0]}" if leading else "the counterexample has none")
    if kept.source != BY_NETWORK:
        with np.errstate(over="ignore"):
            own = int(np.argmax(replay.run(kept.sample.astype(np.float32))))
        if own != kept.label:
            told.append(f"the network gives the sample itself class {own}, which label={own} asks about")
    return told


def of_proof(network: Network, query: Query) -> list[str]:
    """What to know of a proof."""
    widened = max((d.box.widened for d in query.disjuncts), default=0)
    nearest = f"{fixed(widened)}; proved for the nearest that it can as well" if widened else ""
    remarks = [network.note, query.note, nearest]
    return [remark for remark in remarks if remark]


def fixed(count: int) -> str:
    """That inputs are fixed to decimals."""
    what = "an input is" if count == 1 else f"{count} inputs are"
    return f"{what} fixed to a number that the network's input type cannot hold"
