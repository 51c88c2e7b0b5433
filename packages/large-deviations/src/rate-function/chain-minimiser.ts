import { FinitewidthError, zeros, type Matrix, type Scaling, type WishartChain } from "@finitewidth/core";
import {
  addScaled,
  affine,
  cholesky,
  gram,
  identity,
  innerProduct,
  multiply,
  solveCholesky,
  symmetricEigen,
  symmetricEigenvalues,
  transpose,
} from "@finitewidth/linalg";
import {
  differenceHessian,
  logMultivariateGamma,
  minimiseLbfgs,
  minimiseNewton,
  pullBackMixing,
  pushForwardMixing,
  type Minimum,
  type Objective,
} from "@finitewidth/numerics";
import type { ChainData } from "./chain-data.js";
import { dataWeight } from "./spectral-data.js";

/** A chain of Wishart layers with data: fully connected, over sites, with or without biases. */
export interface ChainRateProblem {
  readonly chain: WishartChain;
  readonly data: ChainData;
  readonly referenceWidth: number;
  readonly scaling: Scaling;
}

/** A local minimum over all mixing matrices of the chain. */
export interface ChainMinimum {
  /** M_1 … M_L. */
  readonly mixing: readonly Matrix[];
  readonly action: number;
  readonly residual: number;
  readonly converged: boolean;
  readonly iterations: number;
}

/** Minimum with its fluctuations at finite N. */
export interface ChainFluctuations {
  /** Symmetric changes of all M_l, k = 1 …, with Cov = (1/N) Σ_k vec B_k vec B_kᵀ to leading order. */
  readonly spread: readonly (readonly Matrix[])[];
  /** Laplace approximation with its O(1) terms; absent when a layer is narrower than its mixing matrix. */
  readonly logEvidence?: number;
}

/** More coordinates than this are minimised without second derivatives. */
const newtonLimit = 250;

/** More coordinates than this are refused: every start takes thousands of gradients. */
const largestProblem = 10_000;

const sizeOf = (problem: ChainRateProblem, l: number): number => problem.data.outputs * problem.chain.layers[l]!.sites;

/** Lower triangular factors with logarithms on the diagonal, row by row, layer by layer. */
function unpack(problem: ChainRateProblem, x: Float64Array): Matrix[] {
  let k = 0;
  return problem.chain.layers.map((_, l) => {
    const d = sizeOf(problem, l);
    const r = zeros(d, d);
    for (let i = 0; i < d; i++) for (let j = 0; j <= i; j++) r.data[i * d + j] = i === j ? Math.exp(x[k++]!) : x[k++]!;
    return r;
  });
}

function pack(mixing: readonly Matrix[]): Float64Array {
  const out: number[] = [];
  for (const m of mixing) {
    const { factor } = cholesky(m);
    const d = m.shape[0];
    for (let i = 0; i < d; i++)
      for (let j = 0; j <= i; j++) out.push(i === j ? Math.log(factor.data[i * d + i]!) : factor.data[i * d + j]!);
  }
  return Float64Array.from(out);
}

/** Scale S_l of layer l given the layer above. */
const scaleOf = (problem: ChainRateProblem, mixing: readonly Matrix[], l: number): Matrix =>
  l === mixing.length - 1
    ? affine(problem.chain.layers[l]!.variance, identity(sizeOf(problem, l)))
    : pullBackMixing(problem.chain.layers[l]!, problem.data.outputs, mixing[l + 1]!);

/**
 * J = Σ_l (N_l/N) ½[tr S_l⁻¹M_l − log det S_l⁻¹M_l − d_l] + data, S_L = c·1 and S_l = s_l T*(M_{l+1}), as a function of the log-Cholesky
 * coordinates of all M_l. `finite`: −(1/N) log of prior density × likelihood in these coordinates, up to a constant: J plus (1/N) Σ_l Σ_i i
 * log R_ii (i from 0; what the Wishart densities and the Jacobian leave over) and, in mean-field scaling, the log det. Gradient of one
 * term: ½(S⁻¹ − M⁻¹) in M_l and the image of ½(S⁻¹ − S⁻¹MS⁻¹) in M_{l+1}.
 */
