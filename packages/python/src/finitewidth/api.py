"""run, sweep, prior, phase_diagram, optimise."""

from __future__ import annotations

import difflib
import json
import os
import tempfile
import warnings as warning
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy.typing as npt

from .data import Data, Test, matrix, plain, write_data
from .errors import Cancelled, FinitewidthError, InputError, MethodFailed
from .progress import Progress, ProgressLine
from .records import Record, load_arrays, revive
from .results import Report, Result
from .server import server
from .sweeps import Sweep
from .tables import number, text_table


def _experiment(
    experiment: Mapping[str, Any] | None,
    folder: Path,
    *,
    network: Any,
    data: Data | None,
    test: Test | None,
    methods: Any,
    temperature: float | None,
    likelihood: Any,
    more: Mapping[str, Any],
) -> dict[str, Any]:
    """One experiment from keywords, or from a whole one that keywords change."""
    given = dict(experiment or {})
    if data is not None or isinstance(given.get("data"), (tuple, str, Path)):
        given["data"] = write_data(given["data"] if data is None else data, test, folder)
    elif test is not None:
        raise InputError("data: expected training data beside test, got nothing", path="data")
    elif isinstance(given.get("data"), Mapping) and isinstance(given["data"].get("file"), (str, Path)):
        given["data"] = {**given["data"], "file": str(Path(given["data"]["file"]).resolve())}
    if network is not None:
        given.pop("network", None)
        given.pop("networks", None)
        given["network" if isinstance(network, Mapping) else "networks"] = network
    if methods is not None:
        given["methods"] = [methods] if isinstance(methods, Mapping) or (isinstance(methods, str) and methods != "applicable") else methods
    given.setdefault("methods", "applicable")
    if likelihood is not None:
        given["likelihood"] = {"type": likelihood} if isinstance(likelihood, str) else likelihood
    if temperature is not None:
        given["likelihood"] = {**given.get("likelihood", {}), "temperature": temperature}
    for key in more:
        if difflib.get_close_matches(key, ["temperature"], cutoff=0.8):
            raise InputError(f'{key}: unknown keyword; did you mean "temperature"?', path=key)
    result: dict[str, Any] = plain({**given, **more})
    return result


def run(
    experiment: Mapping[str, Any] | None = None,
    /,
    *,
    network: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
    data: Data | None = None,
    test: Test | None = None,
    methods: str | Mapping[str, Any] | Sequence[str | Mapping[str, Any]] | None = None,
    temperature: float | None = None,
    likelihood: str | Mapping[str, Any] | None = None,
    kernels: bool = False,
    workers: int | None = None,
    progress: Progress = None,
    **more: Any,
) -> Result:
    """Runs methods on a network and data.

    Args:
        experiment: A whole experiment as its file has it; the keywords change it.
        network: ``{"type": "fully-connected", "widths": [100], "activation": "erf"}``; several with a ``"label"`` each.
        data: (X, y), rows = points; or a mapping as in experiment files; or a .npz or .csv file.
        test: X or (X, y) of test points.
        methods: Names or mappings with options; "applicable" (the default) for all that apply.
        temperature: Noise variance T of the Gaussian likelihood.
        likelihood: Another likelihood: "logistic", "softmax", …
        kernels: Bring the hidden kernels, P × P numbers for each layer.
        workers: Threads; one per core by default, the numbers do not depend on it.
        progress: None shows it in terminals and notebooks; True, False, or a function of (what, fraction).
        more: Other fields of experiment files: ``seed``, ``scaling``, ``referee``, ``plugins``, …

    Raises:
        InputError: naming the field, ``network.widths[0]`` say.
        MethodFailed: when no method has an answer (some failing: a warning, and ``result[method].error``).
        Cancelled: on Ctrl-C, with what had finished.
    """
    if "sweep" in more or (experiment is not None and "sweep" in experiment):
        raise InputError("sweep: expected nothing here, use finitewidth.sweep", path="sweep")
    answer, kept = _ask_run(locals(), kernels=kernels, workers=workers, progress=progress, keep=True)
    result = Result(answer, kept)
    failed = {label: one.error for label, one in result.items() if one.status == "failed"}
    if failed and len(failed) == len(result):
        failure = MethodFailed("; ".join(f"{label}: {error}" for label, error in failed.items()), code="failed")
        failure.result = result
        raise failure
    if methods != "applicable":
        for label, error in failed.items():
            warning.warn(f"{label} failed: {error}", stacklevel=2)
    return result


def sweep(
    experiment: Mapping[str, Any] | None = None,
    /,
    *,
    over: Mapping[str, Sequence[Any]] | None = None,
    network: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
    data: Data | None = None,
    test: Test | None = None,
    methods: str | Mapping[str, Any] | Sequence[str | Mapping[str, Any]] | None = None,
    temperature: float | None = None,
    likelihood: str | Mapping[str, Any] | None = None,
    kernels: bool = False,
    workers: int | None = None,
    progress: Progress = None,
    **more: Any,
) -> Sweep:
    """``run`` for every combination of ``over``, ``{"widths": [[10], [100]], "temperature": [0.01, 0.1]}`` say: all keys of experiment files."""
    if over is not None:
        more = {**more, "sweep": over}
    elif "sweep" not in (experiment or {}):
        raise InputError('over: expected keys with their values, {"widths": [[10], [100]]} say, got nothing', path="over")
    answer, _ = _ask_run(locals(), kernels=kernels, workers=workers, progress=progress, keep=False)
    return Sweep(answer)


