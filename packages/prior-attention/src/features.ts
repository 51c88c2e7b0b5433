import { zeros, type Matrix } from "@finitewidth/core";
import { mapOf, type AttentionMaps, type Sequences } from "./maps.js";

/**
 * Features of the tokens of the first hidden layer: Φ_i with Φ_i Φ_jᵀ = covariance of its units at tokens i and j, σ_w²(1)/(N0 H_1) Σ_h
 * [Ω^{1,h}x]_i·[Ω^{1,h}x]_j + σ_b²(1). One P × (H_1 N0 (+ 1)) matrix per token, head slowest. O(P H_1 T² N0) for T tokens.
 */
export function tokenFeatures(inputs: Sequences, maps: AttentionMaps, weightVariance: number, biasVariance: number): Matrix[] {
  const { examples, tokens, features, data } = inputs;
  const width = maps.heads * features + (biasVariance > 0 ? 1 : 0);
  const scale = Math.sqrt(weightVariance / (features * maps.heads));
  return Array.from({ length: tokens }, (_, i) => {
    const out = zeros(examples, width);
    for (let mu = 0; mu < examples; mu++) {
      for (let h = 0; h < maps.heads; h++) {
        const map = mapOf(maps, mu, h);
        for (let j = 0; j < tokens; j++) {
          const weight = scale * map[i * tokens + j]!;
          if (weight === 0) continue;
          const from = (mu * tokens + j) * features;
          for (let f = 0; f < features; f++) out.data[mu * width + h * features + f]! += weight * data[from + f]!;
        }
      }
      if (biasVariance > 0) out.data[(mu + 1) * width - 1] = Math.sqrt(biasVariance);
    }
    return out;
  });
}

/**
 * Φ̃_σ = Σ_i ω^σ_i Φ_i: features of the sites of M_1, K_στ = Φ̃_σ Φ̃_τᵀ. `suffix`: ω^σ over (example, token), or over tokens. O(paths · T P
 * F).
 */
export function pathFeatures(tokens: readonly Matrix[], suffix: readonly Float64Array[]): Matrix[] {
  const [examples, width] = tokens[0]!.shape;
  const shared = suffix[0]!.length === tokens.length;
  return suffix.map((row) => {
    const out = zeros(examples, width);
    tokens.forEach((feature, i) => {
      for (let mu = 0; mu < examples; mu++) {
        const weight = row[shared ? i : mu * tokens.length + i]!;
        if (weight === 0) continue;
        for (let f = 0; f < width; f++) out.data[mu * width + f]! += weight * feature.data[mu * width + f]!;
      }
    });
    return out;
  });
}
