"""
Targets far beyond what the prior expects, little noise, biases in every layer: strong-targets.json.
Importance sampling over the Wishart matrices themselves (their densities, log-Cholesky coordinates), with the dense covariance of all
targets; nothing is shared with the package: no Bartlett factors, no eigenbasis, no Woodbury. Needs NumPy and SciPy.
"""
import json
import numpy as np
from scipy.optimize import minimize
from scipy.special import multigammaln, gammaln

def case(name, seed, P, N0, D, widths, bias, T, scale):
    r = np.random.default_rng(seed)
    X, Y, Xs = r.normal(size=(P, N0)), scale * r.normal(size=(P, D)), r.normal(size=(2, N0))
    every = np.vstack([X, Xs])
    K = every @ every.T / N0 + bias
    # orthonormal basis of the range of K and 1; the rest of the targets is noise
    u, s, _ = np.linalg.svd(np.hstack([X, np.ones((P, 1))]))
    basis = u[:, : int(np.sum(s > 1e-10 * s[0]))]
    k, o, y = basis.T @ K[:P, :P] @ basis, basis.sum(0), basis.T @ Y
    kx, n = K[P:, :P] @ basis, basis.shape[1]
    constant = -0.5 * (D * (P - n) * np.log(2 * np.pi * T) + np.sum((Y - basis @ y) ** 2) / T)
    L, t = len(widths), D * (D + 1) // 2
    rows, columns = np.tril_indices(D)
    diagonal = rows == columns
    flat = y.T.reshape(-1)

    def wishart(R, S, N):
        """log density of M = R Rᵀ ~ W(N, S Sᵀ/N) in log-Cholesky coordinates."""
        d = np.log(np.diagonal(R, axis1=1, axis2=2))
        A = np.linalg.solve(S, R)
        logS = np.log(np.diagonal(S, axis1=1, axis2=2)).sum(1)
        density = (N - D - 1) * d.sum(1) - 0.5 * N * (A**2).sum((1, 2)) - 0.5 * N * D * np.log(2 / N) - N * logS - multigammaln(N / 2, D)
        return density + D * np.log(2) + (d * (D - np.arange(D) + 1)).sum(1)

    def unpack(x):
        R = np.zeros((L, len(x), D, D))
        for l in range(L):
            v = x[:, l * t : (l + 1) * t]
            R[l][:, rows, columns] = np.where(diagonal, np.exp(v), v)
        return R

    def pieces(x):
        R = unpack(x)
        S = np.broadcast_to(np.eye(D), R[0].shape)
        value = np.zeros(len(x))
        for l in range(L - 1, -1, -1):
            value += wishart(R[l], S, widths[l])
            S = R[l]
        M = R @ R.transpose(0, 1, 3, 2)
        B = bias * (np.eye(D) + M[1:].sum(0))
        big = np.einsum("sab,ij->saibj", M[0], k) + np.einsum("sab,i,j->saibj", B, o, o)
        big = big.reshape(len(x), D * n, D * n) + T * np.eye(D * n)
        C = np.linalg.cholesky(big)
        z = np.linalg.solve(C, np.broadcast_to(flat[:, None], (len(x), D * n, 1)))[..., 0]
        value += -0.5 * (z**2).sum(1) - np.log(np.diagonal(C, axis1=1, axis2=2)).sum(1) - 0.5 * D * n * np.log(2 * np.pi)
        return value, M[0], B, C, z

    def objective(x):
        try:
            value = pieces(x[None])[0][0]
        except np.linalg.LinAlgError:
            return 1e300
        return -value if np.isfinite(value) else 1e300

    dim = L * t
    best = None
    for size in [0, 0.5, 1, 1.5]:
        x = np.zeros(dim)
        for l in range(L):
            x[l * t : (l + 1) * t][diagonal] = size * np.log(scale) / L
        for _ in range(4):
            found = minimize(objective, x, method="Nelder-Mead", options=dict(maxiter=4000, maxfev=4000, xatol=1e-6, fatol=1e-8, adaptive=True))
            x = found.x
        if best is None or found.fun < best.fun:
            best = found
    mean, step = best.x, 1e-3 * np.maximum(1, np.abs(best.x))
    H = np.zeros((dim, dim))
    for i in range(dim):
        for j in range(dim):
            e, g = np.eye(dim)[i] * step, np.eye(dim)[j] * step
            H[i, j] = (objective(mean + e + g) - objective(mean + e - g) - objective(mean - e + g) + objective(mean - e - g)) / (4 * step[i] * step[j])
    w, v = np.linalg.eigh(0.5 * (H + H.T))
    cov = (v / np.maximum(w, 1e-12)) @ v.T
    nu = 6
    for draws in [20000, 20000, 40000, 300000]:
        A = np.linalg.cholesky(cov)
        z = r.normal(size=(draws, dim)) / np.sqrt(r.chisquare(nu, size=(draws, 1)) / nu)
        x = mean + z @ A.T
        proposal = gammaln((nu + dim) / 2) - gammaln(nu / 2) - 0.5 * dim * np.log(nu * np.pi) - np.log(np.diag(A)).sum() - 0.5 * (nu + dim) * np.log1p((z**2).sum(1) / nu)
        parts = [pieces(part) for part in np.array_split(x, max(1, draws // 5000))]
        logp, M, B, C, u = (np.concatenate([p[i] for p in parts]) for i in range(5))
        lw = logp - proposal
        top = lw.max()
        weights = np.exp(lw - top)
        p = weights / weights.sum()
        ess = 1 / (p**2).sum()
        mean, cov = p @ x, np.cov(x.T, aweights=p, bias=True).reshape(dim, dim) * 1.15
    cross = np.einsum("sab,ij->saibj", M, kx) + np.einsum("sab,i,j->saibj", B, np.ones(2), o)
    cross = cross.reshape(len(x), D * 2, D * n)
    V = np.linalg.solve(C, cross.transpose(0, 2, 1))
    m = np.einsum("sij,si->sj", V, u)
    own = np.einsum("sab,i->sai", M, np.diagonal(K)[P:]) + np.einsum("sab,i->sai", B, np.ones(2))
    own = (np.einsum("saa,i->sai", M, np.diagonal(K)[P:]) + np.einsum("saa,i->sai", B, np.ones(2))).reshape(len(x), -1)
    inner = own - (V**2).sum(1)
    mean_f = p @ m
    variance_f = p @ (inner + (m - mean_f) ** 2)

    def estimate(values, centre):
        """Self-normalised average and its standard error, (output, point) → (point, output) or D × D."""
        return np.sqrt(((p[:, None] * (values - centre)) ** 2).sum(0))

    order = lambda v: v.reshape(D, 2).T.tolist()
    result = {
        "logEvidence": {"value": float(constant + top + np.log(weights.mean())), "standardError": float(np.sqrt(np.mean((weights / weights.mean() - 1) ** 2) / draws))},
        "mixing": {"value": (p @ M.reshape(draws, -1)).tolist(), "standardError": estimate(M.reshape(draws, -1), p @ M.reshape(draws, -1)).tolist()},
        "mean": {"value": order(mean_f), "standardError": order(estimate(m, mean_f))},
        "variance": {"value": order(variance_f), "standardError": order(estimate(inner + (m - mean_f) ** 2, variance_f))},
    }
    print(name, "effective fraction", round(ess / draws, 3), result["logEvidence"], mean_f[:2], np.sqrt(variance_f)[:2])
    assert ess > 0.2 * draws
    return {"name": name, "network": {"widths": widths, "biasVariance": bias}, "temperature": T, "inputs": X.tolist(), "targets": Y.tolist(), "testInputs": Xs.tolist(), "expected": result}

cases = [
    case("two outputs, rank below the number of points", 1, 5, 3, 2, [4], 0.1, 1e-4, 1e3),
    case("two outputs, full rank", 2, 5, 8, 2, [10], 0.1, 1e-4, 1e3),
    case("three outputs, full rank", 3, 5, 8, 3, [6], 0.1, 1e-4, 1e3),
    case("two outputs, two layers", 4, 5, 8, 2, [4, 5], 0.1, 1e-4, 1e3),
    case("three outputs, two layers, rank below the number of points", 5, 5, 3, 3, [5, 4], 0.1, 1e-4, 1e3),
    case("one output, two layers", 6, 5, 8, 1, [4, 6], 0.1, 1e-4, 1e3),
    case("two outputs, targets of a million", 7, 5, 3, 2, [30], 0.2, 1e-6, 1e6),
    case("two outputs, targets of a thousandth", 8, 5, 8, 2, [4], 0.1, 1e-4, 1e-3),
]
json.dump({"description": "Exact posteriors of linear networks by importance sampling, see strong-targets.py", "cases": cases}, open("strong-targets.json", "w"), indent=1)
