import { kernelMap } from "@finitewidth/activations";
import { FinitewidthError, zeros, type Activation, type Matrix } from "@finitewidth/core";
import { combine, innerProduct, symmetrise } from "@finitewidth/linalg";
import { gaussLegendre } from "@finitewidth/numerics";
import type { TiltClosure, TiltedMeasure } from "./closure.js";
import { symmetricRoot, type KernelRoot } from "./kernel-root.js";

/** Nodes on each arc between kinks. */
const nodesPerArc = 80;

/** Whether the radius can be integrated out: φ of degree 0 or 1 and at most two points. */
export const isHomogeneousPlane = (activation: Activation, points: number): boolean =>
  (activation.degree === 0 || activation.degree === 1) && points <= 2;

/** Directions y of whitened space (rows) with their share of the angle. */
interface Directions {
  readonly directions: Matrix;
  readonly shares: Float64Array;
}

/** ±1 for one point; for two, Gauss–Legendre nodes on the arcs between the directions where a field F y changes sign. */
function directionsOf(root: Matrix): Directions {
  const size = root.shape[0];
  if (size === 1) return { directions: { data: Float64Array.of(1, -1), shape: [2, 1] }, shares: Float64Array.of(0.5, 0.5) };
  const turns = [0, 1].flatMap((row) => {
    const angle = Math.atan2(-root.data[2 * row]!, root.data[2 * row + 1]!);
    return [angle, angle + Math.PI].map((value) => (value + 4 * Math.PI) % (2 * Math.PI));
  });
  const edges = [0, ...turns.sort((a, b) => a - b), 2 * Math.PI];
  const data: number[] = [];
  const shares: number[] = [];
  for (let i = 1; i < edges.length; i++) {
    if (edges[i]! - edges[i - 1]! < 1e-15) continue;
    const { nodes, weights } = gaussLegendre(nodesPerArc, edges[i - 1]!, edges[i]!);
    for (let k = 0; k < nodes.length; k++) {
      data.push(Math.cos(nodes[k]!), Math.sin(nodes[k]!));
      shares.push(weights[k]! / (2 * Math.PI));
    }
  }
  return { directions: { data: Float64Array.from(data), shape: [shares.length, 2] }, shares: Float64Array.from(shares) };
}

/** Moments of the tilted measure with the radius integrated in closed form. */
interface HomogeneousMoments {
  readonly root: KernelRoot;
  readonly cumulant: number;
  readonly secondMoment: Matrix;
  /** ⟨yyᵀ⟩ of the whitened fields. */
  readonly whitened: Matrix;
  /** ⟨φφᵀ φᵀBφ⟩ for a second matrix B. */
  readonly contraction: (b: Matrix) => Matrix;
}

/**
 * With h = r F u the exponent is −½ a(u) r² + t(u): degree 1 has a = 1 − 2gφᵀAφ, t = 0; degree 0 has a = 1, t = gφᵀAφ. In P dimensions
 * ⟨r^k⟩ ∝ a^{−(P+k)/2} with ratios P for k = 2 and P(P + 2) for k = 4.
 */
function homogeneousMoments(activation: Activation, { kernel, conjugate, weightVariance }: TiltedMeasure): HomogeneousMoments {
  const root = symmetricRoot(kernel);
  const size = kernel.shape[0];
  const { directions, shares } = directionsOf(root.root);
  const degree = activation.degree!;
  const features = zeros(shares.length, size);
  const base = new Float64Array(shares.length);
  const decay = new Float64Array(shares.length).fill(1);
  const energyOf = (i: number, matrix: Matrix): number => {
    let sum = 0;
    for (let a = 0; a < size; a++)
      for (let b = 0; b < size; b++) sum += features.data[i * size + a]! * matrix.data[a * size + b]! * features.data[i * size + b]!;
    return sum;
  };
  let total = 0;
  for (let i = 0; i < shares.length; i++) {
    for (let a = 0; a < size; a++) {
      let field = 0;
      for (let k = 0; k < size; k++) field += root.root.data[a * size + k]! * directions.data[i * size + k]!;
      features.data[i * size + a] = activation.value(field);
    }
    const energy = weightVariance * energyOf(i, conjugate);
    if (degree === 1) decay[i] = 1 - 2 * energy;
    if (!(decay[i]! > 0))
      throw new FinitewidthError("the tilt grows faster than the Gaussian decays in some direction: W is infinite", {
        code: "not-positive-definite",
      });
    base[i] = shares[i]! * decay[i]! ** (-size / 2) * (degree === 0 ? Math.exp(energy) : 1);
    total += base[i]!;
  }
  /** Σ_i of rows rowsᵢᵀrowsᵢ times a radial moment: `order` powers of r² come along. */
  const average = (rows: Matrix, order: number, factor: (i: number) => number): Matrix => {
    const out = zeros(size, size);
    for (let i = 0; i < shares.length; i++) {
      const radial = order === 0 ? 1 : order === 1 ? size / decay[i]! : (size * (size + 2)) / decay[i]! ** 2;
      const weight = (base[i]! / total) * radial * factor(i);
      for (let a = 0; a < size; a++)
        for (let b = 0; b < size; b++) out.data[a * size + b]! += weight * rows.data[i * size + a]! * rows.data[i * size + b]!;
    }
    return out;
  };
  return {
    root,
    cumulant: Math.log(total),
    secondMoment: average(features, degree, () => 1),
    whitened: average(directions, 1, () => 1),
    contraction: (b) => average(features, 2 * degree, (i) => energyOf(i, b)),
  };
}

/**
 * φ of degree 0 or 1 (relu, sign) at one or two points: the radius in closed form, the angle by Gauss–Legendre between the kinks; exact to
 * rounding. Test points fall back on `nodes`. 80 nodes on each of the four arcs.
 */
export function homogeneousClosure(activation: Activation, nodes: TiltClosure): TiltClosure {
  return {
    averages(measure, want) {
      const { root, cumulant, secondMoment, whitened } = homogeneousMoments(activation, measure);
      const excess = whitened.data.slice();
      const size = whitened.shape[0];
      for (let a = 0; a < size; a++) excess[a * size + a]! -= 1;
      const gradient = (): Matrix => {
        const full = root.unwhitenGradient({ data: excess, shape: whitened.shape });
        return symmetrise(combine(0.5, full, 0, full));
      };
      return { secondMoment, ...(want.gradient ? { gradient: gradient() } : {}), cumulant, effectiveFraction: 1 };
    },
    extend: (measure, test, want) => nodes.extend(measure, test, want),
  };
}

/** Cov_{N(0,C)}[φφᵀ, φᵀAφ] for the same activations, at one or two points. */
export function homogeneousContraction(activation: Activation, kernel: Matrix, conjugate: Matrix): Matrix {
  const moments = homogeneousMoments(activation, { kernel, conjugate: zeros(kernel.shape[0], kernel.shape[0]), weightVariance: 1 });
  const g = kernelMap(activation, kernel);
  return combine(1, moments.contraction(conjugate), -innerProduct(conjugate, g), g);
}
