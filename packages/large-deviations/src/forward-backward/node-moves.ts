import { zeros, type Matrix } from "@finitewidth/core";
import { combine, multiply, multiplyTransposedRight, multiplyVector, transpose } from "@finitewidth/linalg";
import { stream } from "@finitewidth/random";
import type { KernelMoves, Readout, TestKernels } from "./closure.js";
import type { ConditionalMoments } from "./conditional-moments.js";
import type { TiltedSample } from "./tilted-sample.js";

/** Groups that the nodes are dealt to: standard errors from them are good to 1/√(2·15), 18 %. */
const groups = 16;
const numbered = Array.from({ length: groups }, (_, b) => b);

/** Group of each node, dealt at random: neighbours in a quasi-random sequence are not independent. */
export function nodeGroups(count: number): Uint8Array {
  const random = stream(1, count);
  return Uint8Array.from({ length: count }, () => Math.floor(groups * random.uniform()));
}

/** What groups of nodes move of the kernels above a layer, test point by test point. */
interface LayerMoves {
  readonly kernels: KernelMoves;
  /** Adds the test point with C⁻¹c = `explaining` and these moments under the tilt and under the proposal. */
  add(index: number, tilt: ConditionalMoments, base: ConditionalMoments, explaining: Float64Array): void;
}

/**
 * What each group of nodes moves of g⟨ψ⟩ when its weights grow by a factor 1 + ε, divided by ε: its own share, the sum over the group of
 * p (ψ − ⟨ψ⟩_p) − w (ψ − ⟨ψ⟩_w) as in `nodeErrors`, and what the same nodes move through the kernels of this layer, those of `test`: the
 * density of h by e = ½hᵀC⁻¹dC C⁻¹h, the mean of h* by hᵀC⁻¹(dc − dC b), its variance by dc** − 2bᵀdc + bᵀdC b, b = C⁻¹c. Conjugate kernels
 * stay. Nodes with `reaches` s count at sy. O(n P²) a group, then O(n P) a group and test point.
 */
