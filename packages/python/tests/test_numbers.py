"""The numbers are those of the command line, to the last digit."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import finitewidth as fw
from finitewidth.node import find_node
from finitewidth.server import BUNDLE

#: The command line of the repository, where the check of the repository runs these tests; else that of the wheel. By the same Node: newer
#: ones fuse multiplications and additions, which moves last digits.
COMMAND = [find_node(), os.environ.get("FINITEWIDTH_COMMAND") or str(BUNDLE)]


def command_line(experiment: dict[str, Any], folder: Path, *, name: str = "run", file: str = "result.json") -> Any:
    (folder / "e.json").write_text(json.dumps(experiment))
    done = subprocess.run([*COMMAND, name, "e.json", "--out", "out", "--quiet"], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "out" / file).read_text())


def as_file(problem: dict[str, Any], **more: Any) -> dict[str, Any]:
    (X, y), (Z, t) = problem["data"], problem["test"]
    data = {
        "train": {"inputs": X.tolist(), "targets": y[:, None].tolist()},
        "test": {"inputs": Z.tolist(), "targets": t[:, None].tolist()},
    }
    rest = {key: problem[key] for key in ("network", "methods", "referee")}
    return {"data": data, **rest, "likelihood": {"temperature": problem["temperature"]}, **more}


def test_run(problem: dict[str, Any], tmp_path: Path) -> None:
    problem["methods"] = [*problem["methods"], {"method": "monte-carlo", "chains": 2, "draws": 60, "warmup": 40, "save": True}]
    typed = command_line(as_file(problem), tmp_path)["results"]
    result = fw.run(**problem, kernels=True)
    assert list(result) == list(typed) == ["nngp", "effective-action", "monte-carlo"]
    for name, one in result.items():
        assert one.log_evidence == typed[name].get("logEvidence")
        for part in ("predictive", "train"):
            for key in ("mean", "variance"):
                np.testing.assert_array_equal(getattr(getattr(one, part), key), typed[name][part][key], strict=True)
        error = one.generalization_error
        assert error is not None and {part: getattr(error, part) for part in ("bias", "variance", "total")} == typed[name]["generalizationError"]
        assert one.order_parameter == typed[name].get("orderParameter")
        for kernel, layer in zip(one.hidden_kernels, typed[name]["hiddenKernels"], strict=True):
            np.testing.assert_array_equal(kernel, layer["mean"])
    with np.load(tmp_path / "out" / "draws.npz") as draws:
        assert set(draws.files) == set(result.draws)
        for key in draws.files:
            np.testing.assert_array_equal(draws[key], result.draws[key])


def test_predictions_of_a_kept_posterior_are_those_of_the_run(problem: dict[str, Any]) -> None:
    for one in fw.run(**problem).values():
        again = one.predict(problem["test"][0])
        assert one.predictive is not None
        np.testing.assert_array_equal(again.mean, one.predictive.mean)
        np.testing.assert_array_equal(again.variance, one.predictive.variance)


def test_kernels_come_when_asked_for(problem: dict[str, Any]) -> None:
    one = fw.run(**problem)["nngp"]
    assert "hiddenKernels" not in one.raw
    with pytest.raises(fw.FinitewidthError, match="kernels=True"):
        one.hidden_kernels


def test_several_networks_and_a_sweep(problem: dict[str, Any], tmp_path: Path) -> None:
    networks = [{"label": label, **problem.pop("network", {"type": "fully-connected"}), "widths": [width], "activation": "erf"} for label, width in (("a", 5), ("b", 9))]
    result = fw.run(network=networks, **problem)
    assert list(result) == ["a: nngp", "a: effective-action", "b: nngp", "b: effective-action"]
    assert result["a: nngp"].predict(problem["test"][0]).mean.shape == (7, 1)
    problem["network"] = networks[0] | {}
    del problem["network"]["label"]
    swept = fw.sweep(over={"widths": [[5], [9]], "temperature": [0.1, 1]}, **problem)
    typed = command_line(as_file(problem, sweep={"widths": [[5], [9]], "temperature": [0.1, 1]}), tmp_path)["sweep"]
    frame = swept.frame()
    assert frame["widths"].tolist() == [5] * 4 + [9] * 4
    assert frame["log_evidence"].tolist() == [one["logEvidence"] for step in typed for one in step["results"].values()]
    for column, part in (("generalization_error", "total"), ("bias", "bias"), ("variance", "variance")):
        assert frame[column].tolist() == [one["generalizationError"][part] for step in typed for one in step["results"].values()]
    assert swept[0]["effective-action"].log_evidence == result["a: effective-action"].log_evidence
    with pytest.raises(fw.FinitewidthError, match="steps of a sweep .* keep no posteriors"):
        swept[1]["nngp"].predict(problem["test"][0])


def test_prior_phase_diagram_optimise(problem: dict[str, Any], tmp_path: Path) -> None:
    linear = {"type": "fully-connected", "widths": [5], "activation": "identity"}
    X, y = problem["data"]
    prior = fw.prior(network=linear, inputs=X[:3], methods=["nngp", "exact"], evaluate_at=[y[:3]])
    # Excess kurtosis of one linear hidden layer of N units: 6/N.
    np.testing.assert_allclose(prior["exact"].excess_kurtosis, 6 / 5, rtol=1e-12)
    np.testing.assert_allclose(prior["nngp"].second_moment, X[:3] @ X[:3].T / 6, rtol=1e-12)
    assert "excessKurtosis" in repr(prior) and "<html" in prior.report().page
    phase = fw.phase_diagram("erf", weight_variance=[0.5, 1, 2], bias_variance=[0, 0.1])
    assert phase.chi_perp.shape == (3, 2) and phase.critical_line.shape[1] == 2
    # Without biases erf networks are critical at σ_w² = π/4.
    np.testing.assert_allclose(phase.critical_line[np.argmin(phase.critical_line[:, 1])], [np.pi / 4, 0], atol=1e-6)
    optimum = fw.optimise(network=linear, data=(X, y), temperature=0.1, method="exact", over={"temperature": (0.01, 1)})
    best = fw.run(optimum.experiment, referee=False)["exact"].log_evidence
    assert best == pytest.approx(optimum.optimum.log_evidence, rel=1e-12)
    for factor in (0.8, 1.25):
        other = {**optimum.experiment, "likelihood": {"temperature": factor * optimum.optimum["values"]["temperature"]}}
        assert fw.run(other, referee=False)["exact"].log_evidence < best


def test_draws_for_arviz(problem: dict[str, Any]) -> None:
    problem["methods"] = [{"method": "monte-carlo", "chains": 2, "draws": 50, "warmup": 50, "save": True}]
    result = fw.run(**problem)
    arviz = pytest.importorskip("arviz")
    summary = arviz.summary(result.to_arviz(), var_names=["logLikelihood"])
    assert summary["mean"].iloc[0] == pytest.approx(result.draws["logLikelihood"].mean(), abs=0.01)
    problem["methods"] = ["nngp"]
    with pytest.raises(fw.InputError, match="save"):
        fw.run(**problem).to_arviz()


def test_tables_and_reports(problem: dict[str, Any]) -> None:
    problem["referee"] = {"seconds": 0.5}
    result = fw.run(**problem)
    header, _, *rows = repr(result).splitlines()
    assert header.split()[:3] == ["method", "log", "evidence"] and len(rows) == 2
    assert all(one.verdict["predictive"].status in ("confirmed", "doubtful", "contradicted", "unchecked") for one in result.values())
    for one in result.values():
        for key, verdict in one.verdict.items():
            told = one.raw["verdict"][key]
            assert (verdict.status, verdict.error, verdict.standard_error, verdict.how) == (
                told["status"], told["error"], told["standardError"], told["how"],
            )
    assert "<table>" in result._repr_html_() and "srcdoc" in result.report()._repr_html_()


def test_table_shows_the_worst_verdict() -> None:
    def entry(*statuses: str) -> dict[str, Any]:
        verdict = {f"q{i}": {"status": status, "error": 0.1, "standardError": 0.1, "how": "sampled"} for i, status in enumerate(statuses)}
        return {"status": "ok", "seconds": 1.0, "verdict": verdict}

    results = {
        "a": entry("confirmed", "contradicted", "doubtful"),
        "b": entry("doubtful", "confirmed", "unchecked"),
        "c": entry("unchecked", "confirmed"),
        "d": entry("unchecked"),
    }
    header, *rows = [line.split() for line in repr(fw.Result({"experiment": {}, "results": results})).splitlines() if "─" not in line]
    assert header[0] == "method"
    assert [row[-2] for row in rows] == ["contradicted", "doubtful", "confirmed", "unchecked"]
