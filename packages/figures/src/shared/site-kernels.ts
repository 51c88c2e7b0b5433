import {
  resolveArchitecture,
  resolveNetworkInput,
  type FigureMethod,
  type Matrix,
  type Problem,
  type Registry,
  type Tensor,
} from "@finitewidth/core";
import { realise } from "@finitewidth/kernels";
import { cholesky, gram, multiplyTransposedLeft, solveCholesky } from "@finitewidth/linalg";
import { overParts, type WrittenNetwork } from "./draws.js";

/** S × S numbers between sites with their standard errors, from batches of draws. */
export interface SiteMatrix {
  readonly mean: number[][];
  readonly standardError: number[][];
  /** Of the standard errors. */
  readonly degreesOfFreedom: number;
}

/** Batches of each chain. */
const batches = 8;

/** Averages a function of the readout features (P × channels·sites, channels first) over the stored draws of `monte-carlo`. */
function overDraws(
  { posterior }: FigureMethod,
  sites: number,
  registry: Registry,
  of: (features: Matrix, problem: Problem) => Float64Array,
  network: WrittenNetwork = posterior.problem.network as unknown as WrittenNetwork,
): SiteMatrix {
  const { problem } = posterior;
  const { theta } = posterior.state as { readonly theta: Tensor };
  const [chains, draws, parameters] = theta.shape as unknown as readonly [number, number, number];
  const real = realise(resolveArchitecture(registry, resolveNetworkInput(network, registry)), problem.inputs, problem.targets.shape[1]);
  const full = new Float64Array(real.parameters);
  const hidden = real.parameters - real.readoutParameters;
  const sums = Array.from({ length: chains * batches }, () => new Float64Array(sites * sites));
  const counts = new Float64Array(sums.length);
  for (let c = 0; c < chains; c++)
    for (let d = 0; d < draws; d++) {
      const at = (c * draws + d) * parameters;
      full.set(theta.data.subarray(at, at + hidden));
      const values = of(real.forward(full).features, problem);
      const batch = c * batches + Math.floor((d * batches) / draws);
      counts[batch]!++;
      values.forEach((value, k) => (sums[batch]![k]! += value));
    }
  const entry = (i: number, j: number) => overParts(sums.map((sum, b) => sum[i * sites + j]! / counts[b]!));
  const table = (pick: (one: ReturnType<typeof entry>) => number): number[][] =>
    Array.from({ length: sites }, (_, i) => Array.from({ length: sites }, (_, j) => pick(entry(i, j))));
  return { mean: table(({ mean }) => mean), standardError: table(({ standardError }) => standardError), degreesOfFreedom: sums.length - 1 };
}

/**
 * ⟨a_i · a_j⟩/C over the readout weights a_i of site i, whitened, one output, flattened readout: the identity at infinite width.
 * Q_ij = Σ_c [m_ci m_cj + δ_ij − (Φᵀ A⁻¹ Φ)_ci,cj]/C, m = Φᵀ A⁻¹ y, A = T + Φ Φᵀ.
 */
export const readoutOverSites = (method: FigureMethod, sites: number, registry: Registry): SiteMatrix =>
  overDraws(method, sites, registry, (features, { targets, temperature }) => {
    const A = gram(features);
    for (let i = 0; i < A.shape[0]; i++) A.data[i * (A.shape[0] + 1)]! += temperature;
    const factor = cholesky(A);
    const mean = multiplyTransposedLeft(features, solveCholesky(factor, targets)).data;
    const width = features.shape[1];
    const channels = width / sites;
    const lost = multiplyTransposedLeft(features, solveCholesky(factor, features)).data;
    const out = new Float64Array(sites * sites);
    for (let c = 0; c < channels; c++)
      for (let i = 0; i < sites; i++)
        for (let j = 0; j < sites; j++) {
          const [a, b] = [c * sites + i, c * sites + j];
          out[i * sites + j]! += (mean[a]! * mean[b]! + (i === j ? 1 : 0) - lost[a * width + b]!) / channels;
        }
    return out;
  });

/**
 * Kernel between sites, (1/P) Σ_μ Σ_c φ_ci(x_μ) φ_cj(x_μ)/C, of a hidden layer: `network` is the network cut behind that layer, with a
 * flattened readout (whose features are φ/√(C S)).
 */
export const kernelOverSites = (method: FigureMethod, network: WrittenNetwork, sites: number, registry: Registry): SiteMatrix =>
  overDraws(
    method,
    sites,
    registry,
    (features) => {
      const [points, width] = features.shape;
      const out = new Float64Array(sites * sites);
      for (let p = 0; p < points; p++)
        for (let c = 0; c < width; c += sites)
          for (let i = 0; i < sites; i++)
            for (let j = 0; j < sites; j++)
              out[i * sites + j]! += (features.data[p * width + c + i]! * features.data[p * width + c + j]! * sites) / points;
      return out;
    },
    network,
  );
