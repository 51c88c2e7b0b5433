"""What ``finitewidth.run`` gives back."""

from __future__ import annotations

import html
import tempfile
import weakref
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import FinitewidthError, InputError, MethodFailed, ServerDied
from .records import Array, Record, load_arrays, revive
from .server import server
from .tables import html_table, number, text_table

#: Verdicts of the referee from worst to best.
STATUSES = ("contradicted", "doubtful", "confirmed", "unchecked")


@dataclass(frozen=True, repr=False)
class Prediction:
    """Mean and variance of the latent f, rows = points, columns = outputs; ``probabilities`` of classes where there are classes."""

    mean: Array
    variance: Array
    probabilities: Array | None = None

    @property
    def std(self) -> Array:
        """Standard deviation of the latent f."""
        return np.sqrt(self.variance)

    def __repr__(self) -> str:
        more = "" if self.probabilities is None else f", probabilities: array{self.probabilities.shape}"
        return f"Prediction(mean: array{self.mean.shape}, variance: array{self.variance.shape}{more})"


@dataclass(frozen=True)
class Verdict:
    """What the referee, a short run of the real network, says about one quantity."""

    status: str
    error: float | None
    standard_error: float | None
    how: str


@dataclass(frozen=True)
class GeneralizationError:
    """Mean over test points and outputs: squared bias, variance of the latent f, their sum."""

    bias: float
    variance: float
    total: float


class MethodResult:
    """What one method says about one network."""

    def __init__(self, method: str, content: Mapping[str, Any], place: Mapping[str, Any], owner: Result) -> None:
        self.method = method
        self.raw = content
        self._place = place
        self._owner = owner

    @property
    def status(self) -> str:
        """"ok" or "failed"."""
        return str(self.raw["status"])

    @property
    def error(self) -> str | None:
        """Why the method failed; None when it did not."""
        return self.raw.get("error")

    @property
    def log_evidence(self) -> float | None:
        """log p(Y), (2πT)^(−PD/2) included; None where the method cannot give it."""
        value = self._get("logEvidence")
        return None if value is None else float(value)

    @property
    def predictive(self) -> Prediction | None:
        """At the test inputs."""
        return self._prediction("predictive")

    @property
    def train(self) -> Prediction | None:
        """At the training inputs."""
        return self._prediction("train")

    @property
    def generalization_error(self) -> GeneralizationError | None:
        """Where the test points have targets."""
        value = self._get("generalizationError")
        return None if value is None else GeneralizationError(value["bias"], value["variance"], value["total"])

    @property
    def classification(self) -> Record | None:
        """accuracy, negative_log_likelihood, brier, calibration_error: what applies."""
        return self._record("classification")

    @property
    def order_parameter(self) -> float | Array | None:
        """Q₁ … Q_L, the mixing variable or the minimiser: what the method has."""
        value: float | Array | None = self._get("orderParameter")
        return value

    @property
    def hidden_kernels(self) -> list[Array]:
        """Posterior means of φ(h)φ(h)ᵀ/N, layer by layer; asked for by ``run(kernels=True)``."""
        kernels = self._get("hiddenKernels")
        if kernels is None:
            raise FinitewidthError(
                f"{self.method}: no hidden kernels are here; ask for them with run(…, kernels=True), of a method that has them", code="absent"
            )
        return [layer["mean"] for layer in kernels]

    @property
    def standard_error(self) -> Record | None:
        """Standard errors of what was sampled, in the shape of the quantities themselves."""
        return self._record("standardError")

    @property
    def verdict(self) -> dict[str, Verdict]:
        """The referee's verdicts by quantity; empty without a referee."""
        entries: dict[str, Any] = self._get("verdict") or {}
        return {key: Verdict(v["status"], v.get("error"), v.get("standardError"), v["how"]) for key, v in entries.items()}

    @property
    def diagnostics(self) -> Record:
        """What the method says about its own work."""
        return Record(self._get("diagnostics") or {})

    @property
    def warnings(self) -> list[str]:
        """Sentences that should be read."""
        return list(self.raw.get("warnings", []))

    @property
    def seconds(self) -> float:
        """Time of the method."""
        return float(self.raw["seconds"])

    def predict(self, inputs: npt.ArrayLike) -> Prediction:
        """Predictions at other inputs (rows = points), from the posterior that the server has kept."""
        return self._owner._predict(self._place, inputs)

    def __repr__(self) -> str:
        return text_table(*self._owner._table([self]))

    def _repr_html_(self) -> str:
        return html_table(*self._owner._table([self]))

    def _get(self, key: str) -> Any:
        if self.status == "failed":
            raise MethodFailed(f"{self.method}: {self.error}", code="failed")
        return self.raw.get(key)

    def _record(self, key: str) -> Record | None:
        value = self._get(key)
        return None if value is None else Record(value)

    def _prediction(self, key: str) -> Prediction | None:
        value = self._get(key)
        return None if value is None else Prediction(value["mean"], value["variance"], value.get("probabilities"))


class Report:
    """A report as one HTML page; notebooks show it inline."""

    def __init__(self, page: str) -> None:
        self.page = page

    def save(self, file: str | Path) -> Path:
        """Writes the page."""
        path = Path(file)
        path.write_text(self.page, encoding="utf-8")
        return path

    def _repr_html_(self) -> str:
        style = "width: 100%; height: 720px; border: 0"
        return f'<iframe srcdoc="{html.escape(self.page, quote=True)}" style="{style}" sandbox="allow-scripts allow-downloads"></iframe>'

    def __repr__(self) -> str:
        return f"Report({len(self.page) // 1000} kB of HTML; .save(file) writes it)"


