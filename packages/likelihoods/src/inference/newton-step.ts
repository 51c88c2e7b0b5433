/** Where Newton's method for a mode stands: a = Σ⁻¹f, f = Σ a, ψ = ℓ(f) − ½ aᵀf. */
export interface ModeState {
  readonly alpha: Float64Array;
  readonly latent: Float64Array;
  readonly value: number;
}

export interface ModeOptions {
  /** Stop when no latent output moves by more than this, relative to 1 + the largest. @defaultValue 1e-10 */
  readonly tolerance?: number;
  /** @defaultValue 100 */
  readonly maxIterations?: number;
}

/** How the search for a mode ended. */
export interface ModeResult extends ModeState {
  readonly iterations: number;
  readonly converged: boolean;
  readonly residual: number;
}

/**
 * Mode of ℓ(f) − ½ fᵀΣ⁻¹f in terms of a = Σ⁻¹f, so that a singular Σ is nothing special: Newton steps from `target(state)`, the a of the
 * full step, halved until ψ does not fall.
 */
export function findMode(
  start: Float64Array,
  latentOf: (alpha: Float64Array) => Float64Array,
  logDensity: (latent: Float64Array) => number,
  target: (state: ModeState) => Float64Array,
  options: ModeOptions = {},
): ModeResult {
  const { tolerance = 1e-10, maxIterations = 100 } = options;
  const at = (alpha: Float64Array): ModeState => {
    const latent = latentOf(alpha);
    let product = 0;
    for (let i = 0; i < alpha.length; i++) product += alpha[i]! * latent[i]!;
    return { alpha, latent, value: logDensity(latent) - 0.5 * product };
  };
  let state = at(start);
  if (!Number.isFinite(state.value)) state = at(new Float64Array(start.length));
  let residual = Infinity;
  let iterations = 0;
  while (iterations < maxIterations) {
    iterations++;
    const full = target(state);
    let next = state;
    for (let t = 1; t > 1e-10; t /= 2) {
      const trial = at(state.alpha.map((value, i) => value + t * (full[i]! - value)));
      if (Number.isFinite(trial.value) && trial.value >= state.value - 1e-12 * (1 + Math.abs(state.value))) {
        next = trial;
        break;
      }
    }
    let [change, largest] = [0, 0];
    for (let i = 0; i < next.latent.length; i++) {
      change = Math.max(change, Math.abs(next.latent[i]! - state.latent[i]!));
      largest = Math.max(largest, Math.abs(next.latent[i]!));
    }
    residual = change / (1 + largest);
    state = next;
    if (residual < tolerance) break;
  }
  return { ...state, iterations, converged: residual < tolerance, residual };
}