function objective(problem: ChainRateProblem, finite = false): Objective {
  const { chain, data, referenceWidth, scaling } = problem;
  const limit = dataWeight(scaling, referenceWidth);
  const weight = finite && scaling === "mean-field" ? { ...limit, logDeterminant: 1 / referenceWidth } : limit;
  return (x) => {
    const outside = { value: Infinity, gradient: new Float64Array(x.length) };
    const factors = unpack(problem, x);
    const mixing = factors.map(gram);
    const part = data.evaluate(mixing, weight);
    if (part === undefined) return outside;
    let value = 0.5 * weight.weight * (weight.logDeterminant * part.logDeterminant + part.quadratic);
    const gradients = mixing.map((m, l) => part.gradients[l] ?? zeros(...m.shape));
    for (const [l, layer] of chain.layers.entries()) {
      const d = sizeOf(problem, l);
      const ratio = layer.width / referenceWidth;
      const scale = scaleOf(problem, mixing, l);
      try {
        const root = cholesky(scale);
        const inverse = solveCholesky(root, identity(d));
        const logDeterminant = factors[l]!.data.reduce((sum, entry, k) => (k % (d + 1) === 0 ? sum + 2 * Math.log(entry) : sum), 0);
        value += 0.5 * ratio * (innerProduct(inverse, mixing[l]!) - logDeterminant + root.logDeterminant - d);
        const own = solveCholesky({ factor: factors[l]!, logDeterminant }, identity(d));
        addScaled(gradients[l]!, inverse, 0.5 * ratio);
        addScaled(gradients[l]!, own, -0.5 * ratio);
        if (l + 1 < mixing.length) {
          const bent = multiply(multiply(inverse, mixing[l]!), inverse);
          const inScale: Matrix = { data: inverse.data.map((entry, k) => 0.5 * ratio * (entry - bent.data[k]!)), shape: inverse.shape };
          addScaled(gradients[l + 1]!, pushForwardMixing(layer, data.outputs, inScale), 1);
        }
      } catch (error) {
        if (error instanceof FinitewidthError && error.code === "not-positive-definite") return outside;
        throw error;
      }
    }
    const gradient = packGradient(factors, gradients);
    if (!finite) return { value, gradient };
    let k = 0;
    for (const {
      shape: [d],
    } of factors) {
      for (let i = 0; i < d; i++) {
        k += i;
        value += (i * x[k]!) / referenceWidth;
        gradient[k++]! += i / referenceWidth;
      }
    }
    return { value, gradient };
  };
}

/** Gradient in the log-Cholesky coordinates: 2 (∂/∂M) R below the diagonal, times R_ii on it. */
function packGradient(factors: readonly Matrix[], gradients: readonly Matrix[]): Float64Array {
  const out: number[] = [];
  factors.forEach((r, l) => {
    const d = r.shape[0];
    const inner = multiply(gradients[l]!, r);
    for (let i = 0; i < d; i++) for (let j = 0; j <= i; j++) out.push(2 * inner.data[i * d + j]! * (i === j ? r.data[i * d + i]! : 1));
  });
  return Float64Array.from(out);
}

/** E M_l under the prior, scaled by t per layer counted from the readout. */
function priorChain(problem: ChainRateProblem, t: number): Matrix[] {
  const mixing: Matrix[] = [];
  for (let l = problem.chain.layers.length - 1; l >= 0; l--) {
    const layer = problem.chain.layers[l]!;
    const above = mixing[0];
    mixing.unshift(
      affine(
        t,
        above === undefined ? affine(layer.variance, identity(sizeOf(problem, l))) : pullBackMixing(layer, problem.data.outputs, above),
      ),
    );
  }
  return mixing;
}

/**
 * Minima of the rate function of a whole chain plus data, from several starts (the prior mean, and with Q 1000 times smaller and 30 times
 * larger, and as much larger as the targets are surprising where that is more; slightly displaced, so that no symmetry of the start
 * survives): BFGS, then Newton steps where there are at most 250 coordinates. One evaluation of the data's part and O(Σ_l rows_l³) an
 * evaluation, from three or four starts; Newton's steps cost two gradients a coordinate.
 * @throws FinitewidthError (code "input") when the covariance of the data is singular at T = 0, (code "memory") above 10 000 coordinates.
 * Source: docs/theories/large-deviation.md §4 and docs/theories/convolution.md.
 */
