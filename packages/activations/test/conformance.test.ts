import { activationChecks } from "@finitewidth/core/conformance";
import { describe, it } from "vitest";
import { defineActivation, plugin } from "../src/index.js";

const softplus = (h: number): number => Math.max(h, 0) + Math.log1p(Math.exp(-Math.abs(h)));
const logistic = (h: number): number => 1 / (1 + Math.exp(-h));

/** Plug-ins as a third party writes them: all derivatives, first two only, none but the first, a kink. */
const thirdParty = [
  defineActivation({
    name: "sin",
    summary: "sin h",
    odd: true,
    smooth: true,
    bounded: true,
    value: Math.sin,
    derivative: Math.cos,
    secondDerivative: (h) => -Math.sin(h),
  }),
  defineActivation({
    name: "softplus",
    summary: "log(1 + eʰ)",
    odd: false,
    smooth: true,
    bounded: false,
    analyticRadius: Math.PI,
    saturates: true,
    value: softplus,
    derivative: logistic,
  }),
  defineActivation({
    name: "absolute",
    summary: "|h|",
    odd: false,
    smooth: false,
    bounded: false,
    degree: 1,
    value: Math.abs,
    derivative: Math.sign,
  }),
  defineActivation({
    name: "leaky",
    summary: "h or h/5",
    odd: false,
    smooth: false,
    bounded: false,
    degree: 1,
    value: (h) => (h > 0 ? h : 0.2 * h),
    derivative: (h) => (h > 0 ? 1 : h < 0 ? 0.2 : 0.6),
  }),
];

for (const activation of [...plugin.activations!, ...thirdParty]) {
  describe(activation.name, () => {
    // the reference rule of the checks has a node on the jump of sign and step: 1.6 % of the weight
    const settings = activation.degree === 0 ? { tolerance: 0.02 } : {};
    for (const check of activationChecks(activation, settings)) it(check.name, check.run);
  });
}