export function nodeMoves(
  { root, stretch, blocks, weights, reaches, squares, differences }: TiltedSample,
  points: Matrix,
  gain: number,
  { cross: { shape }, moves: below }: TestKernels,
): LayerMoves {
  const [count, size] = points.shape;
  const groupOf = nodeGroups(count);
  const shares = zeros(groups, count);
  const shareOf = (b: number): Float64Array => shares.data.subarray(b * count, (b + 1) * count);
  if (below) {
    const changes = below.training.map((change) => root.whiten(transpose(root.whiten(change))));
    blocks.again(({ from, whitened, spare }) => {
      for (const b of numbered) {
        blocks.multiply(whitened, changes[b]!, spare);
        for (let i = 0, at = 0; i < whitened.shape[0]; i++) {
          const node = b * count + from + i;
          for (; at < (i + 1) * size; at++) shares.data[node]! += 0.5 * whitened.data[at]! * spare.data[at]!;
          if (reaches) shares.data[node]! *= reaches[from + i]! ** 2;
        }
      }
    });
  }
  const proposed = new Float64Array(groups);
  for (let i = 0; i < count; i++) proposed[groupOf[i]!]! += squares[i]! - differences[i]!;
  /** What the proposal's part of a node is, that of the tilt being in `shares`. */
  const baseOf = (b: number, i: number): number => gain * (squares[i]! - differences[i]!) * ((groupOf[i] === b ? 1 : 0) - proposed[b]!);
  for (const b of numbered) {
    const share = shareOf(b);
    let tilted = 0;
    for (let i = 0; i < count; i++) {
      if (groupOf[i] === b) share[i]! += 1;
      tilted += weights[i]! * share[i]!;
    }
    for (let i = 0; i < count; i++) share[i] = gain * squares[i]! * (share[i]! - tilted);
  }
  const kernels = {
    training: numbered.map((b) =>
      blocks.gram(
        blocks.features,
        shareOf(b).map((share, i) => share - baseOf(b, i)),
      ),
    ),
    cross: numbered.map(() => zeros(shape[0], size)),
    variances: zeros(shape[0], groups),
  };
  /** hᵀC⁻¹(dc − dC b) at the nodes (groups × n) and dc** − 2bᵀdc + bᵀdC b of a test point, times g. */
  const conditionalMoves = ({ training, cross, variances }: KernelMoves, index: number, explaining: Float64Array) => {
    const pulls = zeros(size, groups);
    const spreads = numbered.map((b) => {
      const through = multiplyVector(training[b]!, explaining);
      let spread = variances.data[index * groups + b]!;
      for (let a = 0; a < size; a++) {
        const direct = cross[b]!.data[index * size + a]!;
        pulls.data[a * groups + b] = gain * (direct - through[a]!);
        spread += explaining[a]! * (through[a]! - 2 * direct);
      }
      return gain * spread;
    });
    return { shifts: multiplyTransposedRight(transpose(multiply(stretch, root.whiten(pulls))), points).data, spreads };
  };
  return {
    kernels,
    add(index, tilt, base, explaining) {
      const moved = below && conditionalMoves(below, index, explaining);
      const terms = zeros(groups, count);
      for (const b of numbered) {
        const [share, term] = [shareOf(b), terms.data.subarray(b * count, (b + 1) * count)];
        let variance = 0;
        for (let i = 0; i < count; i++) {
          const proposal = baseOf(b, i);
          term[i] = share[i]! * tilt.mean[i]! - proposal * base.mean[i]!;
          variance += share[i]! * tilt.square[i]! - proposal * base.square[i]!;
        }
        if (moved) {
          const [shifts, spread] = [moved.shifts.subarray(b * count, (b + 1) * count), moved.spreads[b]!];
          const { mean, square } = tilt.derivatives!;
          for (let i = 0; i < count; i++) {
            const [weight, shift, own] = [squares[i]!, shifts[i]!, reaches ? spread / reaches[i]! ** 2 : spread];
            term[i]! += weight * (shift * mean.byMean[i]! + own * mean.byVariance[i]!);
            variance += weight * (shift * square.byMean[i]! + own * square.byVariance[i]!);
          }
        }
        kernels.variances.data[index * groups + b] = variance;
      }
      const cross = multiply(terms, blocks.features).data;
      for (const b of numbered) kernels.cross[b]!.data.set(cross.subarray(b * size, (b + 1) * size), index * size);
    },
  };
}

/**
 * Standard errors of f* = C*V (P* × D) and c** − C*RC*ᵀ (P*) from the moves of their kernels: the root of the sum over groups of
 * (dC*V − C*R dC V)² and (dc** − 2C*R dC*ᵀ + C*R dC RC*ᵀ)², groups/(groups − 1) for the mean that is taken out.
 */
export function movedErrors(
  { training, cross, variances }: KernelMoves,
  kernels: Matrix,
  { weights, resolvent }: Pick<Readout, "weights" | "resolvent">,
): { readonly mean: Matrix; readonly variance: Float64Array } {
  const [points, size] = kernels.shape;
  const beta = multiply(kernels, resolvent);
  const mean = zeros(points, weights.shape[1]);
  const variance = new Float64Array(points);
  for (const b of numbered) {
    const through = multiply(beta, training[b]!);
    combine(1, multiply(cross[b]!, weights), -1, multiply(through, weights)).data.forEach((change, at) => (mean.data[at]! += change ** 2));
    for (let t = 0; t < points; t++) {
      let change = variances.data[t * groups + b]!;
      for (let at = t * size; at < (t + 1) * size; at++) change += beta.data[at]! * (through.data[at]! - 2 * cross[b]!.data[at]!);
      variance[t]! += change ** 2;
    }
  }
  const root = (sum: number): number => Math.sqrt((groups / (groups - 1)) * sum);
  return { mean: { data: mean.data.map(root), shape: mean.shape }, variance: variance.map(root) };
}
