"""Gradients per second of CPU time of the same log density in NumPy; arguments: full or collapsed, P."""
import sys
import time

import numpy as np

try:
    from scipy.special import erf
except ImportError:
    from math import erf as scalar_erf

    erf = np.vectorize(scalar_erf, otypes=[float])

P, N0, N, T = int(sys.argv[2]), 100, 200, 0.1
rng = np.random.default_rng(1)
X = rng.standard_normal((P, N0)) / np.sqrt(N0)
Y = rng.standard_normal((P, 1))


def full(theta):
    W, a = theta[: N * N0].reshape(N, N0), theta[N * N0 :]
    h = X @ W.T
    phi = erf(h) / np.sqrt(N)
    r = Y[:, 0] - phi @ a
    bar = np.outer(r / T, a) * (2 / np.sqrt(np.pi * N)) * np.exp(-h * h)
    gradient = np.concatenate([(bar.T @ X).ravel(), phi.T @ r / T]) - theta
    return -0.5 * theta @ theta - 0.5 * r @ r / T, gradient


def collapsed(theta):
    W = theta.reshape(N, N0)
    h = X @ W.T
    phi = erf(h) / np.sqrt(N)
    if P > N:
        return collapsed_by_features(theta, h, phi)
    L = np.linalg.cholesky(phi @ phi.T + T * np.eye(P))
    Li = np.linalg.inv(L)
    R = Li.T @ (Li @ Y)
    cotangent = R @ (R.T @ phi) - Li.T @ (Li @ phi)
    bar = cotangent * (2 / np.sqrt(np.pi * N)) * np.exp(-h * h)
    value = -0.5 * theta @ theta - 0.5 * (Y.T @ R)[0, 0] - np.log(np.diag(L)).sum()
    return value, (bar.T @ X).ravel() - theta


def collapsed_by_features(theta, h, phi):
    L = np.linalg.cholesky(phi.T @ phi + T * np.eye(N))
    Li = np.linalg.inv(L)
    inverse = Li.T @ Li
    w = inverse @ (phi.T @ Y)
    R = (Y - phi @ w) / T
    bar = (R @ w.T - phi @ inverse) * (2 / np.sqrt(np.pi * N)) * np.exp(-h * h)
    value = -0.5 * theta @ theta - 0.5 * (T * (R * R).sum() + (w * w).sum()) - np.log(np.diag(L)).sum()
    return value, (bar.T @ X).ravel() - theta


density = {"full": full, "collapsed": collapsed}[sys.argv[1]]
theta = rng.standard_normal(N * N0 + (N if sys.argv[1] == "full" else 0))
for _ in range(20):
    density(theta)
count, start, cpu = 0, time.perf_counter(), time.process_time()
while time.perf_counter() - start < 1:
    density(theta)
    count += 1
print(count / (time.process_time() - cpu))
