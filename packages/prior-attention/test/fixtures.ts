import { matrixFromRows, type Matrix } from "@finitewidth/core";
import type { AttentionMaps, AttentionNetwork, LayerMaps } from "../src/index.js";

/** A case of the attention fixtures: explicit maps, [layer][example][head][query][key]. */
export interface AttentionCase {
  readonly attention: number[][][][][];
  readonly inputs: number[][][];
  readonly readout: number[];
  readonly outputs: number;
  readonly widths: number[];
  readonly variances?: number[];
  readonly biasVariances?: number[];
  readonly targets?: number[][];
  readonly temperature?: number;
}

/** The network whose maps come with its inputs (except those that every example shares), and its input rows. */
export function caseOf(c: AttentionCase): { readonly network: AttentionNetwork; readonly rows: Matrix } {
  const own = c.attention.map((layer) => layer.some((heads) => JSON.stringify(heads) !== JSON.stringify(layer[0])));
  const rows = c.inputs.map((tokens, mu) => [...tokens.flat(), ...c.attention.flatMap((layer, l) => (own[l] ? layer[mu]!.flat(2) : []))]);
  const depth = c.widths.length;
  return {
    network: {
      type: "attention",
      tokens: c.inputs[0]!.length,
      features: c.inputs[0]![0]!.length,
      layers: c.widths.map((width, l) => {
        const maps: LayerMaps = own[l] ? { heads: c.attention[l]![0]!.length, from: "input" } : { matrices: c.attention[l]![0]! };
        return { width, maps };
      }),
      readout: c.readout,
      weightVariance: c.variances ?? Array.from({ length: depth + 1 }, () => 1),
      biasVariance: c.biasVariances ?? Array.from({ length: depth + 1 }, () => 0),
    },
    rows: matrixFromRows(rows),
  };
}

/** Reduction over the maps and tokens of these very examples. */
export function reductionOf(c: AttentionCase, maps: readonly AttentionMaps[]) {
  return {
    maps,
    tokens: (mu: number): Matrix => {
      const x = matrixFromRows(c.inputs[mu]!);
      const out = { data: new Float64Array(x.data.length), shape: [x.shape[1], x.shape[0]] as const };
      for (let j = 0; j < x.shape[0]; j++) for (let f = 0; f < x.shape[1]; f++) out.data[f * x.shape[0] + j] = x.data[j * x.shape[1] + f]!;
      return out;
    },
  };
}
