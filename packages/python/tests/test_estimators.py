"""scikit-learn's conventions, by its own checks."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import finitewidth as fw

pytest.importorskip("sklearn")
from sklearn.gaussian_process import GaussianProcessRegressor  # noqa: E402
from sklearn.gaussian_process.kernels import DotProduct  # noqa: E402
from sklearn.utils.estimator_checks import check_estimator  # noqa: E402


# Laplace's approximation: the checks are about conventions, and this is the quickest way to class probabilities.
@pytest.mark.parametrize(
    "estimator",
    [fw.FiniteWidthRegressor(), fw.FiniteWidthClassifier(method={"method": "nngp", "inference": "laplace", "evidence": False})],
    ids=lambda estimator: type(estimator).__name__,
)
@pytest.mark.filterwarnings("ignore")
def test_checks_of_scikit_learn(estimator: object) -> None:
    results = check_estimator(estimator, on_fail=None)
    # Skipped: arrays of other libraries, an experiment that SCIPY_ARRAY_API switches on.
    assert [one["check_name"] for one in results if one["status"] not in ("passed",)] == ["check_array_api_input"]
    assert len(results) > 40


def test_regressor_against_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    X, Z = rng.normal(size=(25, 4)), rng.normal(size=(9, 4))
    y = X @ rng.normal(size=4)
    ours = fw.FiniteWidthRegressor([7], "identity", method="nngp", bias_variance=0.0, temperature=0.3).fit(X, y)
    # A linear network of infinite width without biases has the kernel x·x'/N₀.
    theirs = GaussianProcessRegressor(DotProduct(0, "fixed") * (1 / 4), alpha=0.3, optimizer=None).fit(X, y)
    assert ours.log_marginal_likelihood_value_ == pytest.approx(theirs.log_marginal_likelihood_value_, rel=1e-9)
    for one, other in zip(ours.predict(Z, return_std=True), theirs.predict(Z, return_std=True)):
        np.testing.assert_allclose(one, other, rtol=1e-9)
    copy = pickle.loads(pickle.dumps(ours))
    np.testing.assert_array_equal(copy.predict(Z), ours.predict(Z))


def test_classifier() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 2))
    y = np.where(X[:, 0] > 0, "right", "left")
    classifier = fw.FiniteWidthClassifier([10]).fit(X, y)
    probabilities = classifier.predict_proba([[2.0, 0.0], [-2.0, 0.0]])
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    assert classifier.predict([[2.0, 0.0], [-2.0, 0.0]]).tolist() == ["right", "left"]
    assert classifier.log_marginal_likelihood_value_ < 0


def test_scale_is_that_of_the_likelihood_for_two_classes_and_for_more() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(24, 2))
    method = {"method": "nngp", "inference": "laplace"}
    for y in (np.where(X[:, 0] > 0, 1, 0), np.digitize(X[:, 0], [-0.5, 0.5])):
        # p depends on f/τ: outputs of a network whose variances at the readout are τ² times larger
        def fitted(scale: float, weight: float, labels: np.ndarray = y) -> np.ndarray:
            model = fw.FiniteWidthClassifier([10], method=method, scale=scale, weight_variance=[1.0, weight], bias_variance=0.0)
            return model.fit(X, labels).predict_proba(X[:5])  # type: ignore[no-any-return]

        np.testing.assert_allclose(fitted(3.0, 9.0), fitted(1.0, 1.0), rtol=1e-6)
        assert np.max(np.abs(fitted(3.0, 1.0) - fitted(1.0, 1.0))) > 0.01


def test_random_state_is_the_seed() -> None:
    rng = np.random.default_rng(0)
    X, Z = rng.normal(size=(6, 3)), rng.normal(size=(4, 3))
    y = X[:, 0]
    method = {"method": "monte-carlo", "chains": 2, "draws": 20, "warmup": 10}

    def predict(random_state: int | None) -> list[float]:
        estimator = fw.FiniteWidthRegressor([4], method=method, random_state=random_state, workers=0)
        return estimator.fit(X, y).predict(Z).tolist()

    # 0 is a seed as good as any; without one it is the default of experiments, 1
    drawn = [predict(state) for state in (0, 1, 2)]
    assert len({tuple(one) for one in drawn}) == 3
    assert [predict(0), predict(None)] == drawn[:2]
