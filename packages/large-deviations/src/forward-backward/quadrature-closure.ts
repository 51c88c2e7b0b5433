import { applyAdjointJacobian, crossKernelMap, kernelMap } from "@finitewidth/activations";
import { zeros, type Activation, type Matrix } from "@finitewidth/core";
import { addDiagonal, cholesky, combine, diagonalOf, multiply, symmetrise, trace, transpose } from "@finitewidth/linalg";
import type { TiltClosure, TiltedMeasure } from "./closure.js";
import { conditionalMoments } from "./conditional-moments.js";
import { nodeBlocks, projected, type NodeBlock, type NodeBlocks } from "./node-blocks.js";
import { nodeErrors } from "./node-errors.js";
import { nodeMoves } from "./node-moves.js";
import type { GaussianNodes } from "./nodes.js";
import { jumps } from "./refusals.js";
import { clip, sampleTilted, type TiltedSample } from "./tilted-sample.js";

/**
 * `controlled` with the entries of equal inputs taken from the plain sum: where φ jumps, rounding ε in a correlation of 1 costs √ε in the
 * Gaussian moment, layer after layer, but nothing in the sum over nodes.
 */
function withEqualInputs(controlled: Matrix, plain: Matrix, { data: k }: Matrix): Matrix {
  const n = controlled.shape[0];
  const out = controlled.data.slice();
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      const product = k[i * n + i]! * k[j * n + j]!;
      if (i !== j && product - k[i * n + j]! ** 2 <= 1e-12 * product) out[i * n + j] = plain.data[i * n + j]!;
    }
  }
  return { data: out, shape: controlled.shape };
}

const isPositive = (m: Matrix): boolean => {
  try {
    cholesky(addDiagonal(m, 1e-9 * (trace(m) / m.shape[0])));
    return true;
  } catch {
    return false;
  }
};

/** ∂W/∂C = gA∘⟨φ′φ′ᵀ⟩ + g diag⟨φ″∘(Aφ)⟩ + 2g²⟨uuᵀ⟩, u = φ′∘(Aφ). */
function smoothGradient(activation: Activation, { conjugate, weightVariance }: TiltedMeasure, sample: TiltedSample): Matrix {
  const { blocks, weights, differences } = sample;
  const size = conjugate.shape[0];
  const second = activation.secondDerivative!;
  const curvature = new Float64Array(size);
  const slopesOf = ({ fields, spare }: NodeBlock): Matrix => {
    blocks.slopes(fields, spare);
    return spare;
  };
  // after `slopesOf`, whose slopes are still there
  const pullOf = ({ from, fields, force, spare }: NodeBlock): Matrix => {
    for (let i = 0, at = 0; i < fields.shape[0]; i++) {
      for (let a = 0; a < size; a++, at++) {
        curvature[a]! += differences[from + i]! * second(fields.data[at]!) * force.data[at]!;
        spare.data[at]! *= force.data[at]!;
      }
    }
    return spare;
  };
  const [slopeMoment, outer] = blocks.sums([slopesOf, pullOf], [differences, weights]) as [Matrix, Matrix];
  const known = applyAdjointJacobian(activation, sample.covariance, conjugate);
  const out = zeros(size, size);
  for (let i = 0; i < out.data.length; i++)
    out.data[i] = weightVariance * (known.data[i]! + conjugate.data[i]! * slopeMoment.data[i]!) + 2 * weightVariance ** 2 * outer.data[i]!;
  for (let a = 0; a < size; a++) out.data[a * size + a]! += weightVariance * curvature[a]!;
  return out;
}

/** ∂W/∂C = ½C⁻¹(⟨hhᵀ⟩ − C)C⁻¹ in whitened coordinates. */
function whitenedGradient({ root, excess, stretch, blocks, differences }: TiltedSample, nodes: Matrix): Matrix {
  // y = stretch z
  const spread = multiply(stretch, multiply(blocks.gram(nodes, differences), stretch));
  const moment = combine(1, excess, 1, symmetrise(spread));
  const gradient = root.unwhitenGradient(moment);
  return symmetrise(combine(0.5, gradient, 0, gradient));
}

/**
 * Importance nodes with control variates: proposal N(0, S) from B = gJᵀ(C)[A] with the eigenvalues of 2FᵀBF kept in [−4, 0.8],
 * self-normalised weights, and the proposal's Gaussian moments added exactly. A lattice is refined until the averages keep still (and stays
 * so for later calls): the tilted measure may vary faster than the prior that its spacing was chosen for. O(n P²) for n nodes. Source:
 * docs/theories/forward-backward.md.
 */
