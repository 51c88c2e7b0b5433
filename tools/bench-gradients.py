"""What JAX takes for the gradients of bench-gradients-ours.mjs, value and gradient jitted together: one JSON object a line.

Usage: bench-gradients.py DATA.npz.
"""
import json
import time

from one_core import data

import jax
import jax.numpy as jnp
import numpy as np

jax.config.update("jax_enable_x64", True)
T = 0.1


def hidden(theta, x, widths):
    """Activities φ(h^L) and what is left of θ."""
    at = 0
    for width in widths:
        size = x.shape[1]
        weights = theta[at : at + width * size].reshape(width, size)
        at += width * size
        x = jax.scipy.special.erf(x @ weights.T / jnp.sqrt(size))
    return x, theta[at:]


def full(theta, x, y, widths):
    features, readout = hidden(theta, x, widths)
    misfit = y - features @ readout / jnp.sqrt(widths[-1])
    return -0.5 * theta @ theta - 0.5 * misfit @ misfit / T - 0.5 * len(y) * jnp.log(2 * jnp.pi * T)


def collapsed(theta, x, y, widths):
    """The readout integrated out, by the smaller of T + ΦΦᵀ and T + ΦᵀΦ."""
    phi = hidden(theta, x, widths)[0] / jnp.sqrt(widths[-1])
    points, width = phi.shape
    constant = -0.5 * theta @ theta - 0.5 * points * jnp.log(2 * jnp.pi)
    solve = jax.scipy.linalg.solve_triangular
    if points <= width:
        root = jnp.linalg.cholesky(phi @ phi.T + T * jnp.eye(points))
        z = solve(root, y, lower=True)
        return constant - jnp.sum(jnp.log(jnp.diag(root))) - 0.5 * z @ z
    root = jnp.linalg.cholesky(phi.T @ phi + T * jnp.eye(width))
    z = solve(root, phi.T @ y, lower=True)
    return constant - jnp.sum(jnp.log(jnp.diag(root))) - 0.5 * (points - width) * jnp.log(T) - 0.5 * (y @ y - z @ z) / T


for points, width, depth in [(60, 20, 1), (60, 20, 2), (200, 100, 1), (200, 100, 2), (1000, 500, 1), (1000, 500, 2)]:
    widths = [width] * depth
    x, y = jnp.asarray(data["x"][:points]), jnp.asarray(data["y"][:points, 0])
    inner = x.shape[1] * width + width * width * (depth - 1)
    for name, density, count in (("full", full, inner + width), ("collapsed", collapsed, inner)):
        theta = jnp.asarray(np.sqrt(2) * np.sin(np.arange(count) + 1.0))
        both = jax.jit(jax.value_and_grad(lambda t: density(t, x, y, widths)))
        start = time.process_time()
        value, gradient = jax.block_until_ready(both(theta))
        cold = time.process_time() - start
        start = time.process_time()
        jax.block_until_ready(both(theta))
        times = max(3, int(0.15 / max(time.process_time() - start, 1e-4)) + 1)
        seconds = np.inf
        for _ in range(6):
            start = time.process_time()
            for _ in range(times):
                value, gradient = jax.block_until_ready(both(theta))
            seconds = min(seconds, (time.process_time() - start) / times)
        task = f"gradient, {name}, P = {points}, N = {', '.join(map(str, widths))}"
        values = [float(value), float(gradient[0]), float(gradient[width * 784 - 300])]
        print(json.dumps({"task": task, "peer": "JAX", "seconds": seconds, "cold": cold, "values": values}), flush=True)
print(json.dumps({"versions": {"jax": jax.__version__, "numpy": np.__version__}}), flush=True)
