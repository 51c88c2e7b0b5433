"""Gaussian process with an optimised radial kernel on the numbers of standard input; part of optimise-digits.mjs."""

import json
import sys

import numpy as np
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

data = json.load(sys.stdin)
x, y, x_test, y_test = (np.array(data[key]) for key in ("x", "y", "xTest", "yTest"))
kernel = ConstantKernel(1.0, (1e-3, 1e3)) * RBF(8.0, (0.1, 1e3)) + WhiteKernel(0.05, (1e-3, 1.0))
process = GaussianProcessRegressor(kernel, n_restarts_optimizer=4, random_state=1).fit(x, y)
mean = process.predict(x_test)
signal, noise = process.kernel_.k1, process.kernel_.k2
print(
    json.dumps(
        {
            "logEvidence": process.log_marginal_likelihood_value_,
            "testError": float(np.mean((y_test - mean) ** 2)),
            "wrong": int(np.sum(y_test * mean <= 0)),
            "kernel": f"variance {signal.k1.constant_value:.3g}, length {signal.k2.length_scale:.3g}, noise {noise.noise_level:.3g}",
        }
    )
)
