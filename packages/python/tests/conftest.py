"""Small data that every test can solve in a moment."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import finitewidth as fw
from fake import FakeServer


@pytest.fixture
def problem() -> dict[str, Any]:
    rng = np.random.default_rng(1)
    X = rng.normal(size=(30, 6))
    return {
        "network": {"type": "fully-connected", "widths": [20], "activation": "erf"},
        "data": (X, np.sign(X[:, 0])),
        "test": (rng.normal(size=(7, 6)), np.ones(7)),
        "methods": ["nngp", "effective-action"],
        "temperature": 0.1,
        "referee": False,
    }


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeServer:
    server = FakeServer()
    monkeypatch.setattr(fw.server, "call", server.call)
    return server
