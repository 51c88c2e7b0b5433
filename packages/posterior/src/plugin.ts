import type { Plugin, Theory } from "@finitewidth/core";
import { exact } from "./exact/theory.js";
import { nngp } from "./infinite-width/nngp.js";

/** Registers the theories "nngp" and "exact". */
export const plugin: Plugin = { name: "@finitewidth/posterior", module: import.meta.url, theories: [nngp as Theory, exact as Theory] };
