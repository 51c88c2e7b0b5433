import type { Plugin } from "@finitewidth/core";

/** The large-deviation theories. */
export const plugin: Plugin = { name: "@finitewidth/large-deviations", theories: [] };
