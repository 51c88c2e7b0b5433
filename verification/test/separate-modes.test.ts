import { createRegistry, fit } from "@finitewidth/core";
import { expect, it } from "vitest";
import { standardPlugins } from "../src/index.js";

const registry = createRegistry(standardPlugins);
/** Twelve strong directions without signal and four weak ones with it: for N = 8 two minima of similar weight (docs/examples/questions). */
const problem = (label: number) => ({
  network: { type: "fully-connected", widths: [8], activation: "identity" },
  inputs: Array.from({ length: 16 }, (_, i) => Array.from({ length: 16 }, (_, j) => (i === j ? (i < 12 ? 36 : 0.4) : 0))),
  targets: Array.from({ length: 16 }, (_, i) => (i < 12 ? 0.3 : label) * (i % 2 === 0 ? 1 : -1)),
  temperature: 0.2,
});

it.each([
  [4, 2],
  [6, undefined],
])("labels %d: separate modes of the exact posterior and of the action: %s", async (label, modes) => {
  for (const name of ["exact", "effective-action"])
    expect((await fit(registry.theory(name), problem(label), { registry })).posterior.modes, name).toBe(modes);
});
