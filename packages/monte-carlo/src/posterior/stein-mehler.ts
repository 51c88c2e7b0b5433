import type { RandomStream } from "@finitewidth/core";

/** Step of the derivative per parameter, in standard deviations of the prior: its error is far below that of sampling. */
const step = 1e-5;

/**
 * Terms of ⟨O⟩ − E_prior O = ⟨∫₀¹dρ E_ξ ∇O(ρθ + √(1 − ρ²) ξ)·∇ℓ(θ)⟩ at one draw θ of the posterior: `visit` is called with four points and
 * weights whose sum Σ weight·O(point) has the shift as its posterior mean, for any O of the whitened weights (ρ uniform, ξ ~ N(0, 1) with
 * both signs, central differences). `full` holds all parameters; those after θ are left alone. Source: docs/theories/monte-carlo.md, "Shift
 * of the kernels".
 */
export function visitSteinMehler(
  theta: Float64Array,
  gradient: Float64Array,
  random: RandomStream,
  { xi, full }: { readonly xi: Float64Array; readonly full: Float64Array },
  visit: (full: Float64Array, weight: number) => void,
): void {
  const dimension = theta.length;
  const size = Math.sqrt(gradient.reduce((sum, value) => sum + value * value, 0) / dimension) || 1;
  const h = step / size;
  const rho = random.uniform();
  const across = Math.sqrt(1 - rho * rho);
  random.normals(xi);
  for (const sign of [1, -1])
    for (const side of [1, -1]) {
      for (let i = 0; i < dimension; i++) full[i] = rho * theta[i]! + sign * across * xi[i]! + side * h * gradient[i]!;
      visit(full, side / (4 * h));
    }
}