export function chainRateMinima(
  problem: ChainRateProblem,
  onStart?: (done: number, total: number) => void,
): readonly [ChainMinimum, ...ChainMinimum[]] {
  const depth = problem.chain.layers.length;
  const coordinates = problem.chain.layers.reduce((sum, _, l) => sum + (sizeOf(problem, l) * (sizeOf(problem, l) + 1)) / 2, 0);
  if (coordinates > largestProblem) {
    throw new FinitewidthError(
      `[large-deviation] mixing matrices with ${coordinates} entries to minimise over, more than ${largestProblem}; use larger strides, fewer outputs or a pooled readout`,
      { code: "memory" },
    );
  }
  const f = objective(problem);
  // targets far beyond what the prior makes of them need mixing matrices that make them
  const { count } = problem.data;
  const surprise = (problem.data.evaluate(priorChain(problem, 1), { weight: 1, logDeterminant: 0 })?.quadratic ?? 0) / count;
  const scales = [1, 1e-3, 30, ...(surprise > 30 ? [Math.min(surprise, 1e6)] : [])].map((scale) => scale ** (1 / depth));
  const rough = scales.map((t, k): Minimum => {
    const start = pack(priorChain(problem, t)).map((value, i) => value + 0.02 * Math.sin(1.7 * (i + 1)));
    if (f(start).value === Infinity)
      throw new FinitewidthError("likelihood.temperature: expected T > 0, got 0, and the covariance of the targets is singular", {
        code: "input",
        path: "likelihood.temperature",
      });
    const minimum = minimiseLbfgs(f, start, { gradientTolerance: 1e-6, maxIterations: 3000, memory: 40, maxStep: 2 });
    onStart?.(k + 1, scales.length);
    return minimum;
  });
  // Newton steps cost two gradients a coordinate: only one per distinct minimum
  const polished = distinctBy(rough, ({ value }) => value).map((minimum): ChainMinimum => {
    const fine =
      minimum.point.length <= newtonLimit ? minimiseNewton(f, minimum.point, { gradientTolerance: 1e-10, maxIterations: 30 }) : minimum;
    return {
      mixing: unpack(problem, fine.point).map(gram),
      action: fine.value,
      residual: fine.residual,
      converged: fine.residual < 1e-6 * Math.max(1, Math.abs(fine.value)),
      iterations: minimum.iterations + (fine === minimum ? 0 : fine.iterations),
    };
  });
  const [best, ...others] = distinctBy(polished, ({ action }) => action);
  return [best!, ...others.filter(({ converged }) => converged)];
}

/** Lowest first, without those whose value another one has. */
function distinctBy<M>(minima: readonly M[], value: (minimum: M) => number): M[] {
  const sorted = minima.toSorted((a, b) => value(a) - value(b));
  return sorted.filter((minimum, k) =>
    sorted.slice(0, k).every((other) => Math.abs(value(other) - value(minimum)) > 1e-6 * Math.max(1, Math.abs(value(other)))),
  );
}

/**
 * Second derivatives at a minimum: fluctuations of M_1 and the Laplace evidence. Undefined above 250 coordinates. Cost: two gradients a
 * coordinate.
 */
export function chainFluctuations(problem: ChainRateProblem, mixing: readonly Matrix[]): ChainFluctuations | undefined {
  const x = pack(mixing);
  const m = x.length;
  if (m > newtonLimit) return undefined;
  const { values, vectors } = symmetricEigen(differenceHessian(objective(problem), x));
  if (!(values[0]! > 0)) return undefined;
  const roots = mixing.map((matrix) => cholesky(matrix).factor);
  const spread = Array.from(values, (value, k) => {
    let c = 0;
    return roots.map((r): Matrix => {
      const d = r.shape[0];
      const change = zeros(d, d);
      for (let i = 0; i < d; i++)
        for (let j = 0; j <= i; j++)
          change.data[i * d + j] = ((i === j ? r.data[i * d + i]! : 1) * vectors.data[c++ * m + k]!) / Math.sqrt(value);
      const half = multiply(change, transpose(r));
      return { data: half.data.map((entry, e) => entry + half.data[(e % d) * d + Math.floor(e / d)]!), shape: half.shape };
    });
  });
  const logEvidence = laplaceEvidence(problem, x);
  return logEvidence === undefined ? { spread } : { spread, logEvidence };
}

/**
 * Laplace approximation of the evidence around the mode of prior density × likelihood in log-Cholesky coordinates, started at the minimum
 * of J: constants − N F(x̂) + ½ m log(2π/N) − ½ log det F″. Keeping the terms of order one in the exponent matters when D S is not small
 * beside the widths.
 */
function laplaceEvidence(problem: ChainRateProblem, minimum: Float64Array): number | undefined {
  const { chain, data, referenceWidth: N, scaling } = problem;
  let constant = -0.5 * data.count * Math.log(scaling === "mean-field" ? (2 * Math.PI) / N : 2 * Math.PI);
  for (const [l, { width }] of chain.layers.entries()) {
    const d = sizeOf(problem, l);
    if (width < d) return undefined;
    constant += 0.5 * width * d * (Math.log(width / 2) - 1) - logMultivariateGamma(d, width / 2) + d * Math.log(2);
  }
  const f = objective(problem, true);
  const mode = minimiseNewton(f, minimum, { gradientTolerance: 1e-9, maxIterations: 30 });
  const curvatures = symmetricEigenvalues(differenceHessian(f, mode.point));
  if (!(mode.residual < 1e-5 * Math.max(1, Math.abs(mode.value)) && curvatures[0]! > 0)) return undefined;
  return constant - N * mode.value + 0.5 * curvatures.reduce((sum, value) => sum + Math.log((2 * Math.PI) / (N * value)), 0);
}
