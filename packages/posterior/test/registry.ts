import { createRegistry, type Activation, type GaussianMoments, type Registry } from "@finitewidth/core";
import { plugin as priorFc } from "@finitewidth/prior-fc";
import { plugin } from "../src/index.js";

const identity: Activation = {
  name: "identity",
  summary: "linear",
  odd: true,
  smooth: true,
  bounded: false,
  value: (h) => h,
  derivative: () => 1,
  moments: { kernel: (_a: number, c: number) => c, diagonal: (k: number) => k } as unknown as GaussianMoments,
};

/** Fully connected networks, the theories of this package, and two activations. */
export const testRegistry = (): Registry => createRegistry([{ name: "test", activations: [identity, { ...identity, name: "cubic" }] }, priorFc, plugin]);
