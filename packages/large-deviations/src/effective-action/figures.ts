import type { Figure, Matrix } from "@finitewidth/core";
import { scalarAction } from "./scalar-action.js";
import type { ActionMinimum } from "./scalar-minima.js";
import type { OrderParameterNodes } from "./scalar-posterior.js";
import type { ScalarSpectrum } from "./scalar-problem.js";

/** The action against Q with its minima, in a window around them. */
export function actionFigure(problem: ScalarSpectrum, minima: readonly ActionMinimum[]): Figure {
  const logs = minima.map(({ orderParameter }) => Math.log(orderParameter));
  const [low, high] = [Math.min(...logs, 0) - 2, Math.max(...logs, 0) + 2];
  const x = Float64Array.from({ length: 200 }, (_, i) => Math.exp(low + ((high - low) * i) / 199));
  return {
    kind: "lines",
    title: "Effective action",
    xLabel: "order parameter Q",
    yLabel: "S(Q) − min S",
    series: [{ label: "S(Q) − min S", x, y: x.map((Q) => scalarAction(problem, Q).value - minima[0]!.action) }],
    marks: minima.map(({ orderParameter }, i) => ({ label: i === 0 ? "global minimum" : "local minimum", x: orderParameter })),
    logX: true,
  };
}

/** Posterior density of log Q with the saddle and the infinite-width value. */
export function densityFigure({ nodes, weights }: OrderParameterNodes, saddle: number): Figure {
  const step = nodes.length > 1 ? Math.log(nodes[1]! / nodes[0]!) : 1;
  const shown = Array.from(nodes.keys()).filter((i) => weights[i]! > 1e-8 * Math.max(...weights));
  return {
    kind: "density",
    title: "Posterior of the order parameter",
    label: "order parameter Q",
    series: [
      { label: "p(log Q | Y)", x: Float64Array.from(shown, (i) => nodes[i]!), y: Float64Array.from(shown, (i) => weights[i]! / step) },
    ],
    marks: [
      { label: "saddle", x: saddle },
      { label: "infinite width", x: 1 },
    ],
    logX: true,
  };
}

/** Heat map of a matrix order parameter less the identity. */
export function matrixFigure(orderParameter: Matrix, label: string): Figure {
  const n = orderParameter.shape[0];
  const values: Matrix = {
    data: orderParameter.data.map((value, at) => value - (at % (n + 1) === 0 ? 1 : 0)),
    shape: orderParameter.shape,
  };
  return { kind: "heatmaps", title: "Matrix order parameter Q − 1", panels: [{ label, values, diverging: true }] };
}

/** Order parameters by layer. */
export function layersFigure(orderParameters: Float64Array): Figure {
  const x = Float64Array.from(orderParameters, (_, l) => l + 1);
  return {
    kind: "lines",
    title: "Order parameters by layer",
    xLabel: "hidden layer",
    yLabel: "Q",
    series: [
      { label: "Q_l", x, y: orderParameters, points: true },
      { label: "infinite width", x, y: x.map(() => 1) },
    ],
  };
}
