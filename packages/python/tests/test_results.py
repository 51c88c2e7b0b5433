"""Results as objects and as tables: every attribute is the field of its name, every column shows what its head says."""

from __future__ import annotations

import gc
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import finitewidth as fw
from finitewidth.tables import html_table, number, text_table

GOOD: dict[str, Any] = {
    "status": "ok",
    "seconds": 1.239,
    "logEvidence": -12.3456789,
    "predictive": {"mean": np.array([[1.0], [2]]), "variance": np.array([[4.0], [9]]), "probabilities": np.array([[0.75], [0.5]])},
    "train": {"mean": np.array([[3.0]]), "variance": np.array([[0.25]])},
    "generalizationError": {"bias": 0.125, "variance": 0.25, "total": 0.375},
    "classification": {"accuracy": 0.91234, "negativeLogLikelihood": 0.5},
    "orderParameter": np.array([1.5, 2.25]),
    "hiddenKernels": [{"layer": 1, "mean": np.array([[1.0]])}, {"layer": 2, "mean": np.array([[2.0]])}],
    "standardError": {"logEvidence": 0.01},
    "verdict": {
        "predictive": {"status": "doubtful", "error": 0.1, "standardError": 0.05, "how": "sampled"},
        "kernels": {"status": "unchecked", "how": "no draws"},
    },
    "diagnostics": {"effectiveSamples": 33},
    "warnings": ["mind"],
}
BARE = {"status": "ok", "seconds": 0.5, "orderParameter": 0.75}
FAILED = {"status": "failed", "seconds": 2.5, "error": "must be linear"}


def of(results: dict[str, Any], experiment: dict[str, Any] | None = None, **more: Any) -> fw.Result:
    return fw.Result({"experiment": experiment or {}, "results": results, **more})


