"""What a result depends on beyond its question: versions, machine, revision of the source."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from verifier.version import __version__

PACKAGES = (
    "numpy",
    "scipy",
    "onnx",
    "onnxruntime",
    "highspy",
    "torch",
    "vnnlib",
    "distributed",
    "cvxpy",
    "pulp",
)


def facts() -> dict[str, object]:
    """Versions, machine and git revision, for JSON."""
    return {"versions": _versions(), "machine": _machine(), "revision": revision(), "command": sys.argv}


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "verifier": __version__}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _machine() -> dict[str, object]:
    import psutil

    return {
        "host": platform.node(),
        "system": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_mb": round(psutil.virtual_memory().total / 1e6),
    }


def _processor() -> str:
    """The processor's name; Linux keeps it where `platform` does not look."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def revision() -> str:
    """The git revision of verifier's own source, ``+`` after it where files differ; "" where it is no checkout."""
    source = Path(__file__).resolve().parents[1]
    try:
        head = _git(source, "rev-parse", "HEAD")
        return head + ("+" if head and _git(source, "status", "--porcelain", "--untracked-files=no", ".") else "")
    except (OSError, subprocess.SubprocessError):
        return ""


def _git(folder: Path, *arguments: str) -> str:
    if not (folder.parent / ".git").exists():
        return ""
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
