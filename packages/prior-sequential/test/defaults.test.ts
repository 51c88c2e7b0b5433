import { hiddenWidths, randomLayers } from "@finitewidth/core";
import { infiniteWidthKernels, realise } from "@finitewidth/kernels";
import { stream } from "@finitewidth/random";
import { describe, expect, it } from "vitest";
import { built, someInputs } from "./helpers.js";

const dense = { layer: "dense", width: 3 };
const erf = { layer: "activation", name: "erf" };
const filter = { layer: "convolution", channels: 3, kernelSize: [2, 3] };
const map = [
  [0.5, 0.1, 0, 0.4],
  [0.2, 0.2, 0.3, 0.3],
  [1, -0.5, 0, 0],
  [0, 0.6, 0, 0.4],
];
/** [inputs, layers below, the short form, the same written out, another value for each of its fields, layers above]. */
const cases: readonly [string, readonly number[], object[], object, object, object[], object[]][] = [
  [
    "dense",
    [5],
    [],
    dense,
    { weightVariance: 1, biasVariance: 0 },
    [{ weightVariance: 2 }, { biasVariance: 1 }],
    [erf, { layer: "dense" }],
  ],
  [
    "convolution",
    [2, 4, 5],
    [],
    filter,
    { stride: [1, 1], padding: "circular", dilation: [1, 1], weightVariance: 1, biasVariance: 0 },
    [{ stride: [2, 1] }, { stride: [1, 2] }, { padding: "zero" }, { padding: "valid" }, { padding: [1, 0] }, { dilation: [2, 1] }, { dilation: [1, 2] }, { biasVariance: 1 }], // prettier-ignore
    [erf, { layer: "flatten" }, { layer: "dense" }],
  ],
  [
    "average pooling",
    [2, 4, 6],
    [],
    { layer: "average-pooling", window: [2, 3] },
    { stride: [2, 3], padding: "valid" },
    [{ stride: [1, 3] }, { stride: [2, 1] }, { padding: "zero" }, { padding: "circular", stride: [1, 1] }],
    [{ layer: "flatten" }, dense, erf, { layer: "dense" }],
  ],
  [
    "fixed attention",
    [2, 4],
    [],
    { layer: "attention", matrices: [map], width: 3 },
    { scores: "fixed", weightVariance: 1, biasVariance: 0 },
    [{ matrices: [map, map.toReversed()] }, { weightVariance: 3 }],
    [erf, { layer: "flatten" }, { layer: "dense" }],
  ],
  [
    "softmax attention",
    [2, 4],
    [{ layer: "dense", width: 5 }],
    { layer: "attention", scores: "softmax", width: 3 },
    { scoreVariance: 1, heads: 1, keys: 5, weightVariance: 1, biasVariance: 0 },
    [{ scoreVariance: 0.1 }, { heads: 2 }, { keys: 3 }],
    [erf, { layer: "flatten" }, { layer: "dense" }],
  ],
  [
    "residual",
    [4],
    [dense],
    { layer: "residual", body: [erf, dense] },
    { skip: 1, branch: 1 },
    [{ skip: 0.5 }, { branch: 0.5 }],
    [erf, { layer: "dense" }],
  ],
  [
    "sum",
    [4],
    [dense],
    { layer: "sum", branches: [[], [erf, dense], [erf, dense]] },
    { coefficients: [1, 1, 1] },
    [{ coefficients: [1, 2, 1] }, { coefficients: [2, 1, 1] }],
    [erf, { layer: "dense" }],
  ],
  ["layer normalization", [4], [dense], { layer: "layer-normalization" }, { epsilon: 0 }, [{ epsilon: 0.3 }], [erf, { layer: "dense" }]],
];

describe.each(cases)("defaults of %s", (_, shape, below, short, long, others, above) => {
  const rows = shape.reduce((all, extent) => all * extent, 1);
  const numbers = (layer: object) => {
    const net = built(shape, [...below, layer, ...above]);
    const inputs = someInputs(2, rows);
    const real = realise(net, inputs, 2);
    const theta = stream(7).normals(new Float64Array(real.parameters));
    return {
      widths: hiddenWidths(net),
      variances: randomLayers(net.layers).map(({ weightVariance, biasVariance }) => [weightVariance, biasVariance]),
      kernel: [...infiniteWidthKernels(net, inputs).preactivation.at(-1)!.data],
      outputs: [...real.forward(theta).outputs.data],
    };
  };
  it("are those documented: the short form is the long one, and no other", () => {
    const expected = numbers({ ...short, ...long });
    expect(numbers(short)).toEqual(expected);
    for (const other of others)
      expect(numbers({ ...short, ...long, ...other }).outputs, JSON.stringify(other)).not.toEqual(expected.outputs);
  });
});
