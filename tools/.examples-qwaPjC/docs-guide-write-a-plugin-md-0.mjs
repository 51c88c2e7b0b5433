import { defineActivation } from "@finitewidth/activations";
import { activationChecks } from "@finitewidth/core/conformance";
const cosine = defineActivation({
  name: "cosine",
  summary: "\u03C6(h) = cos h",
  odd: false,
  smooth: true,
  bounded: true,
  value: Math.cos,
  derivative: (h) => -Math.sin(h),
  secondDerivative: (h) => -Math.cos(h)
});
for (const check of activationChecks(cosine)) await check.run();
console.log("E \u03C6(h)\xB2 at unit variance:", cosine.moments.diagonal(1));
