"""Published logs of radii against the largest radius that their alpha allows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.cli.test_verify import run
from verifier.errors import PropertyError, UsageError
from verifier.smoothing.published import checked, read_radii

HEADINGS = "idx\tlabel\tpredict\tradius\tcorrect\ttime"


def write_log(path: Path, radii: list[float]) -> Path:
    rows = [f"{k}\t3\t3\t{radius:.3g}\t1\t0:00:01.2" for k, radius in enumerate(radii)]
    path.write_text("\n".join([HEADINGS, *rows]) + "\n")
    return path


@pytest.mark.parametrize(("alpha", "largest"), [(0.001, 3.811), (0.01, 3.9105)])
def test_the_largest_radius_tells_the_alpha(alpha: float, largest: float) -> None:
    found = checked(np.array([0.2, 0.5 * largest, np.nan]), 0.5, 100_000, alpha)
    assert not found.refuted
    assert found.possible == pytest.approx(largest, abs=6e-4)
    assert found.least_alpha == pytest.approx(alpha, rel=0.02)
    assert checked(np.array([0.5 * largest + 0.002]), 0.5, 100_000, alpha).refuted


def test_the_command(tmp_path: Path) -> None:
    log = write_log(tmp_path / "log.tsv", [0.0, 1.2, 1.955])
    options = "--sigma", "0.5", "--draws", "100000", "--alpha"
    done = run("check-radii", log, *options, "0.01")
    assert (done.returncode, done.stderr) == (0, "")
    assert "possible: at alpha 0.01" in done.stdout
    done = run("check-radii", log, *options, "0.001")
    assert done.returncode == 1
    assert "impossible: at alpha 0.001 and 100000 draws the largest is 3.81" in done.stdout
    done = run("check-radii", log, *options, "0.01", "--column", "r")
    assert (done.returncode, done.stdout) == (2, "error\n")
    assert "no column 'r'" in done.stderr


def test_commas_and_faults(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("idx,radius\n0,0.25\n\n1,nan\n")
    assert read_radii(tmp_path / "log.csv", "radius")[0] == 0.245
    (tmp_path / "bad.csv").write_text("idx,radius\n0,far\n")
    with pytest.raises(PropertyError, match="line 2"):
        read_radii(tmp_path / "bad.csv", "radius")
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(PropertyError, match="no column"):
        read_radii(tmp_path / "empty.csv", "radius")
    with pytest.raises(UsageError, match="no such file"):
        read_radii(tmp_path / "none.csv", "radius")
    with pytest.raises(UsageError, match="alpha"):
        checked(np.zeros(1), 0.5, 10, 2.0)
