import { createRegistry, type PriorModel } from "@finitewidth/core";
import { plugin as activations } from "@finitewidth/activations";
import { priorModelChecks } from "@finitewidth/kernels/conformance";
import { stream } from "@finitewidth/random";
import { describe, it } from "vitest";
import { plugin, sequential } from "../src/index.js";
import { serial, someInputs } from "./helpers.js";

const erf = { layer: "activation", name: "erf" };
const relu = { layer: "activation", name: "relu" };
const dense = (width?: number, biasVariance = 0) => ({ layer: "dense", ...(width ? { width } : {}), weightVariance: 1.3, biasVariance });
const filter = (channels: number, more: object = {}) => ({
  layer: "convolution",
  channels,
  kernelSize: [3],
  weightVariance: 1.5,
  biasVariance: 0.1,
  ...more,
});
const rows = (columns: number) => someInputs(4, columns);

const networks = [
  { network: serial([3], [dense(4, 0.2), erf, dense(3), dense(undefined, 0.1)]), inputs: rows(3) },
  { network: serial([3], [dense(4), { layer: "residual", body: [erf, dense(4, 0.1)], skip: 0.7 }, relu, dense()]), inputs: rows(3) },
  {
    network: serial(
      [2, 4],
      [
        filter(3),
        { layer: "residual", body: [relu, filter(3, { padding: "zero" })], branch: 0.5 },
        relu,
        { layer: "average-pooling", window: [2] },
        { layer: "flatten" },
        dense(3),
        erf,
        dense(),
      ],
    ),
    inputs: rows(8),
    outputs: 1,
  },
  {
    network: serial(
      [2, 3],
      [
        dense(4, 0.1),
        {
          layer: "attention",
          matrices: [
            [
              [0.8, 0.1, 0.1],
              [0.2, 0.5, 0.3],
              [0, 0, 1],
            ],
            [
              [1, 0, 0],
              [0, 1, 0],
              [0.5, 0.5, 0],
            ],
          ],
          width: 4,
        },
        { layer: "layer-normalization", epsilon: 0.1 },
        erf,
        { layer: "global-average-pooling" },
        dense(),
      ],
    ),
    inputs: rows(6),
  },
  {
    network: serial(
      [2, 3],
      [
        dense(4),
        {
          layer: "sum",
          branches: [[{ layer: "attention", scores: "softmax", heads: 2, keys: 3, width: 4, biasVariance: 0.1 }], [], [relu, dense(4)]],
          coefficients: [1, 0.5, -1],
        },
        { layer: "flatten" },
        dense(),
      ],
    ),
    inputs: rows(6),
  },
  // a linear chain, whose law is known
  {
    network: serial(
      [2, 4],
      [
        filter(3, { biasVariance: 0 }),
        { layer: "average-pooling", window: [2] },
        {
          layer: "attention",
          matrices: [
            [
              [0.7, 0.3],
              [0.1, 0.9],
            ],
          ],
          width: 3,
        },
        { layer: "flatten" },
        dense(4),
        dense(),
      ],
    ),
    inputs: rows(8),
  },
  // several layers of weights read the inputs
  {
    network: serial(
      [2, 4],
      [
        {
          layer: "sum",
          branches: [
            [{ layer: "average-pooling", window: [2] }, dense(3)],
            [{ layer: "average-pooling", window: [2] }, dense(3, 0.1)],
          ],
          coefficients: [1, 0.5],
        },
        { layer: "flatten" },
        dense(),
      ],
    ),
    inputs: rows(8),
  },
];

describe("conformance of sequential", () => {
  const registry = createRegistry([activations, plugin]);
  for (const check of priorModelChecks(sequential as PriorModel, networks, registry, stream)) it(check.name, check.run);
});
