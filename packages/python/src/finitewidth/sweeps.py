"""Results of a sweep."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .results import Result
from .tables import html_table, number, text_table


class Sweep(Sequence[Result]):
    """One result for each combination of values, last key fastest; ``frame()`` is all of it as a pandas frame."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        self.raw = content
        self.values: list[dict[str, Any]] = [dict(step["values"]) for step in content["sweep"]]
        common = {"experiment": content["experiment"], "provenance": content.get("provenance", {})}
        self._results = [Result({**common, "results": step["results"], "referee": step.get("referee")}) for step in content["sweep"]]

    def __getitem__(self, index: Any) -> Any:
        return self._results[index]

    def __len__(self) -> int:
        return len(self._results)

    def rows(self) -> Iterator[dict[str, Any]]:
        """One row for each step and method: the values of the step and the numbers of the method."""
        for values, result in zip(self.values, self._results):
            for label, one in result.items():
                row: dict[str, Any] = {**{key: _scalar(value) for key, value in values.items()}, "method": label, "status": one.status}
                if one.status == "ok":
                    row["log_evidence"] = one.log_evidence
                    error = one.generalization_error
                    if error is not None:
                        row |= {"generalization_error": error.total, "bias": error.bias, "variance": error.variance}
                    row |= dict(one.classification or {})
                    order = one.order_parameter
                    if isinstance(order, float):
                        row["order_parameter"] = order
                    row |= {f"verdict_{key}": verdict.status for key, verdict in one.verdict.items()}
                yield {**row, "seconds": one.seconds}

    def frame(self) -> Any:
        """All rows as a pandas frame. Needs the package pandas."""
        import pandas

        return pandas.DataFrame(list(self.rows()))

    def __repr__(self) -> str:
        return text_table(*self._table())

    def _repr_html_(self) -> str:
        return html_table(*self._table())

    def _table(self) -> tuple[list[str], list[list[str]]]:
        keys = list(self.values[0]) if self.values else []
        rows = list(self.rows())
        numbers = [key for key in ("log_evidence", "generalization_error", "accuracy") if any(key in row for row in rows)]
        header = [*keys, "method", *(key.replace("_", " ") for key in numbers)]
        return header, [
            [*(str(row[key]) for key in keys), row["method"], *(number(row.get(key)) for key in numbers)]
            if row["status"] == "ok"
            else [*(str(row[key]) for key in keys), row["method"], "failed", *([""] * (len(numbers) - 1))]
            for row in rows
        ]


def _scalar(value: Any) -> Any:
    """A width in a list of its own as the width, other arrays and lists as lists."""
    value = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(value, list):
        value = [int(one) if isinstance(one, float) and one.is_integer() else one for one in value]
        return value[0] if len(value) == 1 else tuple(value)
    return value
