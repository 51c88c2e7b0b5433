"""Values on their way in and out: arrays of every order and type, JSON, exceptions, where Node is, progress."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import finitewidth as fw
from finitewidth import node, progress
from finitewidth.data import is_pair, matrix, plain, write_data
from finitewidth.errors import error_from
from finitewidth.records import Record, load_arrays, revive, snake


def test_the_order_and_type_of_arrays_do_not_matter(problem: dict[str, Any]) -> None:
    rng = np.random.default_rng(2)
    X, Y = rng.integers(-9, 9, size=(5, 3)), rng.integers(-4, 4, size=(5, 2))
    Z = rng.integers(-9, 9, size=(2, 3))
    problem |= {"methods": ["nngp"], "test": Z, "data": (X.tolist(), Y.tolist()), "workers": 0}
    first = fw.run(**problem)["nngp"]
    assert first.predictive is not None and first.predictive.mean.shape == (2, 2) and len(np.unique(first.predictive.mean)) == 4
    others = [
        (np.asfortranarray(X, dtype=np.float64), np.asfortranarray(Y, dtype=np.float32)),
        (np.repeat(X, 2, axis=1)[:, ::2], Y[::-1][::-1].astype(np.int8)),
        (X.astype(">f8"), Y.astype(np.int64)),
    ]
    for data in others:
        again = fw.run(**{**problem, "data": data, "test": np.asfortranarray(Z)})["nngp"]
        assert again.log_evidence == first.log_evidence
        np.testing.assert_array_equal(again.predictive.mean, first.predictive.mean)  # type: ignore[union-attr]
        np.testing.assert_array_equal(again.predict(np.asfortranarray(Z, dtype=np.float64)).mean, first.predictive.mean)


def test_matrices() -> None:
    assert matrix([1, 2, 3], "x").tolist() == [[1], [2], [3]]
    assert matrix([[1, 2, 3]], "x").tolist() == [[1, 2, 3]]
    assert matrix(np.array([[True]]), "x").dtype == np.float64
    for value, path, code in (
        (np.zeros((2, 2, 2)), "x", "shape"), (3.0, "x", "shape"), (["a"], "x", "input"), ([[1], [2, 3]], "x", "input"),
        ([[1, 2], [3, np.nan]], "x[1][1]", "input"), ([1, 2, np.inf], "x[2][0]", "input"),
        (np.array([[1 + 2j]]), "x", "input"),
    ):
        with pytest.raises(fw.InputError) as caught:
            matrix(value, "x")
        assert (caught.value.path, caught.value.code) == (path, code)
        assert str(caught.value).startswith(f"{path}: expected ")


def test_json_of_numbers_lists_and_mappings() -> None:
    given = {
        "a": np.float32(0.5), "b": np.bool_(True), "c": (1, 2), 3: range(2), "d": {"e": np.array([[1, 2]])}, "f": None, "g": False,
        "h": Path("a/b"), "i": "text", "j": np.str_("t"),
    }
    got = plain(given)
    assert got == {
        "a": 0.5, "b": True, "c": [1, 2], "3": [0, 1], "d": {"e": [[1, 2]]}, "f": None, "g": False, "h": str(Path("a/b")), "i": "text", "j": "t",
    }
    assert got["b"] is True and got["g"] is False and type(got["a"]) is float and type(got["d"]["e"][0][1]) is int
    for value, path in (
        ({"a": {"b": [1, {"c": np.nan}]}}, "a.b[1].c"), ({"a": np.array([1, np.inf])}, "a[1]"), ({"a": object()}, "a"), ({"a": [{1}]}, "a[0]"),
    ):
        with pytest.raises(fw.InputError) as caught:
            plain(value)
        assert caught.value.path == path and str(caught.value).startswith(f"{path}: expected ")


def test_test_points_with_targets_are_told_from_a_matrix_of_two_rows(tmp_path: Path) -> None:
    X, y = np.zeros((4, 3)), np.zeros(4)
    assert is_pair((X, y)) and is_pair((X.tolist(), y.tolist())) and is_pair((X, np.zeros((4, 2))))
    assert not is_pair(([1, 2, 3], [4, 5, 6])) and not is_pair(X[:2]) and not is_pair([X, y]) and not is_pair((X, y, y)) and not is_pair((1, 2))
    # of one input, rows as numbers: inputs and targets of two points, as arrays
    assert is_pair((np.array([1.0, 2]), np.array([3.0, 4]))) and is_pair(([1.0, 2], [3.0]))

    def written(data: Any, test: Any) -> dict[str, list[Any]]:
        entry = write_data(data, test, tmp_path)
        assert entry == {"file": str(tmp_path / "data.npz")}
        with np.load(entry["file"]) as content:
            return {name: content[name].tolist() for name in content.files}

    train = ([[1, 2, 3], [4, 5, 6]], [7, 8])
    arrays = {"x_train": [[1, 2, 3], [4, 5, 6]], "y_train": [[7], [8]]}
    assert written(train, None) == arrays
    assert written(list(train), ([1, 2, 3], [4, 5, 6])) == {**arrays, "x_test": [[1, 2, 3], [4, 5, 6]]}
    assert written(train, ([[1, 2, 3]], [9])) == {**arrays, "x_test": [[1, 2, 3]], "y_test": [[9]]}


@pytest.mark.parametrize(
    "data, test, path, code",
    [
        (([[1, 2]], [1, 2]), None, "data[1]", "shape"),
        (([[1, 2]], [1]), [[1, 2, 3]], "test", "shape"),
        (([[1, 2]], [1]), ([[1, np.nan]], [1]), "test[0][0][1]", "input"),
        (([[1, 2]], [1]), ([[1, 2]], ["a"]), "test[1]", "input"),
        (([[1, np.nan]], [1]), None, "data[0][0][1]", "input"),
        (([[1, 2]], [np.nan]), None, "data[1][0][0]", "input"),
        (([[1, 2]], [1], [2]), None, "data", "input"),
        (7, None, "data", "input"),
        ({"dataset": "iris"}, [[1]], "test", "input"),
        ({"a": {"b": object()}}, None, "data.a.b", "input"),
    ],
)
def test_wrong_data_name_their_place(data: Any, test: Any, path: str, code: str, tmp_path: Path) -> None:
    with pytest.raises(fw.InputError) as caught:
        write_data(data, test, tmp_path)
    assert (caught.value.path, caught.value.code) == (path, code)


@pytest.mark.parametrize("code", ["input", "shape", "file", "memory"])
def test_mistakes_of_the_caller_are_input_errors(code: str) -> None:
    one, two = {"code": code, "message": "a: m", "path": "a"}, {"code": "shape", "message": "b: n", "path": "b"}
    error = error_from(one)
    assert type(error) is fw.InputError and isinstance(error, ValueError)
    assert (str(error), error.code, error.path, error.errors) == ("a: m", code, "a", [error])
    several = error_from({**one, "errors": [one, two]})
    assert isinstance(several, fw.InputError)
    assert [(str(e), e.code, e.path) for e in several.errors] == [("a: m", code, "a"), ("b: n", "shape", "b")]


@pytest.mark.parametrize("code", ["refused", "not-converged", "not-positive-definite", "worker", "cancelled", "failed"])
def test_what_happens_while_computing_is_no_input_error(code: str) -> None:
    error = error_from({"code": code, "message": "m"})
    assert type(error) is fw.FinitewidthError and (str(error), error.code, error.path) == ("m", code, None)
    assert error_from({"message": "m"}).code == "failed"


def test_answers_get_their_arrays_and_pythons_names(tmp_path: Path) -> None:
    assert load_arrays(tmp_path) == {}
    np.savez(tmp_path / "arrays.npz", **{"results/a/mean": np.array([[1.0, 2]])})
    raw = {
        "logEvidence": -1, "mean": {"$array": "results/a/mean"}, "list": [1, None, 2.5], "grid": [[1, 2, 3], [4, None, 6]], "ragged": [[1], [2, 3]],
        "mixed": [[1, 2], ["a", "b"]],
        "words": ["a"], "flags": [True, False], "empty": [], "nothing": [None, None], "deep": {"innerKernelX2Y": [{"a": [1, 2]}]},
    }
    got = revive(raw, load_arrays(tmp_path))
    assert got["mean"].tolist() == [[1, 2]]
    np.testing.assert_array_equal(got["list"], [1, np.nan, 2.5])
    np.testing.assert_array_equal(got["grid"], [[1, 2, 3], [4, np.nan, 6]])
    assert [part.tolist() for part in got["ragged"]] == [[1], [2, 3]]
    assert got["mixed"][0].tolist() == [1, 2] and got["mixed"][1] == ["a", "b"]
    assert (got["words"], got["flags"], got["empty"], got["nothing"]) == (["a"], [True, False], [], [None, None])
    assert got["deep"]["innerKernelX2Y"][0]["a"].tolist() == [1, 2]
    assert [snake(name) for name in ("logEvidence", "q1Layer", "chi", "snake_case")] == ["log_evidence", "q1_layer", "chi", "snake_case"]
    record = Record(got)
    assert record.log_evidence == record["logEvidence"] == -1 and isinstance(record.deep, Record)
    assert list(record) == list(raw) and len(record) == 11 and {"log_evidence", "deep", "keys"} <= set(dir(record))
    assert repr(Record({"aB": 0.123456789, "c": {"d": 1}, "e": "x", "f": np.zeros((2, 3)), "g": [1, 2]})) == (
        "Record(a_b=0.123457, c=<1>, e='x', f=array(2, 3), g=<2>)"
    )
    with pytest.raises(AttributeError, match="Record has no 'logEvidence'; it has log_evidence, mean"):
        record.logEvidence
    with pytest.raises(KeyError):
        record["log_evidence"]


def test_where_node_is(monkeypatch: pytest.MonkeyPatch) -> None:
    versions = {"/own": (20, 18), "/path": (20, 19), "/wheel": (24, 1), "/new": (21, 0), "/broken": None}
    monkeypatch.setattr(node, "_version", versions.__getitem__)

    def found(own: str | None, path: str | None, wheel: str | None) -> str:
        monkeypatch.setenv("FINITEWIDTH_NODE", own or "")
        monkeypatch.setattr(node.shutil, "which", lambda name: path if name == "node" else None)
        monkeypatch.setattr(node, "_of_wheel", lambda: wheel)
        return node.find_node.__wrapped__()

    assert found("/new", "/path", "/wheel") == "/new" and found(None, "/path", "/wheel") == "/path" and found(None, None, "/wheel") == "/wheel"
    assert found("/own", "/broken", "/wheel") == "/wheel" and found("/own", "/path", None) == "/path"
    with pytest.raises(fw.NodeNotFound, match=r"/own is version 20\.18; /broken is not runnable.*pip install 'finitewidth\[node\]'") as caught:
        found("/own", "/broken", None)
    assert caught.value.code == "node"
    with pytest.raises(fw.NodeNotFound, match="none was found"):
        found(None, None, None)
    monkeypatch.undo()
    for text, version in (("v20.19.3\n", (20, 19)), ("v4.2.1", (4, 2)), ("nonsense", None)):
        monkeypatch.setattr(subprocess, "run", lambda *_, said=text, **__: SimpleNamespace(stdout=said))
        assert node._version("node") == version


def test_progress_is_told_and_drawn(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    clock = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    told: list[Any] = []
    event = {"event": "progress", "stage": "monte-carlo", "fraction": 0.25}
    with progress.ProgressLine(lambda what, fraction: told.append((what, fraction))) as line:
        line(event)
        line({"event": "outcome", "stage": "no"})
        line({"event": "progress", "stage": "reading"})
    assert told == [("monte-carlo", 0.25), ("reading", None)] and capsys.readouterr().err == ""

    def drawn(wanted: bool | None) -> str:
        with progress.ProgressLine(wanted) as line:
            line(event)  # short calls stay silent
            clock[0] += 3
            line(event)
            line({"event": "progress", "stage": "done"})
        return capsys.readouterr().err

    bar = "█" * 6 + "░" * 18
    first = f"monte-carlo {bar} 25%, 3 s"
    assert drawn(True) == f"\r{first}\r{'done'.ljust(len(first))}\r{' ' * 4}\r"
    assert drawn(False) == "" and drawn(None) == ""
    monkeypatch.setattr(progress.sys.stderr, "isatty", lambda: True, raising=False)
    assert drawn(None).startswith(f"\r{first}") and drawn(False) == ""
