"""The reader's table of operators says what the onnx library says, and every lowering is for a version in it."""

import onnx
import pytest

from verifier.readers.onnx import lowerings  # noqa: F401 - registers the lowerings
from verifier.readers.onnx.model import OLDEST_OPSET
from verifier.readers.onnx.registry import find_lowering, supported_operators
from verifier.readers.onnx.schema import library_schema, schema_of
from verifier.readers.onnx.standard import CLASSICAL, NEWEST, NEWEST_OF, RUNTIME, standard_schema

OPSETS = range(OLDEST_OPSET, min(NEWEST, onnx.defs.onnx_opset_version()) + 1)


@pytest.mark.parametrize("op", supported_operators())
def test_table_is_the_standard(op):
    for opset in OPSETS:
        assert standard_schema(op, opset) == library_schema(op, opset), f"{op} in operator set {opset}"


def test_every_operator_has_a_lowering_for_some_version():
    for op in supported_operators():
        schemas = [schema_of(op, opset) for opset in OPSETS]
        assert any(s is not None and find_lowering("", op, s.since) is not None for s in schemas), op


@pytest.mark.parametrize("op", supported_operators(CLASSICAL))
def test_table_of_the_other_domain_is_the_standard(op):
    for opset in range(1, NEWEST_OF[CLASSICAL] + 1):
        schema = standard_schema(op, opset, CLASSICAL)
        assert schema == library_schema(op, opset, CLASSICAL)
        assert schema is not None
        assert find_lowering(CLASSICAL, op, schema.since) is not None


def test_unknown_operators_have_no_schema():
    assert schema_of("NoSuchOperator", 13) is None


@pytest.mark.parametrize("op", supported_operators(RUNTIME))
def test_table_of_the_runtime_is_what_it_registers(op):
    from onnxruntime.capi.onnxruntime_pybind11_state import get_all_operator_schema

    schema = standard_schema(op, 1, RUNTIME)
    registered = next(s for s in get_all_operator_schema() if (s.domain, s.name) == (RUNTIME, op))
    assert schema is not None
    assert (schema.since, schema.least, schema.most) == (1, registered.min_input, registered.max_input)
    assert schema.types.keys() == registered.attributes.keys()
    assert schema.required == {name for name, a in registered.attributes.items() if a.required}
    assert find_lowering(RUNTIME, op, 1) is not None
