"""Estimators with scikit-learn's conventions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from .api import run
from .errors import ServerDied
from .records import Array
from .results import MethodResult, Prediction


class _FiniteWidth(BaseEstimator):  # type: ignore[misc]
    """What both estimators have in common."""

    def __init__(
        self,
        widths: int | Sequence[int] = (100,),
        activation: str = "erf",
        *,
        weight_variance: float | Sequence[float] = 1.0,
        bias_variance: float | Sequence[float] = 1.0,
        network: Mapping[str, Any] | None = None,
        method: str | Mapping[str, Any] = "effective-action",
        workers: int | None = None,
        random_state: int | None = None,
    ) -> None:
        self.widths = widths
        self.activation = activation
        self.weight_variance = weight_variance
        self.bias_variance = bias_variance
        self.network = network
        self.method = method
        self.workers = workers
        self.random_state = random_state

    def _network(self) -> Mapping[str, Any]:
        return self.network or {
            "type": "fully-connected",
            "widths": np.atleast_1d(np.asarray(self.widths)).tolist(),
            "activation": self.activation,
            "weightVariance": self.weight_variance,
            "biasVariance": self.bias_variance,
        }

    def _solve(self, X: Array, Y: npt.NDArray[Any], likelihood: Mapping[str, Any]) -> None:
        self._data = (X, Y, likelihood)
        self._fitted = self._run()
        self.log_marginal_likelihood_value_ = self._fitted.log_evidence
        self.order_parameter_ = self._fitted.order_parameter

    def _run(self) -> MethodResult:
        X, Y, likelihood = self._data
        seed: dict[str, Any] = {} if self.random_state is None else {"seed": int(self.random_state)}
        result = run(
            network=self._network(),
            data=(X, Y),
            methods=[self.method],
            likelihood=likelihood,
            workers=self.workers,
            referee=False,
            progress=False,
            **seed,
        )
        return next(iter(result.values()))

    def _latent(self, X: npt.ArrayLike) -> Prediction:
        """Predictions; fitted again where the server's process is another one (it died, or the estimator comes from a file)."""
        check_is_fitted(self)
        rows = validate_data(self, X, dtype=np.float64, reset=False)
        try:
            if self._fitted is not None:
                return self._fitted.predict(rows)
        except ServerDied:
            pass
        self._fitted = self._run()
        return self._fitted.predict(rows)

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = super().__getstate__()
        # A posterior lives in the server; who is read from a file is fitted again when it is asked.
        return {**state, "_fitted": None} if "_fitted" in state else state


class FiniteWidthRegressor(RegressorMixin, _FiniteWidth):  # type: ignore[misc]
    """Regression by a Bayesian network of finite width.

    Args:
        widths: Hidden widths N₁ … N_L; one number for one hidden layer.
        activation: "erf", "relu", "tanh", "identity", …
        temperature: Noise variance T.
        weight_variance, bias_variance: σ_w², σ_b²: one number, or one for each layer and the readout.
        network: Any other network, as in experiment files; in place of widths, activation and variances.
        method: A theory's name, or a mapping with its options: "effective-action", "exact" (activation "identity"), "nngp", "monte-carlo", …
        workers: Threads; one per core by default.
        random_state: Seed of methods that sample.

    Attributes:
        log_marginal_likelihood_value_: log p(y), None where the method has none.
        order_parameter_: What the method has.
    """

    def __init__(
        self,
        widths: int | Sequence[int] = (100,),
        activation: str = "erf",
        *,
        temperature: float = 0.01,
        weight_variance: float | Sequence[float] = 1.0,
        bias_variance: float | Sequence[float] = 1.0,
        network: Mapping[str, Any] | None = None,
        method: str | Mapping[str, Any] = "effective-action",
        workers: int | None = None,
        random_state: int | None = None,
    ) -> None:
        super().__init__(
            widths,
            activation,
            weight_variance=weight_variance,
            bias_variance=bias_variance,
            network=network,
            method=method,
            workers=workers,
            random_state=random_state,
        )
        self.temperature = temperature

    def fit(self, X: npt.ArrayLike, y: npt.ArrayLike) -> FiniteWidthRegressor:
        """Solves the posterior. y: one column or several."""
        rows, targets = validate_data(self, X, y, dtype=np.float64, multi_output=True, y_numeric=True)
        self._vector = targets.ndim == 1
        self._solve(rows, targets.astype(np.float64).reshape(len(rows), -1), {"temperature": self.temperature})
        return self

    def predict(self, X: npt.ArrayLike, return_std: bool = False) -> Any:
        """Posterior mean of the network's output; with its standard deviation (noise not included) where asked."""
        latent = self._latent(X)
        shape = (-1,) if self._vector else latent.mean.shape
        mean = latent.mean.reshape(shape)
        return (mean, latent.std.reshape(shape)) if return_std else mean

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


class FiniteWidthClassifier(ClassifierMixin, _FiniteWidth):  # type: ignore[misc]
    """Classification by a Bayesian network of finite width: logistic for two classes, softmax for more.

    Args: as ``FiniteWidthRegressor``; ``scale`` τ divides the latent outputs, in place of the temperature.
    """

    def __init__(
        self,
        widths: int | Sequence[int] = (100,),
        activation: str = "erf",
        *,
        scale: float = 1.0,
        weight_variance: float | Sequence[float] = 1.0,
        bias_variance: float | Sequence[float] = 1.0,
        network: Mapping[str, Any] | None = None,
        method: str | Mapping[str, Any] = "effective-action",
        workers: int | None = None,
        random_state: int | None = None,
    ) -> None:
        super().__init__(
            widths,
            activation,
            weight_variance=weight_variance,
            bias_variance=bias_variance,
            network=network,
            method=method,
            workers=workers,
            random_state=random_state,
        )
        self.scale = scale

    def fit(self, X: npt.ArrayLike, y: npt.ArrayLike) -> FiniteWidthClassifier:
        """Solves the posterior of the latent outputs given the labels."""
        rows, labels = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(labels)
        self.classes_, codes = np.unique(labels, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"y: expected at least two classes, got 1 class ({self.classes_[0]!r})")
        if len(self.classes_) == 2:
            self._solve(rows, 2.0 * codes[:, np.newaxis] - 1.0, {"type": "logistic", "scale": self.scale})
        else:
            self._solve(rows, np.eye(len(self.classes_), dtype=np.float64)[codes], {"type": "softmax", "scale": self.scale})
        return self

    def predict_proba(self, X: npt.ArrayLike) -> Array:
        """Probabilities of the classes, averaged over the posterior."""
        probabilities = self._latent(X).probabilities
        assert probabilities is not None
        return np.hstack([1 - probabilities, probabilities]) if probabilities.shape[1] == 1 else probabilities

    def predict(self, X: npt.ArrayLike) -> Any:
        """The most probable class."""
        best = np.argmax(self.predict_proba(X), axis=1)
        return self.classes_[best]
