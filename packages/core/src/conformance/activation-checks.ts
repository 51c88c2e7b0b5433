import type { Activation } from "../activation.js";
import { demand, demandClose, demandFinite, type Check } from "./check.js";

const grid = Array.from({ length: 81 }, (_, i) => -4 + 0.1 * i + 0.013);
/** Variances and correlations, degenerate ones included. */
const pairs: readonly (readonly [a: number, c: number, b: number])[] = [
  [1, 0.3, 2],
  [0.5, -0.4, 0.7],
  [2, 1.9, 2],
  [1, 0, 1],
];
const degenerate = [
  [1, 1, 1],
  [1, -1, 1],
  [4, 2, 1],
  [0, 0, 1],
  [0, 0, 0],
  [1, 1 + 2e-16, 1],
] as const;

/** E g(h1, h2) for a centred Gaussian pair by the trapezoidal rule in whitened coordinates, 400² nodes. */
function expectation(a: number, c: number, b: number, g: (x: number, y: number) => number): number {
  const step = 0.04;
  const [sa, slope, rest] = [Math.sqrt(a), c / a, Math.sqrt(Math.max(0, b - (c * c) / a))];
  let sum = 0;
  // Half a step off zero, so that no node sits on a jump at the origin.
  for (let i = -200; i < 200; i++) {
    const u = (i + 0.5) * step;
    for (let j = -200; j < 200; j++) {
      const v = (j + 0.5) * step;
      sum += Math.exp(-0.5 * (u * u + v * v)) * g(sa * u, slope * sa * u + rest * v);
    }
  }
  return (sum * step * step) / (2 * Math.PI);
}

/**
 * What every activation must satisfy. `tolerance`: relative error allowed against quadrature (default 1e-6 for smooth ones, 5e-3 at kinks).
 */
export function activationChecks(activation: Activation, settings: { readonly tolerance?: number } = {}): Check[] {
  const { moments } = activation;
  const tolerance = settings.tolerance ?? (activation.smooth ? 1e-6 : 5e-3);
  return [
    {
      name: "values and derivatives are finite and agree",
      run() {
        demandFinite(
          grid.map((h) => activation.value(h)),
          "value",
        );
        demandFinite(
          grid.map((h) => activation.derivative(h)),
          "derivative",
        );
        if (!activation.smooth) return;
        const step = 1e-5;
        demandClose(
          grid.map((h) => activation.derivative(h)),
          grid.map((h) => (activation.value(h + step) - activation.value(h - step)) / (2 * step)),
          1e-7,
          "derivative against differences of value",
        );
      },
    },
    {
      name: "flags `odd` and `degree` tell the truth",
      run() {
        const odd = grid.every((h) => Math.abs(activation.value(-h) + activation.value(h)) <= 1e-12 * (1 + Math.abs(activation.value(h))));
        demand(odd === activation.odd, `odd is ${activation.odd}, but φ(−h) ${odd ? "=" : "≠"} −φ(h); set odd: ${odd}`);
        if (activation.degree !== undefined) {
          demandClose(
            grid.map((h) => activation.value(3 * h)),
            grid.map((h) => 3 ** activation.degree! * activation.value(h)),
            1e-12,
            `value(3h) for degree ${activation.degree}`,
          );
        }
      },
    },
    {
      name: "the same argument gives the same number",
      run() {
        for (const [a, c, b] of pairs)
          demand(
            moments.kernel(a, c, b) === moments.kernel(a, c, b),
            "kernel is not a pure function; remove hidden state and unseeded randomness",
          );
      },
    },
    {
      name: "kernel, mean and slope agree with quadrature",
      run() {
        const phi = activation.value;
        demandClose(
          pairs.map(([a, c, b]) => moments.kernel(a, c, b)),
          pairs.map(([a, c, b]) => expectation(a, c, b, (x, y) => phi(x) * phi(y))),
          tolerance,
          "kernel E φ(h1)φ(h2)",
        );
        demandClose(
          [0.3, 1, 2.5].map((k) => moments.mean(k)).map((m) => m + 1),
          [0.3, 1, 2.5].map((k) => 1 + expectation(k, 0, 1, (x) => phi(x))),
          tolerance,
          "mean E φ(h) (plus 1)",
        );
        demandClose(
          [0.3, 1, 2.5].map((k) => moments.fourth(k)),
          [0.3, 1, 2.5].map((k) => expectation(k, 0, 1, (x) => phi(x) ** 4)),
          tolerance,
          "fourth E φ⁴",
        );
        if (activation.smooth)
          demandClose(
            pairs.map(([a, c, b]) => moments.kernelSlope(a, c, b)),
            pairs.map(([a, c, b]) => expectation(a, c, b, (x, y) => activation.derivative(x) * activation.derivative(y))),
            tolerance,
            "kernelSlope E φ′(h1)φ′(h2)",
          );
      },
    },
    {
      name: "derivatives of the kernel agree with differences",
      run() {
        const step = 1e-5;
        const inner = pairs.filter(([a, c, b]) => c * c < 0.9 * a * b);
        demandClose(
          inner.map(([a, c, b]) => moments.kernelSlope(a, c, b)),
          inner.map(([a, c, b]) => (moments.kernel(a, c + step, b) - moments.kernel(a, c - step, b)) / (2 * step)),
          1e-5,
          "kernelSlope ∂G/∂c",
        );
        demandClose(
          inner.map(([a, c, b]) => moments.kernelCurvature(a, c, b)),
          inner.map(([a, c, b]) => (moments.kernel(a + step, c, b) - moments.kernel(a - step, c, b)) / step),
          1e-5,
          "kernelCurvature 2 ∂G/∂a",
        );
        const ks = [0.3, 1, 2.5];
        demandClose(
          ks.map((k) => moments.diagonalSlope(k)),
          ks.map((k) => (moments.diagonal(k + step) - moments.diagonal(k - step)) / (2 * step)),
          1e-5,
          "diagonalSlope",
        );
      },
    },
    {
      name: "the diagonal is the kernel at equal arguments, without NaN at correlation ±1 or zero variance",
      run() {
        const ks = [1e-8, 0.3, 1, 2.5, 100];
        demandClose(
          ks.map((k) => moments.diagonal(k)),
          ks.map((k) => moments.kernel(k, k, k)),
          Math.max(1e-9, tolerance),
          "diagonal",
        );
        demandFinite(
          degenerate.map(([a, c, b]) => moments.kernel(a, c, b)),
          "kernel at degenerate arguments",
        );
      },
    },
    {
      name: "the kernel is symmetric in its arguments and bounded by Cauchy–Schwarz",
      run() {
        for (const [a, c, b] of [...pairs, ...degenerate]) {
          const value = moments.kernel(a, c, b);
          demandClose([moments.kernel(b, c, a)], [value], 1e-12, `kernel(${b}, ${c}, ${a}) against kernel(${a}, ${c}, ${b})`);
          const bound = Math.sqrt(moments.diagonal(a) * moments.diagonal(b));
          demand(Math.abs(value) <= bound * (1 + 1e-9) + 1e-12, `kernel(${a}, ${c}, ${b}) = ${value} exceeds √(g(a)g(b)) = ${bound}`);
        }
      },
    },
  ];
}
