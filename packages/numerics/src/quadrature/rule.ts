/** Σ weights[i] f(nodes[i]) approximates the integral of f (against the weight of the rule, where it has one). */
export interface QuadratureRule {
  readonly nodes: Float64Array;
  readonly weights: Float64Array;
}