def _ask_run(
    given: Mapping[str, Any], *, kernels: bool, workers: int | None, progress: Progress, keep: bool
) -> tuple[dict[str, Any], tuple[int, int]]:
    keys = ("experiment", "network", "data", "test", "methods", "temperature", "likelihood", "more")
    finished: list[dict[str, Any]] = []
    warned: list[str] = []
    with tempfile.TemporaryDirectory(prefix="finitewidth-") as name, ProgressLine(progress) as line:
        folder = Path(name)
        experiment = _experiment(folder=folder, **{key: given[key] for key in keys})

        def on_event(event: dict[str, Any]) -> None:
            if event["event"] == "outcome":
                finished.append(event)
            if event["event"] == "warning":
                warned.append(event["message"])
            line(event)

        try:
            answer = server.call(
                "run", on_event, experiment=experiment, folder=name, base=os.getcwd(), kernels=kernels, workers=workers, keep=keep
            )
        except Cancelled as cancelled:
            raise _with_finished(cancelled, experiment, finished) from None
        except FinitewidthError as error:
            raise _without_folder(error, name) from None
        for message in warned:
            warning.warn(message, stacklevel=3)
        # The experiment stays plain: it can be written and run again.
        return {**revive(answer, load_arrays(folder)), "experiment": answer["experiment"]}, server.run_id(answer)


def _with_finished(cancelled: Cancelled, experiment: dict[str, Any], finished: list[dict[str, Any]]) -> Cancelled:
    """What had finished when Ctrl-C came; of a sweep, as ``sweep`` entries in ``result.raw``."""
    if not finished:
        return Cancelled("cancelled; nothing was finished")
    results: dict[str, Any] = {}
    for event in finished:
        place = [str(event[key]) for key in ("step", "network") if key in event]
        results[": ".join([*place, event["method"]])] = event["outcome"]
    plain_experiment = {key: value for key, value in experiment.items() if key != "networks"}
    result = Result({"experiment": plain_experiment, "results": revive(results, {})})
    return Cancelled(f"cancelled; {len(finished)} finished: the exception's .result has {', '.join(result)}", result)


#: Arrays of the data file, and where they would stand in an experiment, as the caller named them.
_NAMES = {
    "x_train": "data[0]", "y_train": "data[1]", "x_test": "test[0]", "y_test": "test[1]",
    "train.inputs": "data[0]", "train.targets": "data[1]", "test.inputs": "test[0]", "test.targets": "test[1]",
}


def _without_folder(error: FinitewidthError, folder: str) -> FinitewidthError:
    """The same error with the caller's names in place of the file that the arrays travelled in."""
    message = str(error)
    if os.path.exists(os.path.join(folder, "data.npz")) and ("data.npz" in message or (error.path or "").startswith("data.")):
        for array, name in _NAMES.items():
            message = message.replace(f"data.{array}", name).replace(f"{os.path.join(folder, 'data.npz')}:{array}", name)
            if error.path is not None:
                error.path = error.path.replace(f"data.{array}", name)
        error.args = (message,)
    return error


class Answer(Record):
    """What a command wrote, with its report."""

    def __init__(self, content: Mapping[str, Any], page: str) -> None:
        super().__init__(content)
        self._page = page

    def report(self) -> Report:
        """The report of the command line."""
        return Report(self._page)

    def _repr_html_(self) -> str:
        return self.report()._repr_html_()


def _ask_command(name: str, request: Mapping[str, Any], file: str, workers: int | None, progress: Progress) -> dict[str, Any]:
    """Runs a command of the command line in a folder of its own; its files by name."""
    with tempfile.TemporaryDirectory(prefix="finitewidth-") as folder, ProgressLine(progress) as line:
        source, out = Path(folder) / f"{name}.json", Path(folder) / "out"
        source.write_text(json.dumps(request, allow_nan=False), encoding="utf-8")
        argv = [name, str(source), "--out", str(out), *([] if workers is None else ["--workers", str(workers)])]
        try:
            answer = server.call("command", line, argv=argv)
        except FinitewidthError as error:
            raise _without_folder(error, folder) from None
        if not (out / file).exists():
            raise FinitewidthError("; ".join(answer["notes"]) or f"{name} ended with status {answer['status']}")
        read = {path.name: path.read_text(encoding="utf-8") for path in out.iterdir() if path.suffix in (".json", ".html")}
        for note in answer["notes"] if answer["status"] else []:
            warning.warn(note, stacklevel=3)
        return {**read, "": json.loads(read[file])}


