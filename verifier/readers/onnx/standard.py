"""The ONNX standard's operators, as far as this reader lowers them: operands and attributes of each version.

`onnx.defs` says the same, but to load it takes longer than to read a small network. A test holds this table against
it. Anything newer than the table, and operators that are not in it, are looked up in `onnx.defs`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

NEWEST = 28
"""The newest operator set whose operators this table holds."""

CLASSICAL = "ai.onnx.ml"
"""The domain of what scikit-learn and the like are converted to."""

RUNTIME = "com.microsoft"
"""The domain of ONNX Runtime's own operators, to which its quantiser turns a model."""

NEWEST_OF = {"": NEWEST, CLASSICAL: 5, RUNTIME: 1}
"""The same for each domain that has a table."""

MANY = 2**31 - 1
"""Operands of an operator that takes any number."""

TYPES = {"float": 1, "int": 2, "string": 3, "tensor": 4, "floats": 6, "ints": 7, "strings": 8, "sparse_tensor": 11}
"""Attribute types as AttributeProto numbers them."""

READ: dict[str, Callable[[str], Any]] = {
    "int": int,
    "float": float,
    "string": str,
    "ints": lambda text: [int(part) for part in text.split(",")],
    "strings": lambda text: text.split(","),
}
"""How a default is read."""


@dataclass(frozen=True)
class Schema:
    """An operator of the standard set, in the version that an operator set fixes.

    Attributes:
        since: the operator set in which this version of the operator appeared.
        least, most: how many inputs it takes.
        types: for each attribute its AttributeProto type.
        defaults: the values of attributes that a node may leave out and that have a default.
        required: attributes that must be given.
    """

    since: int
    least: int
    most: int
    types: dict[str, int] = field(default_factory=dict)
    defaults: dict[str, Any] = field(default_factory=dict)
    required: frozenset[str] = frozenset()


def has_operator(domain: str, op: str) -> bool:
    """Whether a domain's table has the operator in any version."""
    return op in _versions(domain)


def standard_schema(op: str, opset: int, domain: str = "") -> Schema | None:
    """The schema that the table has for an operator in an operator set; None where it has none."""
    versions = _versions(domain).get(op, {})
    since = max((v for v in versions if v <= opset), default=0)
    return _parsed(since, versions[since]) if since and opset <= NEWEST_OF[domain] else None


@lru_cache(maxsize=3)
def _versions(domain: str) -> dict[str, dict[int, str]]:
    """For every operator of a domain its versions and their signatures."""
    found: dict[str, dict[int, str]] = {}
    for line in TABLES.get(domain, "").strip().replace("\n    ", " ").splitlines():
        op, versions, signature = line.split(" ", 2)
        found.setdefault(op, {}).update((int(v), signature) for v in versions.split(","))
    return found


def _parsed(since: int, signature: str) -> Schema:
    operands, *attributes = signature.split()
    least, most = operands.split("-")
    types, defaults, required = {}, {}, set()
    for attribute in attributes:
        declared, _, default = attribute.partition("=")
        name, kind = declared.rstrip("!").split(":")
        types[name] = TYPES[kind]
        if declared.endswith("!"):
            required.add(name)
        if default:
            defaults[name] = READ[kind](default)
    return Schema(since, int(least), MANY if most == "*" else int(most), types, defaults, frozenset(required))


