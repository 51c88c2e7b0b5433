import { defineActivation, plugin as activations } from "@finitewidth/activations";
import {
  createRegistry,
  matrixFromRows,
  resolveArchitecture,
  resolveNetworkInput,
  type Architecture,
  type Matrix,
  type Plugin,
} from "@finitewidth/core";
import { readdirSync } from "node:fs";
import { readFixture } from "../../../tools/testing.ts";
import { plugin } from "../src/index.js";

/** φ(h) = sin h, an activation of the tests: its moments are filled in by quadrature. */
export const sin = defineActivation({
  name: "sin",
  summary: "φ(h) = sin h.",
  odd: true,
  smooth: true,
  bounded: true,
  value: Math.sin,
  derivative: Math.cos,
  secondDerivative: (h) => -Math.sin(h),
});

const tests: Plugin = { name: "tests", activations: [sin] };
export const registry = createRegistry([activations, plugin, tests]);

export type NetworkInput = { readonly type: string; readonly [key: string]: unknown };
/** A network as an experiment file has it, with its layers. */
export const architecture = (network: NetworkInput, known = registry): Architecture =>
  resolveArchitecture(known, resolveNetworkInput(network, known));

/** `{ type: "sequential", … }` */
export const serial = (inputShape: readonly number[], layers: readonly object[]): NetworkInput => ({
  type: "sequential",
  inputShape,
  layers,
});
export const built = (inputShape: readonly number[], layers: readonly object[]): Architecture => architecture(serial(inputShape, layers));

interface LayerFixture {
  readonly case: string;
  readonly description: string;
  readonly inputs: Record<string, unknown>;
  readonly expected: Record<string, unknown>;
  readonly tolerance: { readonly relative: number; readonly absolute: number };
}

/** Fixtures of layers whose name starts so. */
export function fixtures<Inputs, Expected>(
  start: string,
): (Omit<LayerFixture, "inputs" | "expected"> & { readonly inputs: Inputs; readonly expected: Expected })[] {
  const folder = new URL("../../../verification/fixtures/layers/", import.meta.url);
  const names = readdirSync(folder).filter((name) => name.startsWith(start) && name.endsWith(".json"));
  return names.map((name) => readFixture(`layers/${name.slice(0, -5)}`));
}

/** Reproducible numbers around zero. */
export function someInputs(rows: number, columns: number): Matrix {
  let state = 7;
  const next = (): number => (state = (state * 16807) % 2147483647) / 2147483647;
  return matrixFromRows(Array.from({ length: rows }, () => Array.from({ length: columns }, () => 3 * (next() - 0.5))));
}
