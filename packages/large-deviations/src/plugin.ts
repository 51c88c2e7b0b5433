import type { Plugin, Theory } from "@finitewidth/core";
import { effectiveAction } from "./effective-action/theory.js";
import { forwardBackward } from "./forward-backward/theory.js";
import { largeDeviation } from "./rate-function/theory.js";
import { adaptationTask } from "./criticality/phase-diagram.js";
import { fitTask } from "./forward-backward/fit.js";

/** The large-deviation theories. */
export const plugin: Plugin = {
  name: "@finitewidth/large-deviations",
  module: import.meta.url,
  theories: [effectiveAction as Theory, largeDeviation as Theory, forwardBackward as Theory],
  tasks: [fitTask, adaptationTask],
};
