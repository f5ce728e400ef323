"""Freed arrays leave their memory to the next ones."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

FAULTS = """
    import resource
    import numpy as np
    from verifier.search.allocation import keep_freed_memory

    def faults():
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(100):
            np.ones(1 << 19) + np.ones(1 << 19)  # 4 MB each
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

    kept = keep_freed_memory()
    faults()
    print(kept, faults())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only glibc has the setting")
def test_arrays_that_come_and_go_cost_no_page_faults() -> None:
    code = [sys.executable, "-c", textwrap.dedent(FAULTS)]
    kept, faults = subprocess.run(code, capture_output=True, text=True, check=True).stdout.split()
    if kept == "False":
        pytest.skip("another C library than glibc")
    assert int(faults) < 100  # it is one for every page otherwise, 100,000 or more
