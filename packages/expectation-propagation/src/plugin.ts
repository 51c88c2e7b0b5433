import type { Plugin, Theory } from "@finitewidth/core";
import { expectationPropagation } from "./theory.js";
import { sampleTask } from "./samples.js";
import { branchTask } from "./solution.js";

/** Expectation propagation for strong labels. */
export const plugin: Plugin = {
  name: "@finitewidth/expectation-propagation",
  module: import.meta.url,
  theories: [expectationPropagation as Theory],
  tasks: [sampleTask, branchTask],
};
