"""What a Bayesian neural network of finite width knows: exact priors, posteriors, learned kernels and generalisation."""

from __future__ import annotations

from importlib.metadata import version as _version
from typing import TYPE_CHECKING, Any

from .api import Optimum, PhaseDiagram, Prior, optimise, phase_diagram, prior, run, sweep
from .errors import Cancelled, FinitewidthError, InputError, MethodFailed, NodeNotFound, ServerDied
from .results import MethodResult, Prediction, Report, Result, Verdict
from .server import server
from .sweeps import Sweep

if TYPE_CHECKING:
    from .estimators import FiniteWidthClassifier, FiniteWidthRegressor

__version__ = _version("finitewidth")

__all__ = [
    "Cancelled",
    "FiniteWidthClassifier",
    "FiniteWidthRegressor",
    "FinitewidthError",
    "InputError",
    "MethodFailed",
    "MethodResult",
    "NodeNotFound",
    "Optimum",
    "PhaseDiagram",
    "Prediction",
    "Prior",
    "Report",
    "Result",
    "ServerDied",
    "Sweep",
    "Verdict",
    "optimise",
    "phase_diagram",
    "prior",
    "run",
    "server",
    "sweep",
]


def __getattr__(name: str) -> Any:
    """The estimators, for whom scikit-learn is loaded only when they are asked for."""
    if name in ("FiniteWidthClassifier", "FiniteWidthRegressor"):
        from . import estimators

        return getattr(estimators, name)
    raise AttributeError(f"module 'finitewidth' has no attribute {name!r}")
