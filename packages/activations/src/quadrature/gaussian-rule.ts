import { FinitewidthError } from "@finitewidth/core";
import { gaussLegendre, type QuadratureRule } from "@finitewidth/numerics";
import type { ActivationFunction } from "./function.js";

/** A rule for one Gaussian; a `shiftable` one serves every mean once its nodes are moved along. */
export interface GaussianRule extends QuadratureRule {
  readonly shiftable: boolean;
}

/** Half-width of the integration range in standard deviations: exp(−8.7²/2) = 4e-17. */
const reach = 8.7;
const logPrecision = 37;
/** Uniform rules with more nodes than this give way to graded ones where φ allows. */
const uniformLimit = 200;
const uniformMaximum = 4000;

/**
 * Rule for E f(h), h ~ N(mean, variance): Σ weights f(nodes), f any product of derivatives of φ. Uniform trapezoid with the spacing that
 * poles at distance y = analyticRadius/σ (whitened) demand, 2πy/(ln 1/ε + y²/2); when σ is large and φ saturates, nodes graded around h =
 * 0, h = r sinh w, so that the cost grows only with log σ; panels between kinks. @throws FinitewidthError (code "refused") when more than
 * 4000 nodes would be needed. Source: docs/theories/perturbative.md, "Two-point functions".
 */
export function gaussianRule(
  f: ActivationFunction,
  mean: number,
  variance: number,
  breaks: readonly number[] = f.kinks ?? [],
): GaussianRule {
  const sigma = Math.sqrt(variance);
  if (!(sigma > 1e-150)) return { nodes: Float64Array.of(mean), weights: Float64Array.of(1), shiftable: true };
  if (f.kinks !== undefined && f.kinks.length > 0) return panelRule(mean, sigma, breaks);
  const y = Math.min(f.analyticRadius / sigma, reach);
  const spacing = (2 * Math.PI * y) / (logPrecision + 0.5 * y * y);
  const half = Math.ceil(reach / spacing);
  const offCentre = Math.abs(mean) / sigma;
  if (2 * half + 1 > uniformLimit && f.saturates)
    return offCentre < 10 ? gradedRule(f.analyticRadius / (0.5 * Math.PI), mean, sigma) : uniformRule(mean, sigma, 30);
  if (half > uniformMaximum) {
    throw new FinitewidthError(
      `the Gaussian moments of this activation at variance ${variance} need more than ${2 * uniformMaximum} nodes; give closed forms in \`moments\`, or \`saturates\``,
      { code: "refused" },
    );
  }
  return uniformRule(mean, sigma, half);
}

const normal = 1 / Math.sqrt(2 * Math.PI);

function uniformRule(mean: number, sigma: number, half: number): GaussianRule {
  const spacing = reach / half;
  const nodes = new Float64Array(2 * half + 1);
  const weights = new Float64Array(2 * half + 1);
  for (let i = -half; i <= half; i++) {
    const z = i * spacing;
    nodes[i + half] = mean + sigma * z;
    weights[i + half] = normal * spacing * Math.exp(-0.5 * z * z);
  }
  return { nodes, weights, shiftable: true };
}

function gradedRule(scale: number, mean: number, sigma: number): GaussianRule {
  const step = 0.06;
  const from = Math.floor(Math.asinh((mean - reach * sigma) / scale) / step);
  const to = Math.ceil(Math.asinh((mean + reach * sigma) / scale) / step);
  const nodes = new Float64Array(to - from + 1);
  const weights = new Float64Array(to - from + 1);
  for (let i = from; i <= to; i++) {
    const h = scale * Math.sinh(i * step);
    const z = (h - mean) / sigma;
    nodes[i - from] = h;
    weights[i - from] = (normal * step * scale * Math.cosh(i * step) * Math.exp(-0.5 * z * z)) / sigma;
  }
  return { nodes, weights, shiftable: false };
}

const panel = gaussLegendre(24);

function panelRule(mean: number, sigma: number, breaks: readonly number[]): GaussianRule {
  const inside = breaks.filter((point) => Math.abs(point - mean) < reach * sigma).sort((p, q) => p - q);
  const edges = [mean - reach * sigma, ...inside, mean + reach * sigma];
  const nodes: number[] = [];
  const weights: number[] = [];
  for (let e = 1; e < edges.length; e++) {
    const width = edges[e]! - edges[e - 1]!;
    const pieces = Math.ceil(width / (2.5 * sigma));
    for (let piece = 0; piece < pieces; piece++) {
      const centre = edges[e - 1]! + (width * (piece + 0.5)) / pieces;
      for (let i = 0; i < panel.nodes.length; i++) {
        const h = centre + (0.5 * width * panel.nodes[i]!) / pieces;
        const z = (h - mean) / sigma;
        nodes.push(h);
        weights.push(((normal * 0.5 * width * panel.weights[i]!) / (pieces * sigma)) * Math.exp(-0.5 * z * z));
      }
    }
  }
  return { nodes: Float64Array.from(nodes), weights: Float64Array.from(weights), shiftable: false };
}
