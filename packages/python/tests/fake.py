"""A server that computes nothing: it keeps what it is asked and answers what it is told to."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np


class FakeServer:
    """Requests in ``calls``, each with the arrays of its data; ``answer`` is what comes back, or what raises."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []
        self.arrays: dict[str, np.ndarray[Any, Any]] = {}
        self.answer: Any = {"experiment": {}, "results": {}}
        self.events: list[dict[str, Any]] = []
        self.files: dict[str, str] = {}
        self.status = 0
        self.notes: list[str] = []

    @property
    def last(self) -> dict[str, Any]:
        return self.calls[-1]

    def call(self, do: str, on_event: Callable[[dict[str, Any]], None] | None = None, **fields: Any) -> Any:
        request = {"do": do, **json.loads(json.dumps(fields, allow_nan=False))}
        if do == "command":
            source = Path(fields["argv"][1])
            request["question"] = json.loads(source.read_text(encoding="utf-8"))
            out = Path(fields["argv"][fields["argv"].index("--out") + 1])
            for name, content in self.files.items():
                out.mkdir(exist_ok=True)
                (out / name).write_text(content, encoding="utf-8")
        data = (request.get("question") or fields.get("experiment") or {}).get("data")
        if isinstance(data, dict) and str(data.get("file", "")).endswith("data.npz"):
            with np.load(data["file"]) as content:
                self.arrays = {name: content[name] for name in content.files}
        self.calls.append(request)
        for event in self.events:
            assert on_event is not None
            on_event(event)
        if isinstance(self.answer, BaseException):
            raise self.answer
        if do == "command":
            return {"status": self.status, "stdout": "", "notes": self.notes, "$request": 5}
        return {**self.answer, "$request": 5}