class Prior(Answer):
    """Prior of the outputs by method: ``prior["exact"].second_moment``, ``.excess_kurtosis``, ``.log_density``, …"""

    def __getitem__(self, key: str) -> Any:
        return Record(self._content["results"][key]) if key in self._content["results"] else super().__getitem__(key)

    def __repr__(self) -> str:
        return text_table(*self._table())

    def _table(self) -> tuple[list[str], list[list[str]]]:
        header = ["method", "gives", "s"]
        entries = self._content["results"].items()
        known = ("status", "warnings", "seconds", "standardError", "error")
        return header, [
            [name, one.get("error") or ", ".join(key for key in one if key not in known), number(one.get("seconds"), 3)]
            for name, one in entries
        ]


def prior(
    question: Mapping[str, Any] | None = None,
    /,
    *,
    network: Mapping[str, Any] | None = None,
    inputs: npt.ArrayLike | None = None,
    outputs: int | None = None,
    methods: Sequence[str] | None = None,
    evaluate_at: Sequence[npt.ArrayLike] | None = None,
    samples: int | None = None,
    seed: int | None = None,
    workers: int | None = None,
    progress: Progress = None,
    **more: Any,
) -> Prior:
    """What the network says before it has seen data, at some inputs: moments, cumulants, log densities. Fields as in prior files."""
    given: dict[str, Any] = {**(question or {}), **more}
    named = {"network": network, "outputs": outputs, "methods": methods, "samples": samples, "seed": seed}
    given |= {key: value for key, value in named.items() if value is not None}
    if inputs is not None:
        given["inputs"] = matrix(inputs, "inputs")
    if evaluate_at is not None:
        given["evaluateAt"] = [matrix(one, f"evaluate_at[{i}]") for i, one in enumerate(evaluate_at)]
    files = _ask_command("prior", plain(given), "prior.json", workers, progress)
    return Prior(revive(files[""], {}), files["report.html"])


class PhaseDiagram(Answer):
    """Criticality over a grid: ``chi_perp``, ``depth_scale_correlation``, ``critical_line``, ``regime``, …; arrays are (weight, bias)."""


def phase_diagram(
    activation: str | None = None,
    *,
    weight_variance: npt.ArrayLike | Mapping[str, float] | None = None,
    bias_variance: npt.ArrayLike | Mapping[str, float] | None = None,
    adaptation: Mapping[str, Any] | None = None,
    workers: int | None = None,
    progress: Progress = None,
    **more: Any,
) -> PhaseDiagram:
    """Ordered, critical and chaotic networks over weight and bias variances: lists, or ``{"from": 0.2, "to": 3, "points": 60}``."""
    named = {"activation": activation, "weightVariance": weight_variance, "biasVariance": bias_variance, "adaptation": adaptation}
    request = plain({**{key: value for key, value in named.items() if value is not None}, **more})
    files = _ask_command("phase-diagram", request, "phase.json", workers, progress)
    return PhaseDiagram(revive(files[""], {}), files["report.html"])


class Optimum(Answer):
    """Maximum of the evidence: ``optimum["values"]``, ``optimum.log_evidence``; ``experiment`` can be run."""

    def __init__(self, content: Mapping[str, Any], page: str, experiment: dict[str, Any]) -> None:
        super().__init__(content, page)
        self.experiment = experiment

    def __repr__(self) -> str:
        best = self._content["optimum"]
        values = best["values"]
        return text_table([*values, "log evidence"], [[*(number(value) for value in values.values()), number(best["logEvidence"])]])


def optimise(
    experiment: Mapping[str, Any] | None = None,
    /,
    *,
    over: Mapping[str, Sequence[float]] | None = None,
    method: str | None = None,
    starts: int | None = None,
    network: Mapping[str, Any] | None = None,
    data: Data | None = None,
    test: Test | None = None,
    methods: str | Mapping[str, Any] | Sequence[str | Mapping[str, Any]] | None = None,
    temperature: float | None = None,
    likelihood: str | Mapping[str, Any] | None = None,
    workers: int | None = None,
    progress: Progress = None,
    **more: Any,
) -> Optimum:
    """Maximises the log evidence: ``over={"temperature": (1e-3, 1), "widths": (5, 500)}``, bounds of each value; ``depth`` a list."""
    wanted = {"over": over, "method": method, "starts": starts}
    more = {**more, "optimise": {**(experiment or {}).get("optimise", {}), **{k: v for k, v in wanted.items() if v is not None}}}
    methods = methods if methods is not None or "methods" in (experiment or {}) else [method or "exact"]
    keys = ("network", "data", "test", "methods", "temperature", "likelihood", "more")
    given = locals()
    with tempfile.TemporaryDirectory(prefix="finitewidth-") as name:
        request = _experiment(experiment, Path(name), **{key: given[key] for key in keys})
        files = _ask_command("optimise", request, "optimise.json", workers, progress)
    best = json.loads(files["optimum.json"])
    best["data"] = data if data is not None else (experiment or {}).get("data")
    return Optimum(revive(files[""], {}), files["report.html"], best)


__all__ = ["Answer", "Optimum", "PhaseDiagram", "Prior", "optimise", "phase_diagram", "prior", "run", "sweep"]

