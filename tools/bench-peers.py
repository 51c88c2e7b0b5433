"""What peers take for the tasks of bench-peers-ours.mjs: warm CPU seconds on one core, one JSON object a line.

Usage: bench-peers.py DATA.npz. JAX with neural-tangents for the Gaussian process, JAX and SciPy for the effective actions, numpyro and
blackjax (both NUTS) for the sampled posterior.
"""
import json
import time

from one_core import data

import jax
import jax.numpy as jnp
import numpy as np
import scipy
import scipy.linalg as sl
from scipy.optimize import minimize, minimize_scalar

jax.config.update("jax_enable_x64", True)
T = 0.01


def say(task, peer, f, rounds=3):
    seconds = []
    for _ in range(rounds + 1):
        start = time.process_time()
        values = f()
        seconds.append(time.process_time() - start)
    print(json.dumps({"task": task, "peer": peer, "seconds": min(seconds[1:]), "cold": seconds[0], "values": values}), flush=True)


def head(points):
    return data["x"][:points], data["y"][:points, 0], data["xt"]


def gaussian_process():
    """Three erf layers at infinite width: evidence, 500 means and variances, jitted."""
    from neural_tangents import stax

    x, y, xt = (jnp.asarray(a) for a in head(2000))
    layer = [stax.Dense(1, W_std=1.0, parameterization="ntk"), stax.Erf()]
    kernel = stax.serial(*layer, *layer, *layer, stax.Dense(1, W_std=1.0, parameterization="ntk"))[2]

    @jax.jit
    def run(x, y, xt):
        k = kernel(x, x, "nngp") + T * jnp.eye(len(x))
        cross = kernel(x, xt, "nngp")
        own = jnp.diag(kernel(xt, xt, "nngp"))
        root = jnp.linalg.cholesky(k)
        z = jax.scipy.linalg.solve_triangular(root, y, lower=True)
        w = jax.scipy.linalg.solve_triangular(root, cross, lower=True)
        evidence = -0.5 * (z @ z + len(x) * jnp.log(2 * jnp.pi)) - jnp.sum(jnp.log(jnp.diag(root)))
        return evidence, w.T @ z, own - jnp.sum(w * w, 0)

    def once():
        evidence, mean, variance = jax.block_until_ready(run(x, y, xt))
        return [float(evidence), float(mean[0]), float(variance[0])]

    return once


def arcsine(k, a, b):
    return 2 / np.pi * np.arcsin(2 * k / np.sqrt((1 + 2 * a)[:, None] * (1 + 2 * b)[None, :]))


def action():
    """One erf layer of 500 units, 1000 points: saddle of the effective action, 500 predictions, by LAPACK."""
    x, y, xt = head(1000)
    width, size = 500, x.shape[1]

    def once():
        a, b = (x * x).sum(1) / size, (xt * xt).sum(1) / size
        k, cross = arcsine(x @ x.T / size, a, a), arcsine(x @ xt.T / size, a, b)
        own = 2 / np.pi * np.arcsin(2 * b / (1 + 2 * b))
        values, vectors = sl.eigh(k, driver="evd", check_finite=False)
        z = vectors.T @ y

        def value(u):
            d = T + np.exp(u) * values
            return width * (np.exp(u) - u) + np.log(d).sum() + (z * z / d).sum()

        q = np.exp(minimize_scalar(value, bounds=(-5, 3), method="bounded", options={"xatol": 1e-12}).x)
        root = sl.cholesky(q * k + T * np.eye(len(x)), lower=True, check_finite=False)
        w = sl.solve_triangular(root, q * cross, lower=True, check_finite=False)
        mean = w.T @ sl.solve_triangular(root, y, lower=True, check_finite=False)
        return [float(q), float(mean[0]), float(q * own[0] - (w[:, 0] ** 2).sum())]

    return once