TABLE = """
Abs 6,13 1-1
Acos 7,22 1-1
Acosh 9,22 1-1
Add 7,13,14 2-2
And 7 2-2
ArgMax 1,11 1-1 axis:int=0 keepdims:int=1
ArgMax 12,13 1-1 axis:int=0 keepdims:int=1 select_last_index:int=0
ArgMin 1,11 1-1 axis:int=0 keepdims:int=1
ArgMin 12,13 1-1 axis:int=0 keepdims:int=1 select_last_index:int=0
Asin 7,22 1-1
Asinh 9,22 1-1
Atan 7,22 1-1
Atanh 9,22 1-1
AveragePool 7 1-1 auto_pad:string=NOTSET count_include_pad:int=0 kernel_shape:ints! pads:ints strides:ints
AveragePool 10,11 1-1 auto_pad:string=NOTSET ceil_mode:int=0 count_include_pad:int=0 kernel_shape:ints! pads:ints
    strides:ints
AveragePool 19,22 1-1 auto_pad:string=NOTSET ceil_mode:int=0 count_include_pad:int=0 dilations:ints
    kernel_shape:ints! pads:ints strides:ints
BatchNormalization 7 5-5 epsilon:float=9.999999747378752e-06 momentum:float=0.8999999761581421 spatial:int=1
BatchNormalization 9 5-5 epsilon:float=9.999999747378752e-06 momentum:float=0.8999999761581421
BatchNormalization 14,15 5-5 epsilon:float=9.999999747378752e-06 momentum:float=0.8999999761581421
    training_mode:int=0
Cast 6,9,13 1-1 to:int!
Cast 19,21,23 1-1 saturate:int=1 to:int!
Cast 24,25,28 1-1 round_mode:string=up saturate:int=1 to:int!
CastLike 15 2-2
CastLike 19,21,23 2-2 saturate:int=1
CastLike 24,25 2-2 round_mode:string=up saturate:int=1
Ceil 6,13 1-1
Celu 12,28 1-1 alpha:float=1.0
CenterCropPad 18 2-2 axes:ints
Clip 6 1-1 max:float=3.4028234663852886e+38 min:float=-3.4028234663852886e+38
Clip 11,12,13 1-3
Compress 9,11,28 2-2 axis:int
Concat 4,11,13 1-* axis:int!
Constant 1,9 0-0 value:tensor!
Constant 11 0-0 sparse_value:sparse_tensor value:tensor
Constant 12,13,19,21,23,24,25 0-0 sparse_value:sparse_tensor value:tensor value_float:float value_floats:floats
    value_int:int value_ints:ints value_string:string value_strings:strings
ConstantOfShape 9,20,21,23,24,25 1-1 value:tensor
Conv 1,11,22 2-3 auto_pad:string=NOTSET dilations:ints group:int=1 kernel_shape:ints pads:ints strides:ints
ConvInteger 10 2-4 auto_pad:string=NOTSET dilations:ints group:int=1 kernel_shape:ints pads:ints strides:ints
ConvTranspose 1,11,22 2-3 auto_pad:string=NOTSET dilations:ints group:int=1 kernel_shape:ints output_padding:ints
    output_shape:ints pads:ints strides:ints
Cos 7,22 1-1
Cosh 9,22 1-1
CumSum 11,14 2-2 exclusive:int=0 reverse:int=0
DepthToSpace 1 1-1 blocksize:int!
DepthToSpace 11,13,28 1-1 blocksize:int! mode:string=DCR
DequantizeLinear 10 2-3
DequantizeLinear 13,19 2-3 axis:int=1
DequantizeLinear 21 2-3 axis:int=1 block_size:int=0
DequantizeLinear 23,24,25,28 2-3 axis:int=1 block_size:int=0 output_dtype:int=0
Div 7,13,14 2-2
Dropout 7,10 1-1 ratio:float=0.5
Dropout 12,13,22 1-3 seed:int
DynamicQuantizeLinear 11 1-1
Einsum 12,28 1-* equation:string!
Elu 6,22 1-1 alpha:float=1.0
Equal 7,11,13,19 2-2
Erf 9,13 1-1
Exp 6,13 1-1
Expand 8,13 2-2
EyeLike 9,22 1-1 dtype:int k:int=0
Flatten 1,9,11,13,21,23,24,25 1-1 axis:int=1
Floor 6,13 1-1
GRU 7 3-6 activation_alpha:floats activation_beta:floats activations:strings clip:float direction:string=forward
    hidden_size:int linear_before_reset:int=0
GRU 14,22 3-6 activation_alpha:floats activation_beta:floats activations:strings clip:float direction:string=forward
    hidden_size:int layout:int=0 linear_before_reset:int=0
Gather 1,11,13 2-2 axis:int=0
GatherElements 11,13 2-2 axis:int=0
GatherND 11 2-2
GatherND 12,13 2-2 batch_dims:int=0
Gelu 20 1-1 approximate:string=none
Gemm 7,9 3-3 alpha:float=1.0 beta:float=1.0 transA:int=0 transB:int=0
Gemm 11,13 2-3 alpha:float=1.0 beta:float=1.0 transA:int=0 transB:int=0
GlobalAveragePool 1,22 1-1
GlobalLpPool 2,22 1-1 p:int=2
GlobalMaxPool 1,22 1-1
Greater 7,9,13 2-2
GreaterOrEqual 12,16 2-2
GridSample 16 2-2 align_corners:int=0 mode:string=bilinear padding_mode:string=zeros
GridSample 20,22 2-2 align_corners:int=0 mode:string=linear padding_mode:string=zeros
GroupNormalization 18 3-3 epsilon:float=9.999999747378752e-06 num_groups:int!
GroupNormalization 21 3-3 epsilon:float=9.999999747378752e-06 num_groups:int! stash_type:int=1
HardSigmoid 6,22 1-1 alpha:float=0.20000000298023224 beta:float=0.5
HardSwish 14,22 1-1
Hardmax 1,11 1-1 axis:int=1
Hardmax 13 1-1 axis:int=-1
Identity 1,13,14,16,19,21,23,24,25 1-1
InstanceNormalization 6,22 3-3 epsilon:float=9.999999747378752e-06
IsInf 10,20 1-1 detect_negative:int=1 detect_positive:int=1
IsNaN 9,13,20 1-1
LRN 1,13 1-1 alpha:float=9.999999747378752e-05 beta:float=0.75 bias:float=1.0 size:int!
LSTM 7 3-8 activation_alpha:floats activation_beta:floats activations:strings clip:float direction:string=forward
    hidden_size:int input_forget:int=0
LSTM 14,22 3-8 activation_alpha:floats activation_beta:floats activations:strings clip:float direction:string=forward
    hidden_size:int input_forget:int=0 layout:int=0
LayerNormalization 17 2-3 axis:int=-1 epsilon:float=9.999999747378752e-06 stash_type:int=1
LeakyRelu 6,16 1-1 alpha:float=0.009999999776482582
Less 7,9,13 2-2
LessOrEqual 12,16 2-2
Log 6,13 1-1
LogSoftmax 1,11 1-1 axis:int=1
LogSoftmax 13 1-1 axis:int=-1
LpNormalization 1,22 1-1 axis:int=-1 p:int=2
LpPool 2,11 1-1 auto_pad:string=NOTSET kernel_shape:ints! p:int=2 pads:ints strides:ints
LpPool 18,22 1-1 auto_pad:string=NOTSET ceil_mode:int=0 dilations:ints kernel_shape:ints! p:int=2 pads:ints
    strides:ints
MatMul 1,9,13 2-2
MatMulInteger 10 2-4
Max 6,8,12,13 1-*
MaxPool 1 1-1 auto_pad:string=NOTSET kernel_shape:ints! pads:ints strides:ints
MaxPool 8 1-1 auto_pad:string=NOTSET kernel_shape:ints! pads:ints storage_order:int=0 strides:ints
MaxPool 10,11,12,22 1-1 auto_pad:string=NOTSET ceil_mode:int=0 dilations:ints kernel_shape:ints! pads:ints
    storage_order:int=0 strides:ints
Mean 6,8,13 1-*
MeanVarianceNormalization 9,13 1-1 axes:ints=0,2,3
Min 6,8,12,13 1-*
Mish 18,22 1-1
Mod 10,13,28 2-2 fmod:int=0
Mul 7,13,14 2-2
Neg 6,13 1-1
Not 1 1-1
OneHot 9,11,28 3-3 axis:int=-1
Or 7 2-2
PRelu 7,9,16 2-2
Pad 2 1-1 mode:string=constant pads:ints! value:float=0.0
Pad 11,13 2-3 mode:string=constant
Pad 18,19,21,23,24,25 2-4 mode:string=constant
Pow 7,12,13,15 2-2
QLinearConv 10 8-9 auto_pad:string=NOTSET dilations:ints group:int=1 kernel_shape:ints pads:ints strides:ints
QLinearMatMul 10,21 8-8
QuantizeLinear 10 2-3
QuantizeLinear 13 2-3 axis:int=1
QuantizeLinear 19 2-3 axis:int=1 saturate:int=1
QuantizeLinear 21 2-3 axis:int=1 block_size:int=0 output_dtype:int=0 saturate:int=1
QuantizeLinear 23,24,25,28 2-3 axis:int=1 block_size:int=0 output_dtype:int=0 precision:int=0 saturate:int=1
RMSNormalization 23 2-2 axis:int=-1 epsilon:float=9.999999747378752e-06 stash_type:int=1
RNN 7 3-6 activation_alpha:floats activation_beta:floats activations:strings=Tanh,Tanh clip:float
    direction:string=forward hidden_size:int
RNN 14,22 3-6 activation_alpha:floats activation_beta:floats activations:strings=Tanh,Tanh clip:float
    direction:string=forward hidden_size:int layout:int=0
Range 11 3-3
Range 27 3-3 stash_type:int=1
Reciprocal 6,13 1-1
ReduceL1 1,11,13 1-1 axes:ints keepdims:int=1
ReduceL1 18 1-2 keepdims:int=1 noop_with_empty_axes:int=0
ReduceL2 1,11,13 1-1 axes:ints keepdims:int=1
ReduceL2 18 1-2 keepdims:int=1 noop_with_empty_axes:int=0
ReduceLogSum 1,11,13 1-1 axes:ints keepdims:int=1
ReduceLogSum 18,28 1-2 keepdims:int=1 noop_with_empty_axes:int=0
ReduceLogSumExp 1,11,13 1-1 axes:ints keepdims:int=1
ReduceLogSumExp 18,28 1-2 keepdims:int=1 noop_with_empty_axes:int=0
ReduceMax 1,11,12,13 1-1 axes:ints keepdims:int=1
ReduceMax 18,20 1-2 keepdims:int=1 noop_with_empty_axes:int=0
ReduceMean 1,11,13 1-1 axes:ints keepdims:int=1
ReduceMean 18 1-2 keepdims:int=1 noop_with_empty_axes:int=0
ReduceMin 1,11,12,13 1-1 axes:ints keepdims:int=1
ReduceMin 18,20 1-2 keepdims:int=1 noop_with_empty_axes:int=0
ReduceProd 1,11,13 1-1 axes:ints keepdims:int=1
ReduceProd 18 1-2 keepdims:int=1 noop_with_empty_axes:int=0
ReduceSum 1,11 1-1 axes:ints keepdims:int=1
ReduceSum 13 1-2 keepdims:int=1 noop_with_empty_axes:int=0
ReduceSumSquare 1,11,13 1-1 axes:ints keepdims:int=1
ReduceSumSquare 18 1-2 keepdims:int=1 noop_with_empty_axes:int=0
Relu 6,13,14 1-1
Reshape 5,13 2-2
Reshape 14,19,21,23,24,25 2-2 allowzero:int=0
Resize 10 2-2 mode:string=nearest
Resize 11 3-4 coordinate_transformation_mode:string=half_pixel cubic_coeff_a:float=-0.75 exclude_outside:int=0
    extrapolation_value:float=0.0 mode:string=nearest nearest_mode:string=round_prefer_floor
Resize 13 1-4 coordinate_transformation_mode:string=half_pixel cubic_coeff_a:float=-0.75 exclude_outside:int=0
    extrapolation_value:float=0.0 mode:string=nearest nearest_mode:string=round_prefer_floor
Resize 18,19 1-4 antialias:int=0 axes:ints coordinate_transformation_mode:string=half_pixel
    cubic_coeff_a:float=-0.75 exclude_outside:int=0 extrapolation_value:float=0.0
    keep_aspect_ratio_policy:string=stretch mode:string=nearest nearest_mode:string=round_prefer_floor
ReverseSequence 10,28 2-2 batch_axis:int=1 time_axis:int=0
RoiAlign 10 3-3 mode:string=avg output_height:int=1 output_width:int=1 sampling_ratio:int=0 spatial_scale:float=1.0
RoiAlign 16,22 3-3 coordinate_transformation_mode:string=half_pixel mode:string=avg output_height:int=1
    output_width:int=1 sampling_ratio:int=0 spatial_scale:float=1.0
Round 11,22 1-1
Scatter 9,11 3-3 axis:int=0
ScatterElements 11,13 3-3 axis:int=0
ScatterElements 16,18 3-3 axis:int=0 reduction:string=none
ScatterND 11,13 3-3
ScatterND 16,18 3-3 reduction:string=none
Selu 6,22 1-1 alpha:float=1.6732631921768188 gamma:float=1.0507010221481323
Shape 1,13 1-1
Shape 15,19,21,23,24,25 1-1 end:int start:int=0
Shrink 9 1-1 bias:float=0.0 lambd:float=0.5
Sigmoid 6,13 1-1
Sign 9,13 1-1
Sin 7,22 1-1
Sinh 9,22 1-1
Size 1,13,19,21,23,24,25 1-1
Slice 1 1-1 axes:ints ends:ints! starts:ints!
Slice 10,11,13 3-5
Softmax 1,11 1-1 axis:int=1
Softmax 13 1-1 axis:int=-1
Softplus 1,22 1-1
Softsign 1,22 1-1
SpaceToDepth 1,13 1-1 blocksize:int!
SpaceToDepth 28 1-1 blocksize:int! mode:string=DCR
Split 2,11 1-1 axis:int=0 split:ints
Split 13 1-2 axis:int=0
Split 18 1-2 axis:int=0 num_outputs:int
Sqrt 6,13 1-1
Squeeze 1,11 1-1 axes:ints
Squeeze 13,21,23,24,25 1-2
Sub 7,13,14 2-2
Sum 6,8,13 1-*
Swish 24 1-1 alpha:float=1.0
Tan 7,22 1-1
Tanh 6,13 1-1
ThresholdedRelu 10,22 1-1 alpha:float=1.0
Tile 6,13 2-2
TopK 1 1-1 axis:int=-1 k:int!
TopK 10 2-2 axis:int=-1
TopK 11,24 2-2 axis:int=-1 largest:int=1 sorted:int=1
Transpose 1,13,21,23,24,25 1-1 perm:ints
Trilu 14 1-2 upper:int=1
Unsqueeze 1,11 1-1 axes:ints!
Unsqueeze 13,21,23,24,25 2-2
Upsample 7 1-1 mode:string=nearest scales:floats!
Upsample 9,10 2-2 mode:string=nearest
Where 9,16 3-3
Xor 7 2-2
"""
"""Operator, versions, operands, and attributes as name:type, ! where required, = a default."""

