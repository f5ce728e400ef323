"""An independent checker of proofs that a network has no violation of a property.

It trusts nobody. From the bytes of a model (ONNX) and a property (VNN-LIB 1.0) it reads, by code of its own, what is
claimed, and from a proof file how the claim is to be proved: where to split into cases, and numbers that choose a
linear relaxation in each. It computes every bound anew. A proof can therefore be too weak, but no number in it can
make a false claim pass.

**The claim.** A property describes a violation as a disjunction; a disjunct is a box of inputs and rows c . y <= t
(or <) of outputs that hold together. Accepted means: for every disjunct and every *real* input x in its box, as the
file's decimals give it, the network, as a function of real numbers with the weights that the model holds, has an
output that breaks some row.

**The proof.** A tree of cases for each distinct box: a node is its parent's part where one quantity, an input or the
operand of a nonlinear function, is at most (or at least) a number. Two children of a node that share their cut cover
it; a node may have several such pairs, for different disjuncts. A leaf closes a disjunct: for every x in its part, a
sum of the disjunct's rows with weights that are not negative, sum_r w_r (c_r . y - t_r), is bounded from below by a
positive number (or by 0, where a strict row has weight). On the way down, intervals of operands are bounded anew where
the proof says so, and facts narrow them: each is a bound of one operand's entry on one node of the tree, proved like a
leaf's, from what is known there before it.

**The bound** (`bounds`). Intervals of all values go forward. Backward, a row on a node's value becomes a row on its
operands: a linear node is substituted; a function is replaced by a line below it, where its coefficient is positive,
or above it (`lines`), a product by a plane. A line is right on the whole interval of the operand, whatever slope the
proof asks for: its intercept is computed here. Multipliers of either sign add w (z - upper) or w (z - lower), which
are not positive in the part, to the row. On the inputs the least value over the box is taken.

**Rounding.** All is IEEE 754 double arithmetic, rounded to nearest. With u = 2**-53, a sum of n products, in whatever
order it is added up, differs from the exact one by at most n u / (1 - n u) times the sum of the absolute values
(Higham 2002, section 3.1). A row's rounding so costs that times the magnitudes of the values it applies to, which the
intervals bound. Underflow costs less than `TINY` at each step, as values beyond 1e150 are refused. Elementary
functions are computed here from + - * / alone, with proved errors (`elementary`). With `exact`, rows and bounds are
computed in rational numbers instead.

**What is assumed**: Python, NumPy's elementwise double arithmetic, that its matrix products add up products in some
order, `onnx` for decoding the protobuf, and the reading of the operators in `operators`, which is short so that it can
be read.
"""