class Cells(HTMLParser):
    """Rows of an HTML table."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self._inside = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag == "tr":
            self.rows.append([])
        self._inside = tag in ("td", "th")
        if self._inside:
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.rows[-1][-1] += data


def test_attributes_are_the_fields_of_their_name() -> None:
    one = of({"a": GOOD})["a"]
    assert (one.method, one.status, one.error, one.log_evidence, one.seconds, one.warnings) == ("a", "ok", None, -12.3456789, 1.239, ["mind"])
    assert one.predictive is not None and one.train is not None and one.predictive.probabilities is not None
    assert one.predictive.mean.tolist() == [[1], [2]] and one.predictive.variance.tolist() == [[4], [9]]
    assert one.predictive.std.tolist() == [[2], [3]] and one.predictive.probabilities.tolist() == [[0.75], [0.5]]
    assert one.train.mean.tolist() == [[3]] and one.train.std.tolist() == [[0.5]] and one.train.probabilities is None
    error = one.generalization_error
    assert error is not None and (error.bias, error.variance, error.total) == (0.125, 0.25, 0.375)
    assert one.classification is not None and one.classification.negative_log_likelihood == 0.5
    assert isinstance(one.order_parameter, np.ndarray) and one.order_parameter.tolist() == [1.5, 2.25]
    assert [layer.item() for layer in one.hidden_kernels] == [1, 2]
    assert one.standard_error is not None and one.standard_error.log_evidence == 0.01 and one.diagnostics.effective_samples == 33
    assert one.verdict == {"predictive": fw.Verdict("doubtful", 0.1, 0.05, "sampled"), "kernels": fw.Verdict("unchecked", None, None, "no draws")}
    assert repr(one.predictive) == "Prediction(mean: array(2, 1), variance: array(2, 1), probabilities: array(2, 1))"
    assert repr(one.train) == "Prediction(mean: array(1, 1), variance: array(1, 1))"


def test_what_a_method_cannot_give_is_none_and_of_one_that_failed_an_error() -> None:
    result = of({"b": BARE, "c": FAILED})
    bare, failed = result["b"], result["c"]
    for name in ("error", "log_evidence", "predictive", "train", "generalization_error", "classification", "standard_error"):
        assert getattr(bare, name) is None
    assert (bare.verdict, dict(bare.diagnostics), bare.warnings, bare.order_parameter) == ({}, {}, [], 0.75)
    with pytest.raises(fw.FinitewidthError, match="^b: no hidden kernels are here; ask for them with run") as caught:
        bare.hidden_kernels
    assert caught.value.code == "absent"
    assert (failed.status, failed.error, failed.seconds) == ("failed", "must be linear", 2.5)
    for name in ("log_evidence", "predictive", "train", "generalization_error", "classification", "order_parameter", "verdict", "diagnostics"):
        with pytest.raises(fw.MethodFailed, match="^c: must be linear$"):
            getattr(failed, name)


def test_results_are_mappings_of_methods_and_of_networks() -> None:
    result = of({"x": {"nngp": GOOD, "exact": BARE}, "y": {"nngp": FAILED}}, {"networks": []}, provenance={"nodeVersion": "v"}, referee={"a": 1})
    assert list(result) == ["x: nngp", "x: exact", "y: nngp"] and len(result) == 3
    assert result["y: nngp"].error == "must be linear" and result["x: exact"].order_parameter == 0.75
    assert result.provenance.node_version == "v" and result.referee is not None and result.referee.a == 1
    assert of({}).referee is None and of({"a": GOOD}, {"seed": 3}).experiment == {"seed": 3}
    with pytest.raises(KeyError, match="'nngp'; there are x: nngp, x: exact, y: nngp"):
        result["nngp"]
    assert [line.split("  ")[0] for line in repr(result).splitlines()[2:]] == ["x: nngp", "x: exact", "y: nngp"]


def test_the_table_of_a_result() -> None:
    many = {**GOOD, "orderParameter": np.array([1.0, 2, 3, 4]), "classification": None, "verdict": {}}
    result = of({"good": GOOD, "<bare>": BARE, "bad": FAILED, "many": many})
    header = ["method", "log evidence", "generalisation error", "accuracy", "order parameter", "referee", "s"]
    rows = [
        ["good", "-12.346", "0.375", "0.9123", "1.5, 2.25", "doubtful", "1.24"],
        ["<bare>", "", "", "", "0.75", "", "0.50"],
        ["bad", "failed", "", "", "", "", "2.50"],
        ["many", "-12.346", "0.375", "", "array(4,)", "", "1.24"],
    ]
    assert repr(result) == text_table(header, rows)
    assert Cells(result._repr_html_()).rows == [header, *rows]
    # without scores there is no column for them; one method is a table of one row
    assert repr(result["bad"]) == text_table([*header[:3], *header[4:]], [["bad", "failed", "", "", "", "2.50"]])
    assert Cells(result["good"]._repr_html_()).rows == [header, rows[0]]


def test_tables_as_text_and_as_html() -> None:
    lines = ["a         long", "────────  ────", "wide one     1", "b           22"]
    assert text_table(["a", "long"], [["wide one", "1"], ["b", "22"]]).splitlines() == lines
    escaped = "<caption>c&gt;</caption><thead><tr><th>a&lt;</th></tr></thead><tbody><tr><td>&amp;</td></tr></tbody>"
    assert html_table(["a<"], [["&"]], "c>") == f"<table>{escaped}</table>"
    assert html_table(["a"], []) == "<table><thead><tr><th>a</th></tr></thead><tbody></tbody></table>"
    assert [number(None), number(1.23456789), number(1.23456789, 3), number(0.0)] == ["", "1.2346", "1.23", "0"]


def test_reports_are_saved_and_shown(tmp_path: Path) -> None:
    report = fw.Report("é<a href=\"x\">" + "." * 2000)
    assert report.save(tmp_path / "r.html") == tmp_path / "r.html"
    assert (tmp_path / "r.html").read_text(encoding="utf-8") == report.page
    assert 'srcdoc="é&lt;a href=&quot;x&quot;&gt;..' in report._repr_html_() and "allow-scripts" in report._repr_html_()
    assert repr(report) == "Report(2 kB of HTML; .save(file) writes it)"


def test_the_table_and_the_rows_of_a_sweep() -> None:
    steps = [
        {"values": {"widths": [5], "temperature": 0.1, "data.train": [2.0, 3.5]}, "results": {"good": GOOD, "bare": BARE}, "referee": {"a": 1}},
        {
            "values": {"widths": np.array([5.0, 6]), "temperature": 1, "data.train": "t"},
            "results": {"good": {**GOOD, "logEvidence": 3}, "bad": FAILED},
        },
    ]
    swept = fw.Sweep({"experiment": {"seed": 2}, "provenance": {"v": 1}, "sweep": steps})
    assert len(swept) == 2 and swept[1]["good"].log_evidence == 3 and swept[0].experiment == {"seed": 2} and swept[1].provenance.v == 1
    assert swept[0].referee is not None and swept[1].referee is None and swept.values[0]["temperature"] == 0.1
    places = [{"widths": 5, "temperature": 0.1, "data.train": (2, 3.5)}] * 2 + [{"widths": (5, 6), "temperature": 1, "data.train": "t"}] * 2
    numbers = {
        "generalization_error": 0.375, "bias": 0.125, "variance": 0.25, "accuracy": 0.91234, "negativeLogLikelihood": 0.5,
        "verdict_predictive": "doubtful", "verdict_kernels": "unchecked", "seconds": 1.239,
    }
    assert list(swept.rows()) == [
        {**places[0], "method": "good", "status": "ok", "log_evidence": -12.3456789, **numbers},
        {**places[1], "method": "bare", "status": "ok", "log_evidence": None, "order_parameter": 0.75, "seconds": 0.5},
        {**places[2], "method": "good", "status": "ok", "log_evidence": 3, **numbers},
        {**places[3], "method": "bad", "status": "failed", "seconds": 2.5},
    ]
    header = ["widths", "temperature", "data.train", "method", "log evidence", "generalization error", "accuracy"]
    rows = [
        ["5", "0.1", "(2, 3.5)", "good", "-12.346", "0.375", "0.91234"],
        ["5", "0.1", "(2, 3.5)", "bare", "", "", ""],
        ["(5, 6)", "1", "t", "good", "3", "0.375", "0.91234"],
        ["(5, 6)", "1", "t", "bad", "failed", "", ""],
    ]
    assert repr(swept) == text_table(header, rows) and Cells(swept._repr_html_()).rows == [header, *rows]
    assert swept.frame().shape == (4, 15)
    assert repr(fw.Sweep({"experiment": {}, "sweep": []})).splitlines()[0] == "method"
    # what no method gives has no column
    bare = fw.Sweep({"experiment": {}, "sweep": [{"values": {"depth": 2}, "results": {"bare": BARE, "bad": FAILED}}]})
    assert repr(bare) == text_table(["depth", "method", "log evidence"], [["2", "bare", ""], ["2", "bad", "failed"]])


def test_the_table_of_a_prior() -> None:
    results = {
        "nngp": {"status": "ok", "seconds": 0.0123456, "secondMoment": [[1]], "excessKurtosis": [0], "warnings": [], "standardError": {}},
        "exact": {"status": "failed", "error": "no", "seconds": 2},
    }
    prior = fw.Prior({"results": results, "networkName": "n"}, "<html>")
    assert repr(prior) == text_table(["method", "gives", "s"], [["nngp", "secondMoment, excessKurtosis", "0.0123"], ["exact", "no", "2"]])
    assert prior["nngp"].second_moment == [[1]] and prior["networkName"] == prior.network_name == "n"


def test_only_draws_of_chains_go_to_arviz(monkeypatch: pytest.MonkeyPatch) -> None:
    arviz = pytest.importorskip("arviz")
    draws = {"theta": np.zeros((2, 3, 4)), "logLikelihood": np.ones((2, 3)), "steps": np.array([1.0, 2])}
    result = of({}, None, draws=draws)
    assert set(result.draws) == set(draws)
    sent: list[Any] = []
    monkeypatch.setattr(arviz, "from_dict", lambda *args, **named: sent.append((args, named)))
    for version in ("0.22.0", "1.0.0"):
        monkeypatch.setattr(arviz, "__version__", version)
        result.to_arviz()
    # groups are keywords of the older ones and a mapping for the newer ones
    [((), before), ((after,), nothing)] = sent
    assert [list(one) for one in (before, after, nothing)] == [["posterior"], ["posterior"], []]
    assert list(before["posterior"]) == list(after["posterior"]) == ["theta", "logLikelihood"]


def test_posteriors_are_let_go_with_their_result(problem: dict[str, Any]) -> None:
    problem |= {"methods": ["nngp"], "workers": 0}
    kept, gone = fw.run(**problem), fw.run(**problem)
    asked = gone._kept
    assert asked is not None and kept._kept is not None and kept._kept[1] != asked[1] and asked[0] == fw.server.pid
    assert kept.report("a title").page.count("a title") > 0
    del gone
    gc.collect()
    with pytest.raises(fw.InputError) as caught:
        fw.server.call("report", of=asked[1], folder=".")
    assert caught.value.path == "of"
    assert kept["nngp"].predict(problem["test"][0]).mean.shape == (7, 1)
