import type { Plugin, Theory } from "@finitewidth/core";
import { exact } from "./exact/theory.js";
import { nngp } from "./infinite-width/nngp.js";
import { mixingBridges, mixingChains, mixingImportance, mixingRatios } from "./matrix/work.js";
import { siteBridges, siteChains, siteImportance, siteRatios } from "./site-chain/work.js";

/** Registers the theories "nngp" and "exact". */
export const plugin: Plugin = {
  name: "@finitewidth/posterior",
  module: import.meta.url,
  theories: [nngp as Theory, exact as Theory],
  tasks: [mixingBridges, mixingChains, mixingImportance, mixingRatios, siteBridges, siteChains, siteImportance, siteRatios],
};
