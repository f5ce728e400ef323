"""docs/operators.md says what the registry says."""

from tests.readers.operator_list import PAGE, listing


def test_page_is_what_the_registry_says():
    assert listing() in PAGE.read_text(), "run python -m tests.readers.operator_list"
