"""Laplace approximation of scikit-learn's GaussianProcessClassifier on its handwritten digits: python3 scikit-learn.py > scikit-learn.json
Inputs are pixels / 16, the kernel is variance * exp(-|x - x'|^2 / (2 length^2)), nothing is optimised."""
import json

import numpy as np
import sklearn
from sklearn.datasets import load_digits
from sklearn.gaussian_process import GaussianProcessClassifier
from sklearn.gaussian_process.kernels import RBF, ConstantKernel

digits = load_digits()
cases = []
for classes, points, variance, length in [((3, 8), 40, 16.0, 2.0), ((0, 1), 30, 4.0, 1.5), ((4, 9), 40, 256.0, 3.0)]:
    chosen = np.flatnonzero(np.isin(digits.target, classes))
    np.random.default_rng(1).shuffle(chosen)
    train, test = chosen[:points], chosen[points : points + 6]
    kernel = ConstantKernel(variance, "fixed") * RBF(length, "fixed")
    model = GaussianProcessClassifier(kernel, optimizer=None, max_iter_predict=1000)
    model.fit(digits.data[train] / 16, digits.target[train] == classes[1])
    cases.append(
        {
            "variance": variance,
            "length": length,
            "train": digits.data[train].astype(int).tolist(),
            "test": digits.data[test].astype(int).tolist(),
            "labels": [1 if t == classes[1] else -1 for t in digits.target[train]],
            "logEvidence": float(model.log_marginal_likelihood_value_),
            "probabilities": model.predict_proba(digits.data[test] / 16)[:, 1].tolist(),
        }
    )
print(json.dumps({"scikit-learn": sklearn.__version__, "cases": cases}))
