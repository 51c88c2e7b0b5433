import { inputError, isConvolutional, isFullyConnected, type Network } from "@finitewidth/core";

/** Changes that one step of a sweep makes. */
export interface SweepValues {
  readonly widths?: number | readonly number[];
  readonly temperature?: number;
  readonly weightVariance?: number | readonly number[];
  readonly biasVariance?: number | readonly number[];
  readonly train?: number;
}

/** All combinations of the values of a sweep, the last key of the file fastest. `keys`: the keys in the order of the file. */
export function sweepSteps(sweep: Readonly<Record<string, readonly unknown[] | undefined>>, keys: readonly string[]): SweepValues[] {
  let steps: Record<string, unknown>[] = [{}];
  for (const key of keys) steps = steps.flatMap((step) => (sweep[key] ?? []).map((value) => ({ ...step, [key]: value })));
  return steps;
}

/**
 * The `network` object of the experiment file with the values of a step put in. @throws FinitewidthError (code "input") when it has no
 * widths to sweep.
 */
export function sweptNetwork(network: Record<string, unknown>, resolved: Network, values: SweepValues): Record<string, unknown> {
  const out = { ...network };
  if (values.weightVariance !== undefined) out.weightVariance = values.weightVariance;
  if (values.biasVariance !== undefined) out.biasVariance = values.biasVariance;
  if (values.widths !== undefined) {
    const { widths } = values;
    if (isFullyConnected(resolved)) out.widths = typeof widths === "number" ? resolved.widths.map(() => widths) : widths;
    else if (isConvolutional(resolved)) {
      const list = typeof widths === "number" ? resolved.layers.map(() => widths) : widths;
      if (list.length !== resolved.layers.length) throw inputError("sweep.widths", `${resolved.layers.length} numbers of channels`, list);
      out.layers = (network.layers as object[]).map((layer, l) => ({ ...layer, channels: list[l] }));
    } else if ("widths" in network) out.widths = widths;
    else throw inputError("sweep.widths", "a network with widths", resolved.type);
  }
  return out;
}
