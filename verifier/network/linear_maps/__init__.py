"""Linear maps between flat vectors, and the facts that every method derives its rule from."""

from verifier.network.linear_maps.base import LinearMap
from verifier.network.linear_maps.combined import Adjoint, Composition
from verifier.network.linear_maps.convolution import Convolution
from verifier.network.linear_maps.dense import Dense
from verifier.network.linear_maps.pointwise import Identity, Scaling
from verifier.network.linear_maps.selection import Selection
from verifier.network.linear_maps.sparse import Sparse

__all__ = ["Adjoint", "Composition", "Convolution", "Dense", "Identity", "LinearMap", "Scaling", "Selection", "Sparse"]
