import type { Matrix, MixingLaw, Posterior } from "@finitewidth/core";
import {
  addDiagonal,
  gram,
  identity,
  multiply,
  multiplyTransposedLeft,
  multiplyTransposedRight,
  solve,
  transpose,
} from "@finitewidth/linalg";
import { chainFactors, chainLayout, coordinatesToFactors, featuresOfSites, siteGeometryOf } from "@finitewidth/numerics";
import { expectClose } from "../../../tools/testing.ts";
import type { ExactState, MatrixState, ScalarState, SiteState } from "../src/exact/state.js";

export const entry = (m: Matrix, i: number, j: number): number => m.data[i * m.shape[1] + j]!;
export const built = (rows: number, columns: number, at: (i: number, j: number) => number): Matrix => ({
  data: Float64Array.from({ length: rows * columns }, (_, k) => at(Math.floor(k / columns), k % columns)),
  shape: [rows, columns],
});
const sum = (values: Iterable<number>): number => [...values].reduce((a, b) => a + b, 0);
const conjugated = (a: Matrix, m: Matrix): Matrix => multiply(multiply(a, m), transpose(a));

/** (rotation ⊗ basis): from rotated outputs and reduced sites to outputs and sites. */
export const kronecker = (rotation: Matrix, basis: Matrix): Matrix => {
  const [rows, columns] = basis.shape;
  return built(
    rotation.shape[0] * rows,
    rotation.shape[1] * columns,
    (r, c) => entry(rotation, Math.floor(r / rows), Math.floor(c / columns)) * entry(basis, r % rows, c % columns),
  );
};

/** A value of the mixing variable. */
interface Mixing {
  readonly weight: number;
  readonly batch: number;
  /** As sampled: rotated outputs, reduced sites. */
  readonly sampled: Matrix;
  /** M_1 in the outputs as given. */
  readonly mixing: Matrix;
  /** D × D: covariance of the constants that biases of layers 2 … L + 1 add to the outputs. */
  readonly constant: Matrix;
}

/** The mixing variables that a fit of `exact` kept, its own coordinates undone. */
function mixings({ problem, state: kept }: Posterior<unknown, ExactState>, law: MixingLaw): Mixing[] {
  const outputs = problem.targets.shape[1];
  if (kept.kind === "scalar") {
    const { logQ, weights, readoutBias } = kept as ScalarState;
    return Array.from(logQ, (u, k) => {
      const q = built(1, 1, () => Math.exp(u));
      return { weight: weights[k]!, batch: 0, sampled: q, mixing: q, constant: built(1, 1, () => readoutBias) };
    });
  }
  if (kept.kind === "matrix") {
    const { mixing, bias, weights, batches, rotation } = kept as MatrixState;
    const at = (data: Float64Array, k: number): Matrix => built(outputs, outputs, (a, b) => data[(k * outputs + a) * outputs + b] ?? 0);
    return Array.from(weights, (weight, k) => ({
      weight,
      batch: batches[k]!,
      sampled: at(mixing, k),
      mixing: conjugated(rotation, at(mixing, k)),
      constant: conjugated(rotation, at(bias, k)),
    }));
  }
  const { points, weights, batches, rotation } = kept as SiteState;
  const layout = chainLayout(law.chain, outputs);
  const [, d] = points.shape;
  return Array.from(weights, (weight, k) => {
    const factors = chainFactors(layout, coordinatesToFactors(layout, points.data.subarray(k * d, (k + 1) * d)).z);
    const turned = factors.map(({ f }, l) => conjugated(kronecker(rotation, identity(law.chain.layers[l]!.sites)), gram(f)));
    const constant = built(outputs, outputs, (a, b) =>
      law.chain.layers.reduce(
        (total, { biasVariance, biasWeights: v, sites }, l) => {
          const own = built(sites, sites, (i, j) => v[i]! * v[j]! * entry(turned[l]!, a * sites + i, b * sites + j));
          return total + biasVariance * sum(own.data);
        },
        a === b ? law.chain.readoutBiasVariance : 0,
      ),
    );
    return { weight, batch: batches[k]!, sampled: gram(factors[0]!.f), mixing: turned[0]!, constant };
  });
}

/** Index point·D + output. */
interface Gaussian {
  readonly mean: Float64Array;
  readonly covariance: Matrix;
}

/** What one value of the mixing variable makes of the data. */
export interface Given extends Pick<Mixing, "weight" | "batch" | "sampled" | "mixing"> {
  readonly train: Gaussian;
  readonly test: Gaussian;
  /** E[Ĝ¹] on the training points. */
  readonly kernel: Matrix;
  /** Means at all points with sites removed at them, after training on all: none, then one set of `removals` after the other. */
  readonly pruned: readonly Float64Array[];
}

/**
 * Outputs and first hidden kernel at every draw that a fit kept, from the covariance over all outputs, points and sites written out and
 * solved densely; T > 0.
 */
