import type { Plugin, Theory } from "@finitewidth/core";
import { largeDeviation } from "./rate-function/theory.js";

/** The large-deviation theories. */
export const plugin: Plugin = { name: "@finitewidth/large-deviations", theories: [largeDeviation as Theory] };
