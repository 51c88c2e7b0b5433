import type { Activation } from "@finitewidth/core";
import { defineActivation } from "./define-activation.js";
import type { ActivationFunction } from "./quadrature/function.js";

const sech2 = (h: number): number => {
  const t = Math.tanh(h);
  return (1 - t) * (1 + t);
};

/** φ and its derivatives, for quadrature. */
export const tanhFunction = {
  odd: true,
  analyticRadius: Math.PI / 2,
  saturates: true,
  value: Math.tanh,
  derivative: sech2,
  secondDerivative: (h: number) => -2 * Math.tanh(h) * sech2(h),
  thirdDerivative: (h: number) => sech2(h) * (6 * Math.tanh(h) ** 2 - 2),
  fourthDerivative: (h: number) => sech2(h) * Math.tanh(h) * (16 - 24 * Math.tanh(h) ** 2),
} as const satisfies ActivationFunction;

/** φ(h) = tanh h. No closed forms: quadrature, exponentially convergent (poles at ±iπ/2). */
export const tanh: Activation = defineActivation({
  name: "tanh",
  summary: "φ(h) = tanh h: bounded, odd; moments by quadrature.",
  smooth: true,
  bounded: true,
  ...tanhFunction,
});
