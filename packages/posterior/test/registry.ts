import { plugin as activations } from "@finitewidth/activations";
import { createRegistry, type Registry } from "@finitewidth/core";
import { plugin as priorFc } from "@finitewidth/prior-fc";
import { plugin } from "../src/index.js";

/** Fully connected networks, all activations, the theories of this package. */
export const testRegistry = (): Registry => createRegistry([activations, priorFc, plugin]);
