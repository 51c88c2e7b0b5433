/** Derivatives of the log evidence; null where there is nothing to vary (no biases, no such layer) or where it is not known. */
export interface EvidenceGradient {
  /** In log σ_w²(1 … L+1). */
  readonly logWeightVariance: readonly (number | null)[];
  /** In log σ_b²(1 … L+1). */
  readonly logBiasVariance: readonly (number | null)[];
  readonly logTemperature: number | null;
  /** log Z_{N+1}/Z_N for each hidden layer. */
  readonly widths: readonly (number | null)[];
  /** For sampled gradients. */
  readonly standardError?: Omit<EvidenceGradient, "standardError">;
}
