"""Infinite-width kernels of nearly parallel inputs at 60 digits, from the very float64 inputs: nearly-parallel.json. Needs mpmath."""
import json, random
import mpmath as mp

mp.mp.dps = 60
random.seed(3)

def kernel(name, a, c, b):
    s = mp.sqrt(a * b)
    theta = mp.acos(max(-1, min(1, c / s)))
    if name == "sign":
        return 1 - 2 * theta / mp.pi
    if name == "step":
        return (1 + 1 - 2 * theta / mp.pi) / 4
    return s * (mp.sin(theta) + (mp.pi - theta) * mp.cos(theta)) / (2 * mp.pi)

diagonal = {"sign": lambda k: mp.mpf(1), "step": lambda k: mp.mpf(1) / 2, "relu": lambda k: k / 2}
cases = []
for i in range(48):
    name = ["sign", "step", "relu"][i % 3]
    n0, depth = random.choice([2, 3, 5]), random.choice([1, 2, 4, 6])
    x = [random.gauss(0, 1) for _ in range(n0)]
    scale = random.choice([1, -1]) * 10 ** random.uniform(-3, 3)
    y = [scale * v * (1 + random.gauss(0, 1) * 10 ** -random.uniform(1, 13)) for v in x]
    weights = [random.uniform(0.5, 2) for _ in range(depth + 1)]
    biases = [random.choice([0, 0, random.uniform(0, 1), 1e-9]) for _ in range(depth + 1)]
    dot = lambda u, v: sum((mp.mpf(p) * mp.mpf(q) for p, q in zip(u, v)), mp.mpf(0))
    a, c, b = (mp.mpf(weights[0]) * dot(u, v) / n0 + mp.mpf(biases[0]) for u, v in [(x, x), (x, y), (y, y)])
    angle = mp.asin(mp.sqrt(max(0, 1 - (c * c) / (a * b))))
    for l in range(1, depth + 1):
        g = kernel(name, a, c, b)
        a, b = diagonal[name](a), diagonal[name](b)
        a, c, b = (mp.mpf(weights[l]) * v + mp.mpf(biases[l]) for v in (a, g, b))
    cases.append({"activation": name, "inputs": [x, y], "weightVariance": weights, "biasVariance": biases,
                  "firstAngle": float(angle), "kernel": [float(a), float(c), float(b)]})
with open(__file__.replace(".py", ".json"), "w") as file:
    json.dump({"generator": "nearly-parallel.py, mpmath 60 digits", "cases": cases}, file)
print(sorted(c["firstAngle"] for c in cases)[:6])
