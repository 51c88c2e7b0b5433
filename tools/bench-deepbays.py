"""What deepbays takes for the effective actions of bench-peers-ours.mjs: warm CPU seconds on one core, one JSON object a line.

Usage: bench-deepbays.py DATA.npz. Fit, predictions and variances of 500 points as deepbays 0.1.11 computes them; no evidence.
"""
import json
import sys
import time
from unittest.mock import MagicMock

from one_core import data

import numpy as np
import torch

torch.set_num_threads(1)
# imported by its variant for graphics processors, which is not used
sys.modules["cupy"] = sys.modules["cupy.cuda"] = MagicMock()
import deepbays
from deepbays.rkgp import FC_1HL, FC_deep

T = 0.01


def say(task, f, rounds):
    seconds = []
    for _ in range(rounds + 1):
        start = time.process_time()
        values = f()
        seconds.append(time.process_time() - start)
    print(json.dumps({"task": task, "peer": "deepbays", "seconds": min(seconds[1:]), "cold": seconds[0], "values": values}), flush=True)


def head(points):
    return data["x"][:points], data["y"][:points], data["xt"]


def action():
    x, y, xt = head(1000)
    model = FC_1HL(500, T, act="erf")
    model.preprocess(x, y)
    model.optimize()
    mean = model.predict(xt)
    variance = model.orderParam * model.K0 - np.sum(model.K0_invK * model.rK0X, axis=1)
    return [float(model.optQ), float(mean[0].item()), float(variance[0])]


def deep_action():
    x, y, xt = head(500)
    model = FC_deep(3, 500, T, [1.0] * 4, "erf")
    model.preprocess(x, torch.tensor(y))
    model.optimize()
    mean = model.predict(xt)
    variance = model.rK0L - np.sum(model.K0_invK * model.rK0XL, axis=1)
    return [*map(float, model.optQ), float(mean[0].item()), float(variance[0])]


say("action", action, 2)
say("deep", deep_action, 3)
print(json.dumps({"versions": {"deepbays": "0.1.11", "torch": torch.__version__}}), flush=True)
