import type { Plugin } from "@finitewidth/core";
import { erf } from "./erf.js";
import { gelu } from "./gelu.js";
import { identity } from "./identity.js";
import { quadratic } from "./quadratic.js";
import { relu } from "./relu.js";
import { sign } from "./sign.js";
import { step } from "./step.js";
import { tanh } from "./tanh.js";

/** The activations of this package. */
export const plugin: Plugin = {
  name: "@finitewidth/activations",
  module: import.meta.url,
  activations: [identity, erf, relu, sign, step, tanh, gelu, quadratic],
};