CLASSICAL_TABLE = """
ArrayFeatureExtractor 1 2-2
LinearClassifier 1 1-1 classlabels_ints:ints classlabels_strings:strings coefficients:floats! intercepts:floats
    multi_class:int=0 post_transform:string=NONE
LinearRegressor 1 1-1 coefficients:floats intercepts:floats post_transform:string=NONE targets:int=1
Normalizer 1 1-1 norm:string=MAX
Scaler 1 1-1 offset:floats scale:floats
ZipMap 1 1-1 classlabels_int64s:ints classlabels_strings:strings
"""
"""The same of the domain `CLASSICAL`."""

RUNTIME_TABLE = """
DequantizeLinear 1 2-3 axis:int
MatMulIntegerToFloat 1 4-7
QGemm 1 6-9 alpha:float=1.0 transA:int=0 transB:int=0
QLinearAdd 1 7-8
QLinearAveragePool 1 4-5 auto_pad:string=NOTSET ceil_mode:int=0 channels_last:int=0 count_include_pad:int=0
    kernel_shape:ints! pads:ints strides:ints
QLinearConcat 1 3-* axis:int!
QLinearGlobalAveragePool 1 5-5 channels_last:int=0
QLinearLeakyRelu 1 4-5 alpha:float=0.009999999776482582
QLinearMul 1 7-8
QLinearSigmoid 1 4-5
QuantizeLinear 1 2-3 axis:int
"""
"""The same of the domain `RUNTIME`, as ONNX Runtime registers them."""

TABLES = {"": TABLE, CLASSICAL: CLASSICAL_TABLE, RUNTIME: RUNTIME_TABLE}