export function quadratureClosure(activation: Activation, nodes: GaussianNodes): TiltClosure {
  let rule = nodes;
  let blocks: NodeBlocks | undefined;
  const sampled = (measure: TiltedMeasure): TiltedSample => {
    let width = 0;
    for (;;) {
      const sample = sampleTilted(activation, rule, (blocks ??= nodeBlocks(activation, rule.points)), measure, clip.lower[width]);
      const { goal } = rule;
      if (goal === undefined || sample.error === undefined) return sample;
      if (sample.edge! > goal && width + 1 < clip.lower.length) width++;
      else if (sample.error > goal && rule.refined) [rule, blocks] = [rule.refined(), undefined];
      else return sample;
    }
  };
  return {
    averages(measure, want) {
      const sample = sampled(measure);
      const plain = (): Matrix => sample.blocks.gram(sample.blocks.features, sample.squares);
      const varied = combine(
        1,
        kernelMap(activation, sample.covariance),
        1,
        sample.blocks.gram(sample.blocks.features, sample.differences),
      );
      const controlled = jumps(activation) ? withEqualInputs(varied, plain(), measure.kernel) : varied;
      return {
        // far from the solution the proposal can be so poor that the variate spoils positivity: then the plain sum
        secondMoment: isPositive(controlled) ? controlled : plain(),
        ...(want.gradient
          ? { gradient: activation.smooth ? smoothGradient(activation, measure, sample) : whitenedGradient(sample, rule.points) }
          : {}),
        cumulant: sample.cumulant,
        effectiveFraction: sample.effectiveFraction,
        ...(sample.error === undefined ? {} : { quadratureError: Math.max(sample.error, sample.edge!) }),
      };
    },
    ...(nodes.rescramble ? { rescramble: nodes.rescramble } : {}),
    extend(measure, test, want) {
      const sample = sampled(measure);
      const [points, size] = test.cross.shape;
      const x = sample.root.whiten(transpose(test.cross));
      const stretched = multiply(sample.stretch, x);
      // S b = F (1 − Λ)⁻¹ F⁻¹ c, and bᵀSb
      const tiltedCross = transpose(multiply(sample.root.root, multiply(sample.stretch, stretched)));
      // y x for all nodes, y = stretch z
      const means = projected(rule.points, stretched);
      const count = means.shape[0];
      const residual = new Float64Array(points);
      const tilted = new Float64Array(points);
      for (let t = 0; t < points; t++) {
        let [explained, spread] = [0, 0];
        for (let k = 0; k < size; k++) {
          explained += x.data[k * points + t]! ** 2;
          spread += stretched.data[k * points + t]! ** 2;
        }
        const left = test.variances[t]! - explained;
        // rounding: a test point in the span of the training points has no variance of its own
        residual[t] = left > 1e-12 * test.variances[t]! ? left : 0;
        tilted[t] = residual[t]! + spread;
      }
      const cross = crossKernelMap(activation, tilted, tiltedCross, diagonalOf(sample.covariance));
      const variances = tilted.map((value) => activation.moments.diagonal(value));
      const column = new Float64Array(count);
      // a lattice has an error estimate of its own
      const random = sample.error === undefined;
      const readout = random && want !== "moves" ? want : undefined;
      const errorsOf = readout && nodeErrors(sample, readout);
      const errors = readout && { mean: zeros(points, readout.weights.shape[1]), variance: new Float64Array(points) };
      const moves = random && want === "moves" ? nodeMoves(sample, rule.points, measure.weightVariance, test) : undefined;
      const explaining = moves && transpose(sample.root.whiten(x));
      const { squares, differences, reaches } = sample;
      for (let t = 0; t < points; t++) {
        for (let i = 0; i < count; i++) column[i] = means.data[i * points + t]!;
        const deviation = Math.sqrt(residual[t]!);
        const derivatives = moves !== undefined && test.moves !== undefined;
        // where the nodes are under the tilt, in units of s, and under the proposal
        const own = reaches && deviation > 0 ? reaches.map((s) => deviation / s) : deviation;
        const tilt = conditionalMoments(activation, column, own, { derivatives });
        const base = own === deviation ? tilt : conditionalMoments(activation, column, deviation);
        moves?.add(t, tilt, base, explaining!.data.subarray(t * size, (t + 1) * size));
        for (let i = 0; i < count; i++) {
          const weight = squares[i]! - differences[i]!;
          const difference = (of: "mean" | "square"): number =>
            reaches ? squares[i]! * tilt[of][i]! - weight * base[of][i]! : differences[i]! * tilt[of][i]!;
          variances[t]! += difference("square");
          const scaled = difference("mean");
          for (let a = 0; a < size; a++) cross.data[t * size + a]! += scaled * sample.blocks.features.data[i * size + a]!;
        }
        if (!errorsOf || !errors) continue;
        const { mean, variance } = errorsOf({ tilt, base, cross: cross.data.subarray(t * size, (t + 1) * size) });
        errors.mean.data.set(mean, t * mean.length);
        errors.variance[t] = variance;
      }
      return { cross, variances, ...(errors ? { errors } : {}), ...(moves ? { moves: moves.kernels } : {}) };
    },
  };
}
