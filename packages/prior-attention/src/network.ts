import type { Network } from "@finitewidth/core";

/** How the attention maps of a layer come about. */
export type LayerMaps =
  /** The same for all inputs: [head][query][key]. */
  | { readonly matrices: readonly (readonly (readonly number[])[])[] }
  /**
   * Softmax of frozen queries and keys of the raw tokens, drawn from `seed`: scores scale·q·k/√keys, entries of W_Q and W_K N(0,
   * 1/features).
   */
  | { readonly heads: number; readonly keys: number; readonly scale: number; readonly seed: number }
  /** Softmax of given queries and keys, keys × features for every head; scores scale·q·k, scale 1/√keys where left out. */
  | {
      readonly queries: readonly (readonly (readonly number[])[])[];
      readonly keys: readonly (readonly (readonly number[])[])[];
      readonly scale?: number | undefined;
    }
  /** In the input rows, after the tokens: heads × tokens × tokens numbers for this layer. */
  | { readonly heads: number; readonly from: "input" };

/** One layer of values, linear: x_i ← (N H)^{−1/2} Σ_h V^h Σ_j Ω^h_ij x_j + b. */
export interface AttentionLayer {
  readonly width: number;
  /** Left out: a tokenwise layer, one head with Ω = 1 (an embedding when it is the first). */
  readonly maps?: LayerMaps | undefined;
}

/**
 * Multi-head attention that is linear in the values, maps fixed or of the raw inputs: layers 1 … L and a readout
 * f_a = Σ_i r_i a_a·x^L_i/√N_L. An input row is the array (tokens, features) flattened, features fastest, followed by the maps of the
 * layers that take them from the input, [layer][head][query][key].
 */
export interface AttentionNetwork extends Network {
  readonly type: "attention";
  readonly tokens: number;
  readonly features: number;
  readonly layers: readonly AttentionLayer[];
  /** r, one weight per token. */
  readonly readout: readonly number[];
  /** σ_w² of layers 1 … L+1. */
  readonly weightVariance: readonly number[];
  /** σ_b² of layers 1 … L+1. */
  readonly biasVariance: readonly number[];
}
