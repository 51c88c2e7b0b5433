import type { Plugin, Theory } from "@finitewidth/core";
import { monteCarlo } from "./theory.js";

/** Registers the theory "monte-carlo". */
export const plugin: Plugin = { name: "@finitewidth/monte-carlo", module: import.meta.url, theories: [monteCarlo as Theory] };
