import type { Activation, Architecture } from "@finitewidth/core";
import { composition, type Composition } from "@finitewidth/kernels";
import { pairCount } from "../kernel-flow/index-pairs.js";
import { hasMeanResponse } from "./mean-response.js";

/** Numbers of variables and of four-point functions with which the expansion is chosen by itself, and at most. */
const limits = {
  auto: { variables: 600, closedForm: 50_000, quadrature: 300 },
  exact: { variables: 2500, closedForm: 10_000_000, quadrature: 20_000 },
} as const;

/** Four-point functions by quadrature, if at all. */
export const hasQuadrature = ({ moments: { fourPoints = "closed-form" } }: Activation): boolean => fourPoints !== "closed-form";

/** No four-point functions: φ′ jumps, and there is no formula. */
export const hasKinks = ({ moments }: Activation): boolean => moments.fourPoints === "none";

/** The composition whose 1/N expansion is known for an architecture, or why there is none. */
export function expandable(architecture: Architecture): Composition | string {
  if (architecture.overrides?.infiniteWidthKernels || architecture.overrides?.realise)
    return "a prior model with kernels or networks of its own has no list of layers to expand in";
  const graph = composition(architecture);
  const used = new Map<number, Activation>();
  for (const { random, reading } of graph.layers) {
    if (random.scores) return "softmax attention over units is not expanded in 1/N yet";
    if (random.weights) return "weights that are not Gaussian are not expanded in 1/N yet";
    if (reading.kind === "input" || !reading.activation || reading.activation.linear) continue;
    const { activation, stream } = reading;
    if (hasKinks(activation)) return `"${activation.name}" has kinks and no four-point functions`;
    if (!hasMeanResponse(activation) && graph.norms.length > 0)
      return `"${activation.name}" has no formula for its response to the mean that a normalisation subtracts`;
    const other = used.get(stream);
    if (other !== undefined && other !== activation)
      return `"${other.name}" and "${activation.name}" read the same units: their joint four-point functions are not known`;
    used.set(stream, activation);
  }
  return graph;
}

/** Variables, and four-point functions of the nonlinear readings, of an expansion at some points. */
function cost(
  { layers, norms }: Composition,
  points: number,
): { readonly variables: number; readonly closedForm: number; readonly quadrature: number } {
  let variables = norms.reduce((sum, { field }) => sum + 2 * points * field.sites, 0);
  const nonlinear: { readonly stream: number; readonly pairs: number; readonly quadrature: boolean }[] = [];
  for (const { reading } of layers) {
    if (reading.kind === "input") continue;
    variables += pairCount(points * reading.sites);
    if (!reading.activation || reading.activation.linear) continue;
    nonlinear.push({
      stream: reading.stream,
      pairs: pairCount(points * reading.field.sites),
      quadrature: hasQuadrature(reading.activation),
    });
  }
  let [closedForm, quadrature] = [0, 0];
  nonlinear.forEach((s, i) => {
    for (const t of nonlinear.slice(i)) {
      if (s.stream !== t.stream) continue;
      // a unit read again above itself shifts its mean: four more evaluations of the four-point functions
      const count = s === t ? (s.pairs * (s.pairs + 1)) / 2 : 5 * s.pairs * t.pairs;
      if (s.quadrature) quadrature += count;
      else closedForm += count;
    }
  });
  return { variables, closedForm, quadrature };
}

/** Why the expansion is not worth its cost at some points; undefined when it is. */
export function tooLarge(graph: Composition, points: number, engine: "auto" | "exact"): string | undefined {
  const [need, most] = [cost(graph, points), limits[engine]];
  for (const [key, what] of [
    ["variables", "second moments"],
    ["closedForm", "four-point functions"],
    ["quadrature", "four-point functions by quadrature"],
  ] as const)
    if (need[key] > most[key]) return `the expansion needs ${need[key]} ${what} at ${points} points, more than ${most[key]}`;
  return undefined;
}
