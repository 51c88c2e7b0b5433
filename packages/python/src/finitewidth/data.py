"""Data and experiments on their way to the server: arrays into one .npz file, all else as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from .errors import InputError
from .records import Array

#: Inputs and targets; or what ``"data"`` of an experiment file may be; or a .npz or .csv file.
Data: TypeAlias = "tuple[npt.ArrayLike, npt.ArrayLike] | Mapping[str, Any] | str | Path"
#: Test inputs, with their targets or without.
Test: TypeAlias = Any


def matrix(value: npt.ArrayLike, path: str) -> Array:
    """A matrix of finite numbers, a vector as its one column. Raises InputError naming the field."""
    try:
        given: npt.NDArray[Any] = np.asarray(value)
        # numpy would leave imaginary parts out with a warning
        real = not np.iscomplexobj(given)
        array = given.astype(np.float64, copy=False) if real else np.zeros((0, 0))
    except (TypeError, ValueError) as cause:
        raise InputError(f"{path}: expected a matrix of numbers, got {type(value).__name__} ({cause})", path=path) from None
    if not real:
        raise InputError(f"{path}: expected a matrix of real numbers, got complex ones", path=path)
    if array.ndim == 1:
        array = array[:, np.newaxis]
    if array.ndim != 2:
        raise InputError(f"{path}: expected a matrix, got an array of shape {array.shape}", code="shape", path=path)
    if not np.all(np.isfinite(array)):
        row, column = np.argwhere(~np.isfinite(array))[0]
        raise InputError(f"{path}[{row}][{column}]: expected a finite number, got {array[row, column]}", path=f"{path}[{row}][{column}]")
    return array


def plain(value: Any, path: str = "") -> Any:
    """JSON of Python's and NumPy's numbers, lists and mappings. Raises InputError naming what is neither."""
    if isinstance(value, np.ndarray) or isinstance(value, np.generic):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(key): plain(entry, f"{path}.{key}" if path else str(key)) for key, entry in value.items()}
    if isinstance(value, (list, tuple, range)):
        return [plain(entry, f"{path}[{i}]") for i, entry in enumerate(value)]
    if isinstance(value, float) and not np.isfinite(value):
        raise InputError(f"{path}: expected a finite number, got {value}", path=path)
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, Path):
        return str(value)
    raise InputError(f"{path}: expected a number, text, list or mapping, got {type(value).__name__}", path=path)


def is_pair(value: Any) -> bool:
    """Whether a value is (inputs, targets) rather than a matrix of two rows."""
    return isinstance(value, tuple) and len(value) == 2 and all(np.ndim(one) >= 1 for one in value) and not _is_row_pair(value)


def _is_row_pair(value: tuple[Any, Any]) -> bool:
    return all(np.ndim(one) == 1 for one in value) and len(value[0]) == len(value[1]) and isinstance(value[0], (list, tuple))


def write_data(data: Data, test: Test | None, folder: Path) -> dict[str, Any]:
    """The ``data`` entry of an experiment; arrays go to ``data.npz`` in the folder."""
    if isinstance(data, (str, Path)):
        data = {"file": str(Path(data).resolve())}
    if isinstance(data, Mapping):
        if test is not None:
            raise InputError("test: expected nothing beside data that name their own test points, got an array", path="test")
        entry: dict[str, Any] = plain(data, "data")
        return entry
    if not isinstance(data, Sequence) or len(data) != 2:
        raise InputError("data: expected (X, y), a mapping or a file, got " + type(data).__name__, path="data")
    arrays = {"x_train": matrix(data[0], "data[0]"), "y_train": matrix(data[1], "data[1]")}
    if arrays["x_train"].shape[0] != arrays["y_train"].shape[0]:
        rows = f"{arrays['x_train'].shape[0]} rows, like data[0], got {arrays['y_train'].shape[0]}"
        raise InputError(f"data[1]: expected {rows}", code="shape", path="data[1]")
    if test is not None:
        if is_pair(test):
            assert isinstance(test, tuple)
            arrays |= {"x_test": matrix(test[0], "test[0]"), "y_test": matrix(test[1], "test[1]")}
        else:
            arrays["x_test"] = matrix(test, "test")
        if arrays["x_test"].shape[1] != arrays["x_train"].shape[1]:
            features = f"{arrays['x_train'].shape[1]} features per row, like data[0], got {arrays['x_test'].shape[1]}"
            raise InputError(f"test: expected {features}", code="shape", path="test")
    file = folder / "data.npz"
    np.savez(file, **arrays)  # type: ignore[arg-type]
    return {"file": str(file)}
