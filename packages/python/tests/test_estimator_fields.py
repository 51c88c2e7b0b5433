"""What estimators ask for and what they make of the answer: several outputs and classes, every parameter, posteriors that are gone."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

import finitewidth as fw
from fake import FakeServer

sklearn_base = pytest.importorskip("sklearn.base")

X = np.array([[0.0, 1], [1, 3], [2, -1], [4, 0], [-2, 2], [5, 5]])


def answer(**more: Any) -> dict[str, Any]:
    entry = {"status": "ok", "seconds": 0.1, "logEvidence": -4.5, "orderParameter": [0.5, 1.5], **more}
    return {"experiment": {}, "results": {"whatever": entry}}


@pytest.mark.parametrize("kind, own", [(fw.FiniteWidthRegressor, {"temperature": 0.3}), (fw.FiniteWidthClassifier, {"scale": 2.5})])
def test_every_parameter_arrives(fake: FakeServer, kind: Any, own: dict[str, float]) -> None:
    fake.answer = answer()
    y = [1, 0, 1, 1, 0, 0]
    likelihood = own if "temperature" in own else {"type": "logistic", **own}
    estimator = kind(
        [7, 3], "tanh", weight_variance=[1, 2, 3], bias_variance=0.25, method={"method": "nngp", "a": 1}, workers=2, random_state=np.int64(5), **own
    )
    estimator.fit(X, y)
    assert estimator.log_marginal_likelihood_value_ == -4.5 and estimator.order_parameter_.tolist() == [0.5, 1.5]
    network = {"type": "fully-connected", "widths": [7, 3], "activation": "tanh", "weightVariance": [1, 2, 3], "biasVariance": 0.25}
    experiment = {"network": network, "methods": [{"method": "nngp", "a": 1}], "likelihood": likelihood, "referee": False, "seed": 5}
    assert {**fake.last["experiment"], "data": 0} == {**experiment, "data": 0}
    assert (fake.last["workers"], fake.last["kernels"]) == (2, False)
    np.testing.assert_array_equal(fake.arrays["x_train"], X)
    targets = np.array(y) if "temperature" in own else 2 * np.array(y) - 1
    assert fake.arrays["y_train"].tolist() == targets[:, None].tolist() and sorted(fake.arrays) == ["x_train", "y_train"]
    # clones ask the same, and what set_params changes changes
    sklearn_base.clone(estimator).set_params(widths=(4,), random_state=None, workers=None).fit(X, y)
    changed = {**experiment, "network": {**network, "widths": [4]}, "data": fake.last["experiment"]["data"]}
    del changed["seed"]
    assert fake.last["experiment"] == changed and fake.last["workers"] is None
    other = {"type": "residual", "layers": []}
    kind(widths=6).fit(X, y)
    assert fake.last["experiment"]["network"]["widths"] == [6]
    kind(network=other, widths=[9]).fit(X, y)
    default = {"temperature": 0.01} if "temperature" in own else {"type": "logistic", "scale": 1}
    assert fake.last["experiment"] == {
        "network": other, "methods": ["effective-action"], "likelihood": default, "referee": False, "data": fake.last["experiment"]["data"],
    }
    kind().fit(X, y)
    assert fake.last["experiment"]["network"] == {
        "type": "fully-connected", "widths": [100], "activation": "erf", "weightVariance": 1, "biasVariance": 1,
    }


def test_regression_of_one_and_of_several_columns(fake: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    fake.answer = answer()
    Y = np.arange(12).reshape(6, 2)
    both = fw.FiniteWidthRegressor().fit(X, Y)
    np.testing.assert_array_equal(fake.arrays["y_train"], Y)
    asked: list[Any] = []

    def predict(self: Any, rows: Any) -> fw.Prediction:
        asked.append(rows)
        columns = fake.arrays["y_train"].shape[1]
        mean = np.arange(len(rows) * columns, dtype=float).reshape(len(rows), columns)
        return fw.Prediction(mean, (mean + 1) ** 2)

    monkeypatch.setattr(fw.MethodResult, "predict", predict)
    mean, std = both.predict(X[:3], return_std=True)
    assert mean.tolist() == both.predict(X[:3]).tolist() == [[0, 1], [2, 3], [4, 5]] and std.tolist() == [[1, 2], [3, 4], [5, 6]]
    np.testing.assert_array_equal(asked[-1], X[:3])
    one = fw.FiniteWidthRegressor().fit(X, Y[:, 1])
    assert one.predict(X[:2]).tolist() == [0, 1] and one.predict(X[:2], return_std=True)[1].tolist() == [1, 2]
    column = fw.FiniteWidthRegressor().fit(X, Y[:, 1:])
    assert column.predict(X[:2]).tolist() == [[0], [1]]


def test_classes_are_columns_in_their_order(fake: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    fake.answer = answer()
    labels = ["pear", "apple", "fig", "apple", "pear", "fig"]
    three = fw.FiniteWidthClassifier(scale=3).fit(X, labels)
    assert three.classes_.tolist() == ["apple", "fig", "pear"]
    codes = [2, 0, 1, 0, 2, 1]
    assert fake.arrays["y_train"].tolist() == [[1 if k == code else 0 for k in range(3)] for code in codes]
    assert fake.last["experiment"]["likelihood"] == {"type": "softmax", "scale": 3}
    probabilities = np.array([[0.2, 0.5, 0.3], [0.4, 0.25, 0.35], [0.1, 0.2, 0.7]])
    monkeypatch.setattr(fw.MethodResult, "predict", lambda *_: fw.Prediction(0 * probabilities, probabilities, probabilities))
    assert three.predict_proba(X[:3]).tolist() == probabilities.tolist() and three.predict(X[:3]).tolist() == ["fig", "apple", "pear"]
    two = fw.FiniteWidthClassifier().fit(X, [9, 4, 4, 9, 9, 4])
    assert two.classes_.tolist() == [4, 9] and fake.arrays["y_train"].ravel().tolist() == [1, -1, -1, 1, 1, -1]
    monkeypatch.setattr(fw.MethodResult, "predict", lambda *_: fw.Prediction(X, X, np.array([[0.25], [0.75]])))
    assert two.predict_proba(X[:2]).tolist() == [[0.75, 0.25], [0.25, 0.75]] and two.predict(X[:2]).tolist() == [4, 9]
    with pytest.raises(ValueError, match="at least two classes, got 1 class"):
        fw.FiniteWidthClassifier().fit(X, [1] * 6)


def test_three_classes_are_learned_and_two_columns_too() -> None:
    points = np.array([[2.0, 0], [-1, 1.7], [-1, -1.7]])
    data = np.concatenate([points * r for r in (0.8, 1, 1.3)])
    labels = np.array(["c", "a", "b"] * 3)
    method = {"method": "nngp", "inference": "laplace", "evidence": False}
    model = fw.FiniteWidthClassifier([20], method=method, weight_variance=4, workers=0).fit(data, labels)
    assert model.predict(1.1 * points).tolist() == ["c", "a", "b"] and model.predict_proba(points).argmax(axis=1).tolist() == [2, 0, 1]
    Y = np.stack([data[:, 0], 3 - 2 * data[:, 1]], axis=1)
    both = fw.FiniteWidthRegressor([20], method="nngp", workers=0).fit(data, Y)
    ones = [fw.FiniteWidthRegressor([20], method="nngp", workers=0).fit(data, Y[:, k]) for k in (0, 1)]
    mean, std = both.predict(1.1 * points, return_std=True)
    np.testing.assert_allclose(mean, np.stack([one.predict(1.1 * points) for one in ones], axis=1), rtol=1e-10)
    np.testing.assert_allclose(std[:, 1], ones[1].predict(1.1 * points, return_std=True)[1], rtol=1e-10)
    assert both.log_marginal_likelihood_value_ == pytest.approx(sum(one.log_marginal_likelihood_value_ for one in ones), rel=1e-10)
    # The posterior is gone with its process: fitted again when it is asked, in the same process or read from a pickle.
    copy = pickle.loads(pickle.dumps(both))
    assert copy._fitted is None and both._fitted is not None
    fw.server.close()
    for again in (both, copy):
        np.testing.assert_array_equal(again.predict(1.1 * points), mean)
        assert again._fitted is not None and again._fitted._owner._kept[0] == fw.server.pid
    kept = copy._fitted
    copy.predict(points)
    assert copy._fitted is kept
