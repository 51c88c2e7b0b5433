"""What the server is asked: every keyword of every function arrives as the field that it stands for."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import finitewidth as fw
from fake import FakeServer

NETWORK = {"type": "fully-connected", "widths": np.array([3, 5]), "activation": "erf"}
PLAIN = {"type": "fully-connected", "widths": [3, 5], "activation": "erf"}
X = np.arange(6.0).reshape(3, 2)
Y = np.array([1, -1, 2])


def ok(**more: Any) -> dict[str, Any]:
    return {"status": "ok", "seconds": 0.5, **more}


def test_keywords_of_run_are_fields(fake: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    fw.run(
        network=NETWORK, data=(X, Y), methods="nngp", temperature=np.float64(0.5), kernels=True, workers=3, seed=np.int64(7),
        scaling="mean-field", referee=False,
    )
    asked = fake.last
    assert {key: asked[key] for key in ("do", "base", "kernels", "workers", "keep")} == {
        "do": "run", "base": os.getcwd(), "kernels": True, "workers": 3, "keep": True,
    }
    assert asked["experiment"] == {
        "data": {"file": str(Path(asked["folder"]) / "data.npz")},
        "network": PLAIN,
        "methods": ["nngp"],
        "likelihood": {"temperature": 0.5},
        "seed": 7,
        "scaling": "mean-field",
        "referee": False,
    }
    assert not Path(asked["folder"]).exists()
    fw.run(network=NETWORK)
    assert (fake.last["kernels"], fake.last["workers"]) == (False, None)
    assert fake.last["experiment"] == {"network": PLAIN, "methods": "applicable"}


@pytest.mark.parametrize(
    "methods, asked",
    [
        ("nngp", ["nngp"]),
        ("applicable", "applicable"),
        (None, "applicable"),
        ({"method": "nngp", "inference": "laplace"}, [{"method": "nngp", "inference": "laplace"}]),
        (("nngp", {"method": "exact"}), ["nngp", {"method": "exact"}]),
    ],
)
def test_methods(fake: FakeServer, methods: Any, asked: Any) -> None:
    fw.run(network=NETWORK, methods=methods)
    assert fake.last["experiment"]["methods"] == asked


@pytest.mark.parametrize(
    "given, keywords, asked",
    [
        ({}, {"likelihood": "softmax"}, {"type": "softmax"}),
        ({}, {"likelihood": "softmax", "temperature": 2}, {"type": "softmax", "temperature": 2}),
        ({}, {"likelihood": {"type": "logistic", "scale": 3}}, {"type": "logistic", "scale": 3}),
        ({"likelihood": {"temperature": 1, "extra": 4}}, {"temperature": 2}, {"temperature": 2, "extra": 4}),
        ({"likelihood": {"temperature": 1}}, {}, {"temperature": 1}),
        ({"likelihood": {"temperature": 1}}, {"likelihood": "probit"}, {"type": "probit"}),
    ],
)
def test_likelihood_and_temperature(fake: FakeServer, given: dict[str, Any], keywords: dict[str, Any], asked: Any) -> None:
    fw.run(given, network=NETWORK, **keywords)
    assert fake.last["experiment"]["likelihood"] == asked


def test_a_whole_experiment_is_changed_by_keywords_and_stays_as_it_was(fake: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    several = [{"label": "a", **PLAIN}, {"label": "b", **PLAIN, "widths": [2]}]
    whole = {"network": PLAIN, "methods": ["exact"], "seed": 3, "data": {"file": Path("d.csv"), "target": "y"}, "likelihood": {"temperature": 1}}
    kept = dict(whole)
    fw.run(whole, network=several, seed=4)
    assert whole == kept
    assert fake.last["experiment"] == {
        "networks": several,
        "methods": ["exact"],
        "seed": 4,
        "data": {"file": str(tmp_path / "d.csv"), "target": "y"},
        "likelihood": {"temperature": 1},
    }
    fw.run({**whole, "networks": several}, network=PLAIN, methods="nngp", data=Path("e.npz"))
    assert fake.last["experiment"]["network"] == PLAIN and "networks" not in fake.last["experiment"]
    assert fake.last["experiment"]["methods"] == ["nngp"]
    assert fake.last["experiment"]["data"] == {"file": str(tmp_path / "e.npz")}
    fw.run({**whole, "data": "f.csv"})
    assert fake.last["experiment"]["data"] == {"file": str(tmp_path / "f.csv")}
    fw.run({**whole, "data": {"dataset": "iris", "train": 30}})
    assert fake.last["experiment"]["data"] == {"dataset": "iris", "train": 30}


def test_a_whole_experiment_may_hold_arrays(fake: FakeServer) -> None:
    fw.run({"network": PLAIN, "data": (X, Y)}, test=X[:1])
    assert sorted(fake.arrays) == ["x_test", "x_train", "y_train"]
    fw.run({"network": PLAIN, "data": (X, Y)}, data=(2 * X, 3 * Y))
    np.testing.assert_array_equal(fake.arrays["x_train"], 2 * X)
    np.testing.assert_array_equal(fake.arrays["y_train"], 3.0 * Y[:, None])
    with pytest.raises(fw.InputError, match="^data: expected training data beside test") as caught:
        fw.run(network=PLAIN, test=X)
    assert caught.value.path == "data"


def test_a_sweep_is_a_run_whose_posteriors_are_not_kept(fake: FakeServer) -> None:
    fake.answer = {"experiment": {}, "sweep": []}
    over = {"widths": ([2], [3]), "temperature": np.array([0.1, 1])}
    fw.sweep(over=over, network=NETWORK, data=(X, Y), methods=["nngp"], temperature=0.2, likelihood={"x": 1}, kernels=True, workers=2, seed=9)
    asked = fake.last
    assert [asked[key] for key in ("do", "kernels", "workers", "keep")] == ["run", True, 2, False]
    assert asked["experiment"] == {
        "data": asked["experiment"]["data"], "network": PLAIN, "methods": ["nngp"], "likelihood": {"x": 1, "temperature": 0.2},
        "seed": 9, "sweep": {"widths": [[2], [3]], "temperature": [0.1, 1]},
    }
    fw.sweep({"network": PLAIN, "sweep": {"depth": [1, 2]}})
    assert fake.last["experiment"]["sweep"] == {"depth": [1, 2]}
    fw.sweep({"network": PLAIN, "sweep": {"depth": [1, 2]}}, over={"temperature": [3]})
    assert fake.last["experiment"]["sweep"] == {"temperature": [3]}
    with pytest.raises(fw.InputError) as caught:
        fw.sweep(network=NETWORK)
    assert caught.value.path == "over"
    for wrong in ({"sweep": {"depth": [1]}}, None):
        with pytest.raises(fw.InputError) as caught:
            fw.run(wrong, **({} if wrong else {"sweep": {"depth": [1]}}))
        assert caught.value.path == "sweep"


def test_keywords_of_prior_are_fields_of_its_file(fake: FakeServer) -> None:
    fake.files = {"prior.json": json.dumps({"results": {}}), "report.html": "<html>p</html>"}
    answer = fw.prior(
        network=NETWORK, inputs=[1, 2, 3], outputs=2, methods=["nngp"], evaluate_at=[[1, 2, 3], X[:, :1]], samples=50, seed=8, workers=0,
        scaling="mean-field",
    )
    assert answer.report().page == "<html>p</html>"
    assert fake.last["argv"][0] == "prior" and fake.last["argv"][2] == "--out" and fake.last["argv"][4:] == ["--workers", "0"]
    assert fake.last["question"] == {
        "network": PLAIN, "inputs": [[1], [2], [3]], "outputs": 2, "methods": ["nngp"], "evaluateAt": [[[1], [2], [3]], [[0], [2], [4]]],
        "samples": 50, "seed": 8, "scaling": "mean-field",
    }
    fw.prior({"network": PLAIN, "seed": 1, "outputs": 3}, seed=2)
    assert fake.last["question"] == {"network": PLAIN, "seed": 2, "outputs": 3}
    assert len(fake.last["argv"]) == 4
    with pytest.raises(fw.InputError) as caught:
        fw.prior(network=PLAIN, evaluate_at=[[1], [np.nan]])
    assert caught.value.path == "evaluate_at[1][0][0]"


def test_keywords_of_phase_diagram_are_fields_of_its_file(fake: FakeServer) -> None:
    fake.files = {"phase.json": json.dumps({"chiPerp": [[1, 2], [3, 4], [5, None]]}), "report.html": "<html>q</html>"}
    grid = {"from": 0.2, "to": 3, "points": 4}
    adaptation = {"labels": [1, -1]}
    phase = fw.phase_diagram("tanh", weight_variance=np.array([1, 2.5]), bias_variance=grid, adaptation=adaptation, workers=1, seed=3)
    assert fake.last["argv"][0] == "phase-diagram" and fake.last["argv"][4:] == ["--workers", "1"]
    assert fake.last["question"] == {
        "activation": "tanh", "weightVariance": [1, 2.5], "biasVariance": grid, "adaptation": adaptation, "seed": 3,
    }
    np.testing.assert_array_equal(phase.chi_perp, [[1, 2], [3, 4], [5, np.nan]])
    assert phase.report().page == "<html>q</html>" and "&lt;html&gt;q" in phase._repr_html_()


def test_keywords_of_optimise_are_fields_of_its_file(fake: FakeServer) -> None:
    best = {"network": PLAIN, "likelihood": {"temperature": 0.25}}
    optimum = {"values": {"temperature": 0.25, "widths": 12}, "logEvidence": -3.456789}
    fake.files = {"optimise.json": json.dumps({"optimum": optimum}), "optimum.json": json.dumps(best), "report.html": "<html>r</html>"}
    given = (X, Y)
    answer = fw.optimise(
        network=NETWORK, data=given, test=X, temperature=0.1, likelihood={"a": 1}, method="effective-action", starts=3,
        over={"temperature": (0.01, 1)}, workers=2, seed=6,
    )
    assert fake.last["argv"][0] == "optimise" and fake.last["argv"][4:] == ["--workers", "2"]
    question = fake.last["question"]
    assert question == {
        "data": question["data"], "network": PLAIN, "methods": ["effective-action"], "likelihood": {"a": 1, "temperature": 0.1}, "seed": 6,
        "optimise": {"over": {"temperature": [0.01, 1]}, "method": "effective-action", "starts": 3},
    }
    assert sorted(fake.arrays) == ["x_test", "x_train", "y_train"]
    # what comes back can be run: with the data that were given, not with the file they travelled in
    assert answer.experiment == {**best, "data": given} and answer.experiment["data"] is given
    assert answer.optimum.log_evidence == -3.456789 and answer.optimum["values"]["temperature"] == 0.25
    assert answer.report().page == "<html>r</html>"
    header, _, row = repr(answer).splitlines()
    assert header.split() == ["temperature", "widths", "log", "evidence"] and row.split() == ["0.25", "12", "-3.4568"]
    whole = {"network": PLAIN, "data": {"dataset": "iris"}, "methods": ["nngp"], "optimise": {"over": {"temperature": [1, 2]}, "starts": 5}}
    assert fw.optimise(whole, starts=4).experiment["data"] == {"dataset": "iris"}
    assert fake.last["question"] == {**whole, "optimise": {"over": {"temperature": [1, 2]}, "starts": 4}}
    fw.optimise(network=PLAIN, over={"temperature": (0.01, 1)})
    assert fake.last["question"]["methods"] == ["exact"] and fake.last["question"]["optimise"] == {"over": {"temperature": [0.01, 1]}}
    fw.optimise(network=PLAIN, methods=["nngp", "exact"], method="nngp", over={})
    assert fake.last["question"]["methods"] == ["nngp", "exact"]


@pytest.mark.filterwarnings("error")
def test_a_command_that_writes_nothing_raises_what_it_said_and_one_that_complains_warns(fake: FakeServer) -> None:
    fake.notes, fake.status = ["first", "second"], 1
    with pytest.raises(fw.FinitewidthError, match="^first; second$"):
        fw.prior(network=PLAIN)
    fake.notes = []
    with pytest.raises(fw.FinitewidthError, match="^prior ended with status 1$"):
        fw.prior(network=PLAIN)
    fake.files, fake.notes = {"prior.json": json.dumps({"results": {}}), "report.html": ""}, ["watch out"]
    with pytest.warns(UserWarning, match="^watch out$"):
        fw.prior(network=PLAIN)
    fake.status = 0
    fw.prior(network=PLAIN)
    fake.answer = fw.InputError("network: expected", path="network")
    with pytest.raises(fw.InputError, match="^network: expected$"):
        fw.prior(network=PLAIN)


@pytest.mark.filterwarnings("error")
def test_methods_that_fail(fake: FakeServer) -> None:
    failed = {"status": "failed", "error": "no", "seconds": 0.1}
    fake.answer = {"experiment": {}, "results": {"nngp": failed, "exact": {**failed, "error": "not so"}}}
    with pytest.raises(fw.MethodFailed, match="^nngp: no; exact: not so$") as caught:
        fw.run(network=PLAIN)
    assert list(caught.value.result or {}) == ["nngp", "exact"] and caught.value.code == "failed"
    fake.answer = {"experiment": {}, "results": {"nngp": ok(), "exact": failed}}
    with pytest.warns(UserWarning, match="^exact failed: no$") as told:
        fw.run(network=PLAIN)
    assert len(told) == 1 and told[0].filename == __file__
    fw.run(network=PLAIN, methods="applicable")  # who takes what applies is not told what does not


def test_warnings_of_the_process(fake: FakeServer) -> None:
    fake.events = [{"event": "warning", "message": "computing in one thread: so"}]
    with pytest.warns(UserWarning, match="^computing in one thread: so$") as told:
        fw.run(network=PLAIN)
    assert len(told) == 1 and told[0].filename == __file__


def test_what_had_finished_when_ctrl_c_came(fake: FakeServer) -> None:
    event = {"event": "outcome", "method": "nngp", "outcome": ok(logEvidence=-1.5, predictive={"mean": [[1], [2]], "variance": [[3], [4]]})}
    fake.answer = fw.Cancelled("cancelled")
    fake.events = [event, {"event": "progress", "stage": "x", "fraction": 0.1}, {**event, "method": "exact"}]
    with pytest.raises(fw.Cancelled, match="^cancelled; 2 finished: the exception's .result has nngp, exact$") as caught:
        fw.run(network=PLAIN)
    result = caught.value.result
    assert result is not None and result["nngp"].log_evidence == -1.5 and result.experiment["network"] == PLAIN
    assert result["exact"].predictive is not None and result["exact"].predictive.variance.tolist() == [[3], [4]]
    fake.events = [{**event, "step": 0, "network": "a"}, {**event, "step": 1, "network": "b"}]
    with pytest.raises(fw.Cancelled) as caught:
        fw.sweep(network=[{"label": "a", **PLAIN}, {"label": "b", **PLAIN}], over={"depth": [1, 2]})
    assert list(caught.value.result or {}) == ["0: a: nngp", "1: b: nngp"]
    fake.events = []
    with pytest.raises(fw.Cancelled, match="^cancelled; nothing was finished$") as caught:
        fw.run(network=PLAIN)
    assert caught.value.result is None


@pytest.mark.parametrize(
    "array, name",
    [
        ("x_train", "data[0]"), ("y_train", "data[1]"), ("x_test", "test[0]"), ("y_test", "test[1]"),
        ("train.inputs", "data[0]"), ("train.targets", "data[1]"), ("test.inputs", "test[0]"), ("test.targets", "test[1]"),
    ],
)
def test_mistakes_in_arrays_have_the_names_that_the_caller_gave_them(fake: FakeServer, array: str, name: str) -> None:
    def said(message: str, path: str | None) -> fw.FinitewidthError:
        fake.answer = fw.InputError(message, path=path, code="shape")
        with pytest.raises(fw.InputError) as caught:
            fw.run(network=PLAIN, data=(X, Y))
        assert caught.value.code == "shape"
        return caught.value

    error = said(f"data.{array}: expected 3 rows", f"data.{array}")
    assert (str(error), error.path) == (f"{name}: expected 3 rows", name)
    error = said("seed: expected a number, got data.x_train", "seed")
    assert (str(error), error.path) == ("seed: expected a number, got data.x_train", "seed")
    error = said("something", None)
    assert (str(error), error.path) == ("something", None)
    # data that are named or written out have the names of an experiment file
    fake.answer = fw.InputError(f"data.{array}: wrong", path=f"data.{array}")
    with pytest.raises(fw.InputError, match=f"^data.{array}: wrong$"):
        fw.run(network=PLAIN, data={"train": {"inputs": [[1]], "targets": [[1]]}})


def test_a_misspelt_temperature_is_not_sent(fake: FakeServer) -> None:
    with pytest.raises(fw.InputError, match='^temprature: unknown keyword; did you mean "temperature"\\?$') as caught:
        fw.run(network=PLAIN, data=(X, Y), temprature=0.1)
    assert caught.value.path == "temprature"


def test_the_run_that_is_kept_is_the_one_that_answers(fake: FakeServer) -> None:
    fake.answer = {"experiment": {"networks": []}, "results": {"a": {"nngp": ok()}, "b": {"nngp": ok(), "exact": ok()}}}
    result = fw.run(network=PLAIN)
    result._kept = (fw.server.pid, 5)  # type: ignore[assignment]
    fake.answer = {"mean": [[1.0]], "variance": [[4.0]], "probabilities": [[0.25]]}
    prediction = result["b: exact"].predict([[1, 2]])
    assert {key: fake.last[key] for key in ("do", "of", "network", "method")} == {"do": "predict", "of": 5, "network": "b", "method": "exact"}
    assert (prediction.mean.item(), prediction.variance.item(), prediction.std.item()) == (1, 4, 2)
    assert prediction.probabilities is not None and prediction.probabilities.item() == 0.25
    for wrong in ([1, 2], [[np.inf, 1]]):
        with pytest.raises(fw.InputError) as caught:
            result["b: exact"].predict(wrong)
        assert caught.value.path == "inputs"
