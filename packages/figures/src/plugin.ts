import type { Plugin } from "@finitewidth/core";
import { bassettiOrderParameter } from "./figures/bassetti-order-parameter.js";
import { bassettiShape } from "./figures/bassetti-shape.js";
import { fischerAlignment } from "./figures/fischer-alignment.js";
import { fischerCriticality } from "./figures/fischer-criticality.js";
import { haninDepth } from "./figures/hanin-depth.js";
import { pacelliDepth } from "./figures/pacelli-depth.js";
import { pacelliLoss } from "./figures/pacelli-loss.js";
import { tiberiHeads } from "./figures/tiberi-heads.js";
import { yaidaAccuracy } from "./figures/yaida-accuracy.js";
import { zavatoneVethBottleneck } from "./figures/zavatone-veth-bottleneck.js";
import { zavatoneVethConvolution } from "./figures/zavatone-veth-convolution.js";
import { zavatoneVethLinear } from "./figures/zavatone-veth-linear.js";
import { zavatoneVethOneLayer } from "./figures/zavatone-veth-one-layer.js";
import { fischerSuperposition } from "./figures/fischer-superposition.js";
import { pacelliStudent } from "./figures/pacelli-student.js";
import { yaidaDensity } from "./figures/yaida-density.js";

/** The figures of the papers, for a registry. */
export const plugin: Plugin = {
  name: "@finitewidth/figures",
  module: import.meta.url,
  figures: [
    zavatoneVethLinear,
    zavatoneVethBottleneck,
    zavatoneVethConvolution,
    zavatoneVethOneLayer,
    yaidaDensity,
    yaidaAccuracy,
    pacelliLoss,
    pacelliDepth,
    pacelliStudent,
    fischerSuperposition,
    fischerAlignment,
    fischerCriticality,
    bassettiOrderParameter,
    bassettiShape,
    tiberiHeads,
    haninDepth,
  ],
};
