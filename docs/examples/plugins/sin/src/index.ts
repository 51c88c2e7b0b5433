import { defineActivation } from "@finitewidth/activations";
import type { Plugin } from "@finitewidth/core";

/** φ(h) = sin h. Its Gaussian moments are filled in by quadrature from φ and its derivatives. */
export const activation = defineActivation({
  name: "sin",
  summary: "φ(h) = sin h, bounded and periodic.",
  odd: true,
  smooth: true,
  bounded: true,
  value: Math.sin,
  derivative: Math.cos,
  secondDerivative: (h) => -Math.sin(h),
});

export const plugin: Plugin = {
  name: "finitewidth-plugin-sin",
  module: import.meta.url,
  activations: [activation],
  scenarios: [
    {
      name: "sin, one hidden layer",
      theories: [{ name: "perturbative" }],
      network: (factor) => ({ type: "fully-connected", widths: [8 * factor], activation: "sin", weightVariance: [1.3, 0.7] }),
      points: 3,
      features: 3,
      temperature: 0.3,
      sampling: { kind: "importance", samples: 40_000 },
      factors: [1, 2, 4],
      seed: 5,
    },
  ],
};
