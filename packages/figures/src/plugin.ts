import type { Plugin } from "@finitewidth/core";
import { haninDepth } from "./figures/hanin-depth.js";
import { pacelliLoss } from "./figures/pacelli-loss.js";
import { zavatoneVethBottleneck } from "./figures/zavatone-veth-bottleneck.js";
import { zavatoneVethLinear } from "./figures/zavatone-veth-linear.js";
import { zavatoneVethOneLayer } from "./figures/zavatone-veth-one-layer.js";

/** The figures of the papers, for a registry. */
export const plugin: Plugin = {
  name: "@finitewidth/figures",
  module: import.meta.url,
  figures: [zavatoneVethLinear, zavatoneVethBottleneck, zavatoneVethOneLayer, pacelliLoss, haninDepth],
};