class Result(Mapping[str, MethodResult]):
    """Methods by label; of several networks, keys are ``"network: method"``. ``repr`` is a table with the referee's verdicts."""

    def __init__(self, content: Mapping[str, Any], kept: tuple[int, int] | None = None) -> None:
        #: The whole result file, arrays in it.
        self.raw = content
        self.draws: dict[str, Array] = dict(content.get("draws", {}))
        self._kept = kept
        if kept is not None:
            weakref.finalize(self, server.release, kept)
        networks = "networks" in content["experiment"]
        self._methods: dict[str, MethodResult] = {}
        for key, entry in content["results"].items():
            if networks:
                for method, one in entry.items():
                    where = {"network": key, "method": method}
                    self._methods[f"{key}: {method}"] = MethodResult(method, one, where, self)
            else:
                self._methods[key] = MethodResult(key, entry, {"method": key}, self)

    @property
    def experiment(self) -> dict[str, Any]:
        """The experiment as read, defaults filled in."""
        return dict(self.raw["experiment"])

    @property
    def provenance(self) -> Record:
        """Version, backend, Node, platform, date, hash of the data."""
        return Record(self.raw.get("provenance", {}))

    @property
    def referee(self) -> Record | None:
        """The referee's own numbers."""
        return Record(self.raw["referee"]) if self.raw.get("referee") else None

    def __getitem__(self, key: str) -> MethodResult:
        if key not in self._methods:
            raise KeyError(f"{key!r}; there are {', '.join(self._methods)}")
        return self._methods[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._methods)

    def __len__(self) -> int:
        return len(self._methods)

    def __repr__(self) -> str:
        return text_table(*self._table(list(self.values())))

    def _repr_html_(self) -> str:
        return html_table(*self._table(list(self.values())))

    def report(self, title: str = "finitewidth") -> Report:
        """The report of the command line: what was learned, predictions, diagnostics."""
        with tempfile.TemporaryDirectory(prefix="finitewidth-") as folder:
            answer = self._ask("report", folder=folder, title=title)
            return Report(Path(answer["file"]).read_text(encoding="utf-8"))

    def to_arviz(self) -> Any:
        """Draws that methods saved (``{"method": "monte-carlo", "save": True}``) as ArviZ has them. Needs the package arviz."""
        if not self.draws:
            raise InputError('no draws were saved; ask for them with {"method": "monte-carlo", "save": True}', path="methods")
        import arviz

        posterior = {name: values for name, values in self.draws.items() if values.ndim >= 2}
        if int(arviz.__version__.split(".")[0]) >= 1:
            return arviz.from_dict({"posterior": posterior})
        return arviz.from_dict(posterior=posterior)

    def _predict(self, place: Mapping[str, Any], inputs: npt.ArrayLike) -> Prediction:
        rows = np.asarray(inputs, dtype=np.float64)
        if rows.ndim != 2 or not np.all(np.isfinite(rows)):
            raise InputError(f"inputs: expected a matrix of finite numbers, got an array of shape {rows.shape}", path="inputs")
        with tempfile.TemporaryDirectory(prefix="finitewidth-") as folder:
            file = Path(folder) / "inputs.npz"
            np.savez(file, inputs=rows)
            answer = revive(self._ask("predict", folder=folder, inputs=str(file), **place), load_arrays(folder))
        return Prediction(answer["mean"], answer["variance"], answer.get("probabilities"))

    def _ask(self, do: str, **fields: Any) -> Any:
        if self._kept is None:
            raise FinitewidthError("steps of a sweep and cancelled runs keep no posteriors: run it with run(), then ask", code="gone")
        if self._kept[0] != server.pid:
            raise ServerDied("the process that kept this run has ended: run it again, then ask", code="gone")
        return server.call(do, of=self._kept[1], **fields)

    def _table(self, methods: list[MethodResult]) -> tuple[list[str], list[list[str]]]:
        accuracy = any(one.status == "ok" and one.classification is not None for one in methods)
        header = ["method", "log evidence", "generalisation error", *(["accuracy"] if accuracy else []), "order parameter", "referee", "s"]
        names = {id(one): key for key, one in self._methods.items()}
        rows = []
        for one in methods:
            label = names.get(id(one), one.method)
            if one.status == "failed":
                rows.append([label, "failed", *([""] * (len(header) - 3)), f"{one.seconds:.2f}"])
                continue
            error = one.generalization_error
            scores = one.classification
            order = one.order_parameter
            shown = f"array{order.shape}" if isinstance(order, np.ndarray) and order.size > 3 else _order(order)
            verdicts = [verdict.status for verdict in one.verdict.values()]
            worst = next((status for status in STATUSES if status in verdicts), "")
            rows.append(
                [
                    label,
                    number(one.log_evidence),
                    number(None if error is None else error.total),
                    *([number(None if scores is None else scores.get("accuracy"), 4)] if accuracy else []),
                    shown,
                    worst,
                    f"{one.seconds:.2f}",
                ]
            )
        return header, rows


def _order(value: float | Array | None) -> str:
    return ", ".join(number(float(one)) for one in np.ravel(value)) if isinstance(value, np.ndarray) else number(value)