def deep_action():
    """Three erf layers of 500 units, 500 points: minimum of the nested action by L-BFGS on gradients of JAX."""
    x, y, xt = head(500)
    width, size = 500, x.shape[1]
    first = jnp.asarray(x @ x.T / size)
    target = jnp.asarray(y)

    def layer(k, a, b):
        return 2 / jnp.pi * jnp.arcsin(2 * k / jnp.sqrt((1 + 2 * a)[:, None] * (1 + 2 * b)[None, :]))

    def value(u):
        k = first
        for l in range(3):
            d = jnp.diag(k)
            k = jnp.exp(u[l]) * layer(k, d, d)
        root = jnp.linalg.cholesky(k + T * jnp.eye(len(y)))
        z = jax.scipy.linalg.solve_triangular(root, target, lower=True)
        return width * jnp.sum(jnp.exp(u) - u) + 2 * jnp.sum(jnp.log(jnp.diag(root))) + z @ z

    both = jax.jit(jax.value_and_grad(value))

    def once():
        found = minimize(lambda u: [np.asarray(part) for part in both(u)], np.zeros(3), jac=True, method="L-BFGS-B", options={"gtol": 1e-6, "ftol": 1e-14})
        q = np.exp(found.x)
        k, cross = np.asarray(first), x @ xt.T / size
        own = (xt * xt).sum(1) / size
        for l in range(3):
            d = np.diag(k).copy()
            cross = q[l] * arcsine(cross, d, own)
            k = q[l] * arcsine(k, d, d)
            own = q[l] * 2 / np.pi * np.arcsin(2 * own / (1 + 2 * own))
        root = sl.cholesky(k + T * np.eye(len(y)), lower=True, check_finite=False)
        w = sl.solve_triangular(root, cross, lower=True, check_finite=False)
        mean = w.T @ sl.solve_triangular(root, y, lower=True, check_finite=False)
        return [*map(float, q), float(mean[0]), float(own[0] - (w[:, 0] ** 2).sum())]

    return once


def network(weights, x):
    first, second = weights
    return jax.scipy.special.erf(x @ first.T / jnp.sqrt(x.shape[1])) @ second / jnp.sqrt(second.shape[0])


def sampled(name):
    """Posterior means of an erf network of 50 units at 20 points: squared standard error times CPU seconds, sampling alone."""
    x, y, xt = (jnp.asarray(a) for a in (data["xs"], data["ys"][:, 0], data["xst"]))
    noise, width, chains, warmup, draws = 0.1, 50, 4, 300, 300
    log_density = lambda w: -0.5 * (jnp.sum(w[0] ** 2) + jnp.sum(w[1] ** 2)) - 0.5 / noise * jnp.sum((y - network(w, x)) ** 2)

    def numpyro_chain(seed):
        import numpyro.infer as infer

        kernel = infer.NUTS(potential_fn=lambda w: -log_density(w))
        mcmc = infer.MCMC(kernel, num_warmup=warmup, num_samples=draws, progress_bar=False)
        key = jax.random.PRNGKey(seed)
        start = (jax.random.normal(key, (width, x.shape[1])), jax.random.normal(key, (width,)))
        mcmc.run(key, init_params=start)
        return jax.vmap(lambda a, b: network((a, b), xt))(*mcmc.get_samples())

    def blackjax_run():
        import blackjax

        def chain(key):
            ka, kb, kc = jax.random.split(key, 3)
            start = (jax.random.normal(ka, (width, x.shape[1])), jax.random.normal(kb, (width,)))
            (state, parameters), _ = blackjax.window_adaptation(blackjax.nuts, log_density).run(kc, start, num_steps=warmup)
            step = jax.jit(blackjax.nuts(log_density, **parameters).step)

            def one(carry, k):
                state, _ = step(k, carry)
                return state, network(state.position, xt)

            return jax.lax.scan(one, state, jax.random.split(kb, draws))[1]

        return jax.jit(chain)

    chain = numpyro_chain if name == "numpyro" else (lambda run: lambda seed: run(jax.random.PRNGKey(seed)))(blackjax_run())
    chain(99)  # compiled before the clock starts
    start = time.process_time()
    means = np.array([np.asarray(chain(seed)).mean(0) for seed in range(chains)])
    seconds = time.process_time() - start
    square = float((means.var(0, ddof=1) / chains).mean())
    print(json.dumps({"task": "sampling", "peer": f"{name} NUTS", "seconds": seconds, "cost": square * seconds, "values": [float(means.mean())]}), flush=True)


say("nngp", "neural-tangents", gaussian_process())
say("action", "SciPy", action())
say("deep", "JAX and SciPy", deep_action())
for peer in ("numpyro", "blackjax"):
    try:
        sampled(peer)
    except Exception as error:  # a peer that does not run is said, not fatal
        print(json.dumps({"task": "sampling", "peer": f"{peer} NUTS", "error": str(error)[:200]}), flush=True)
print(json.dumps({"versions": {"jax": jax.__version__, "numpy": np.__version__, "scipy": scipy.__version__}}), flush=True)
