"""Answers as objects: JSON with NumPy arrays in it, its fields as attributes in Python's spelling."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def snake(name: str) -> str:
    """logEvidence → log_evidence."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def load_arrays(folder: str | Path) -> dict[str, Array]:
    """The arrays of an answer by their names; none when there is no file."""
    file = Path(folder) / "arrays.npz"
    if not file.exists():
        return {}
    with np.load(file) as content:
        return {name: content[name] for name in content.files}


def revive(value: Any, arrays: Mapping[str, Array]) -> Any:
    """Puts arrays where their names stand; lists of numbers become arrays, null in them NaN."""
    if isinstance(value, dict):
        return arrays[value["$array"]] if "$array" in value else {key: revive(entry, arrays) for key, entry in value.items()}
    if isinstance(value, list):
        return _numbers(value) if _is_numeric(value) else [revive(entry, arrays) for entry in value]
    return value


def _is_numeric(value: list[Any]) -> bool:
    """Whether nested lists hold numbers only (null among them) and have no ragged edge."""
    if not value:
        return False
    if all(isinstance(entry, list) for entry in value):
        return len({len(entry) for entry in value}) == 1 and all(_is_numeric(entry) for entry in value)
    return any(isinstance(one, (int, float)) for one in value) and all(
        one is None or (isinstance(one, (int, float)) and not isinstance(one, bool)) for one in value
    )


def _numbers(value: list[Any]) -> Array:
    return np.array(value, dtype=np.float64)


class Record(Mapping[str, Any]):
    """A mapping whose keys are attributes too: ``record["logEvidence"]`` is ``record.log_evidence``."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        self._content = dict(content)
        self._names = {snake(key): key for key in self._content}

    def __getitem__(self, key: str) -> Any:
        value = self._content[key]
        return Record(value) if isinstance(value, dict) else value

    def __iter__(self) -> Iterator[str]:
        return iter(self._content)

    def __len__(self) -> int:
        return len(self._content)

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("_") and name in self._names:
            return self[self._names[name]]
        raise AttributeError(f"{type(self).__name__} has no {name!r}; it has {', '.join(self.__dict__.get('_names', ()))}")

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._names]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={_short(self._content[key])}' for name, key in self._names.items())})"


def _short(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"array{value.shape}"
    if isinstance(value, (dict, list)):
        return f"<{len(value)}>"
    return f"{value:.6g}" if isinstance(value, float) else repr(value)
