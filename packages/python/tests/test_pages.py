"""The examples of the pages run, and the notebook's outputs are what its cells give."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
NOTEBOOK = ROOT / "docs" / "guide" / "digits.ipynb"


@pytest.mark.parametrize("page", ["packages/python/README.md", "docs/guide/python.md"])
def test_examples(page: str) -> None:
    pytest.importorskip("arviz")
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL)
    assert blocks
    scope: dict[str, Any] = {}
    for block in blocks:
        exec(compile(block, page, "exec"), scope)


def texts(cell: Any) -> list[str]:
    """What a cell printed and returned, without figures, progress that was cleared, and the times that tables end with."""
    outputs = [output.get("text") or output.get("data", {}).get("text/plain", "") for output in cell.get("outputs", [])]
    return [re.sub(r" +\d+\.\d\d$", "", text, flags=re.MULTILINE) for text in outputs if text and not text.startswith("<Figure")]


def test_notebook() -> None:
    """FINITEWIDTH_WRITE=1 writes the outputs instead of comparing them."""
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    stored = nbformat.read(NOTEBOOK, as_version=4)
    fresh = nbformat.read(NOTEBOOK, as_version=4)
    nbclient.NotebookClient(fresh, timeout=300, kernel_name="python3").execute()
    if os.environ.get("FINITEWIDTH_WRITE"):
        for cell in fresh.cells:
            cell.metadata.pop("execution", None)
        nbformat.write(fresh, NOTEBOOK)
        return
    for was, now in zip(stored.cells, fresh.cells, strict=True):
        assert texts(now) == texts(was), f"In:\n{was.source}"
