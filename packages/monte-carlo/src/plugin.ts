import type { Plugin, Theory } from "@finitewidth/core";
import { networkReferee } from "./referee/referee.js";
import { monteCarlo } from "./theory.js";

/** Registers the theory "monte-carlo" and the referee "network". */
export const plugin: Plugin = {
  name: "@finitewidth/monte-carlo",
  module: import.meta.url,
  theories: [monteCarlo as Theory],
  referees: [networkReferee],
};
