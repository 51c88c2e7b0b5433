import type { Plugin, Theory } from "@finitewidth/core";
import { networkReferee } from "./referee/referee.js";
import { monteCarlo } from "./theory.js";
import { annealIsland } from "./evidence/island.js";
import { sampleNetworkIsland } from "./likelihood/island.js";
import { sampleChain } from "./posterior/chain.js";
import { predictDraws } from "./posterior/predict.js";
import { drawPrior } from "./prior/draw.js";
import { runRefereeChains } from "./referee/chains.js";
import { measurePriorDistance } from "./referee/prior-distance.js";

/** Registers the theory "monte-carlo" and the referee "network". */
export const plugin: Plugin = {
  name: "@finitewidth/monte-carlo",
  module: import.meta.url,
  theories: [monteCarlo as Theory],
  referees: [networkReferee],
  tasks: [sampleChain, predictDraws, sampleNetworkIsland, annealIsland, drawPrior, runRefereeChains, measurePriorDistance],
};