export function drawByDraw(
  posterior: Posterior<unknown, ExactState>,
  law: MixingLaw,
  test: Matrix,
  removals: readonly ReadonlySet<number>[] = [],
): Given[] {
  const { inputs, targets, temperature } = posterior.problem;
  const [points, outputs] = targets.shape;
  const all: Matrix = { data: Float64Array.of(...inputs.data, ...test.data), shape: [points + test.shape[0], inputs.shape[1]] };
  const count = all.shape[0];
  const [n, size] = [points * outputs, count * outputs];
  const geometry = siteGeometryOf(law);
  const kernels = law.siteKernels(all);
  /** K_ir between all sites of layer 1 and those of M_1, on the training points. */
  const own = geometry?.siteFeatures(inputs);
  const between = own
    ? own.map((phi) => featuresOfSites(geometry!, inputs).map((psi) => multiplyTransposedRight(phi, psi)))
    : [[law.siteKernels(inputs)[0]!]];
  const before = own ? own.map((phi) => gram(phi)) : [law.siteKernels(inputs)[0]!];
  const column: Matrix = { data: targets.data, shape: [n, 1] };
  const draw = ({ weight, batch, sampled, mixing, constant }: Mixing): Given => {
    const s = law.sites;
    const covarianceOf = (m: Matrix): Matrix =>
      built(size, size, (r, c) => {
        const [i, a, j, b] = [Math.floor(r / outputs), r % outputs, Math.floor(c / outputs), c % outputs];
        let value = entry(constant, a, b);
        for (let p = 0; p < s; p++) for (let q = 0; q < s; q++) value += entry(m, a * s + p, b * s + q) * entry(kernels[p * s + q]!, i, j);
        return value;
      });
    const part = (m: Matrix, from: number, to: number, first: number, last: number): Matrix =>
      built(to - from, last - first, (i, j) => entry(m, from + i, first + j));
    const prior = covarianceOf(mixing);
    const noisy = addDiagonal(part(prior, 0, n, 0, n), temperature);
    const alpha = solve(noisy, column);
    const condition = (from: number, to: number): Gaussian => {
      const cross = part(prior, 0, n, from, to);
      const reduction = multiplyTransposedLeft(cross, solve(noisy, cross));
      const mean = multiplyTransposedLeft(cross, alpha).data;
      return { mean, covariance: built(to - from, to - from, (i, j) => entry(prior, from + i, from + j) - entry(reduction, i, j)) };
    };
    const pruned = (removals.length > 0 ? [new Set<number>(), ...removals] : []).map((removed) => {
      const kept = built(mixing.shape[0], mixing.shape[0], (r, c) => (removed.has(r % s) ? 0 : entry(mixing, r, c)));
      return multiply(part(covarianceOf(kept), 0, size, 0, n), alpha).data;
    });
    // K + Σ M_(ar)(bt) K_ir (αα^T − Σ⁻¹)_ab K_ti/N_1, averaged over sites i
    const inverse = solve(noisy, identity(n));
    const learnt = before.map((kernel, i) => {
      const out = { data: kernel.data.slice(), shape: kernel.shape };
      for (let a = 0; a < outputs; a++) {
        for (let b = 0; b < outputs; b++) {
          const inner = built(points, points, (mu, nu) => {
            const [x, y] = [mu * outputs + a, nu * outputs + b];
            return alpha.data[x]! * alpha.data[y]! - entry(inverse, x, y);
          });
          for (let r = 0; r < s; r++) {
            const left = multiply(between[i]![r]!, inner);
            for (let t = 0; t < s; t++) {
              const scale = entry(mixing, a * s + r, b * s + t) / law.chain.layers[0]!.width;
              multiplyTransposedRight(left, between[i]![t]!).data.forEach((value, k) => (out.data[k]! += scale * value));
            }
          }
        }
      }
      return out;
    });
    const kernel = built(points, points, (i, j) => sum(learnt.map((each) => entry(each, i, j) / learnt.length)));
    return { weight, batch, sampled, mixing, train: condition(0, n), test: condition(n, size), kernel, pruned };
  };
  return mixings(posterior, law).map(draw);
}

/** Averages over some of the draws by the law of total covariance. */
export function averages(draws: readonly Given[]) {
  const total = sum(draws.map(({ weight }) => weight));
  const mean = (of: (draw: Given) => ArrayLike<number>): Float64Array => {
    const out = new Float64Array(of(draws[0]!).length);
    for (const draw of draws) {
      const values = of(draw);
      for (let i = 0; i < out.length; i++) out[i]! += (draw.weight / total) * values[i]!;
    }
    return out;
  };
  const law = (which: "train" | "test"): readonly [Float64Array, Float64Array, Float64Array] => {
    const middle = mean((draw) => draw[which].mean);
    const n = middle.length;
    const covariance = mean(({ [which]: { mean: m, covariance } }) =>
      covariance.data.map((value, k) => value + (m[Math.floor(k / n)]! - middle[Math.floor(k / n)]!) * (m[k % n]! - middle[k % n]!)),
    );
    return [middle, covariance, covariance.filter((_, k) => k % (n + 1) === 0)];
  };
  const [trainMean, , trainVariance] = law("train");
  const [testMean, testCovariance, testVariance] = law("test");
  const mixing = mean((draw) => draw.mixing.data);
  const sampled = mean((draw) => draw.sampled.data);
  const kernel = mean((draw) => draw.kernel.data);
  return { trainMean, trainVariance, testMean, testCovariance, testVariance, mixing, sampled, kernel };
}

/** Errors of all averages by leaving out one batch after the other. */
export function jackknife(draws: readonly Given[]): (key: keyof ReturnType<typeof averages>) => Float64Array {
  const batches = [...new Set(draws.map(({ batch }) => batch))];
  const without = batches.map((b) => averages(draws.filter(({ batch }) => batch !== b)));
  return (key) =>
    without[0]![key].map((_, i) => {
      const values = without.map((each) => each[key][i]!);
      const middle = sum(values) / values.length;
      return Math.sqrt((1 - 1 / values.length) * sum(values.map((value) => (value - middle) ** 2)));
    });
}

/** Linearised errors against those of the jackknife, which shifts by the weight of one batch as well. */
export function expectAlike(found: ArrayLike<number>, wanted: ArrayLike<number>, what: string): void {
  const largest = Math.max(...Array.from(wanted));
  expectClose(found, wanted, { relative: 0.15, absolute: 1e-6 * largest }, what);
}
