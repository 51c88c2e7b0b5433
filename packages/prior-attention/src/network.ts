/** How the attention maps of a layer come about. */
export type LayerMaps =
  /** The same for all inputs: heads × tokens × tokens, [head][query][key]. */
  | { readonly matrices: readonly (readonly (readonly number[])[])[] }
  /** Softmax of frozen queries and keys of the raw tokens, drawn from `seed`: entries N(0, 1), scores divided by √keys and by √features twice. */
  | { readonly heads: number; readonly keys: number; readonly scale: number; readonly seed: number }
  /** Softmax of given queries and keys, keys × features for every head. */
  | {
      readonly queries: readonly (readonly (readonly number[])[])[];
      readonly keys: readonly (readonly (readonly number[])[])[];
      readonly scale?: number;
    }
  /** In the input rows, after the tokens: heads × tokens × tokens numbers for this layer. */
  | { readonly heads: number };

/** One layer of values, linear: x_i ← (N H)^{−1/2} Σ_h V^h Σ_j Ω^h_ij x_j + b. */
export interface AttentionLayer {
  readonly width: number;
  /** Left out: a tokenwise embedding, one head with Ω = 1. */
  readonly maps?: LayerMaps;
}

/**
 * Multi-head attention that is linear in the values, maps fixed or of the raw inputs: layers 1 … L and a readout
 * f_a = Σ_i r_i a_a·x^L_i/√N_L. An input row is the array (tokens, features) flattened, features fastest, followed by the maps of the layers
 * that take them from the input, [layer][head][query][key].
 */
export interface AttentionNetwork {
  readonly type: "attention";
  readonly tokens: number;
  readonly features: number;
  readonly layers: readonly AttentionLayer[];
  /** r, one weight per token. */
  readonly readout: readonly number[];
  readonly weightVariance: readonly number[];
  readonly biasVariance: readonly number[];
}
