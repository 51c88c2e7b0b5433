import type { Likelihood } from "../likelihood.js";
import type { Matrix } from "../tensor.js";
import { demand, demandClose, demandFinite, type Check } from "./check.js";

/** What is to be checked: a likelihood with targets that it takes and targets that it must refuse. */
export interface LikelihoodSubject {
  readonly likelihood: Likelihood;
  readonly targets: Matrix;
  readonly refused?: readonly Matrix[];
}

const step = 1e-5;

/** What every likelihood must satisfy, at latent outputs from −3 to 3 and far out. */
export function likelihoodChecks({ likelihood, targets, refused = [] }: LikelihoodSubject): Check[] {
  const [points, columns] = targets.shape;
  const d = likelihood.latents(columns);
  const size = points * d;
  const latent = Float64Array.from({ length: size }, (_, i) => 3 * Math.sin(1 + 2.3 * i));
  const evaluate = (f: Float64Array) => {
    const out = { perPoint: new Float64Array(points), gradient: new Float64Array(size), curvature: new Float64Array(size * d) };
    const value = likelihood.observe(targets).evaluate(f, out);
    return { value, ...out };
  };
  const moved = (i: number, by: number): Float64Array => latent.map((value, k) => value + (k === i ? by : 0));
  /** Central difference in coordinate i. */
  const slope = (i: number, of: (at: ReturnType<typeof evaluate>) => ArrayLike<number>): number[] => {
    const [up, down] = [of(evaluate(moved(i, step))), of(evaluate(moved(i, -step)))];
    return Array.from({ length: up.length }, (_, k) => (up[k]! - down[k]!) / (2 * step));
  };
  return [
    {
      name: "the log density is the sum over points, finite also far out",
      run() {
        const { value, perPoint } = evaluate(latent);
        demandClose([value], [perPoint.reduce((a, b) => a + b, 0)], 1e-12, "log density");
        for (const scale of [-10, 0, 10]) demandFinite(evaluate(latent.map((f) => scale * f)).gradient, "gradient");
      },
    },
    {
      name: "gradient, curvature and its contraction are derivatives",
      run() {
        const { gradient, curvature } = evaluate(latent);
        const contraction = Float64Array.from({ length: size * d }, (_, k) => {
          const [row, b] = [Math.floor(k / d), k % d];
          return Math.cos(Math.floor(row / d) + (row % d) + b);
        });
        const contracted = new Float64Array(size);
        likelihood.observe(targets).curvatureSlope(latent, contraction, contracted);
        for (let i = 0; i < size; i++) {
          const point = Math.floor(i / d);
          demandClose([gradient[i]!], [slope(i, ({ value }) => [value])[0]!], 1e-6, `gradient of output ${i}`);
          const own = (values: ArrayLike<number>, width: number): number[] =>
            Array.from({ length: width }, (_, k) => values[point * width + k]!);
          demandClose(
            Array.from({ length: d }, (_, a) => curvature[i * d + a]!),
            own(
              slope(i, (at) => at.gradient),
              d,
            ).map((value) => -value),
            1e-5,
            `W of output ${i}, minus the derivative of the gradient`,
          );
          const third = own(
            slope(i, (at) => at.curvature),
            d * d,
          ).reduce((sum, value, k) => sum + value * contraction[point * d * d + k]!, 0);
          demand(
            Math.abs(third - contracted[i]!) <= 1e-5 * (1 + Math.abs(third)),
            `curvatureSlope[${i}]: expected ${third}, got ${contracted[i]}: Σ_jk S_jk ∂W_jk/∂f_i`,
          );
        }
      },
    },
    {
      name: "log-concave",
      run() {
        const { curvature } = evaluate(latent);
        for (let p = 0; p < points; p++) {
          for (let a = 0; a < d; a++) {
            const at = (b: number, c: number): number => curvature[(p * d + b) * d + c]!;
            demand(at(a, a) >= 0, `W[${p}] has ${at(a, a)} on its diagonal: approximations and samplers rely on a log-concave likelihood`);
            for (let b = 0; b < a; b++)
              demand(
                at(a, b) ** 2 <= at(a, a) * at(b, b) * (1 + 1e-9) + 1e-300 &&
                  Math.abs(at(a, b) - at(b, a)) <= 1e-12 * (1 + Math.abs(at(a, b))),
                `W[${p}] must be symmetric and positive semi-definite`,
              );
          }
        }
      },
    },
    {
      name: "classes, their targets and probabilities belong together",
      run() {
        const classes = likelihood.classes(columns);
        if (classes === undefined) return;
        demand(
          likelihood.labels !== undefined && likelihood.encode !== undefined && likelihood.probabilities !== undefined,
          "a likelihood of classes has labels, encode and probabilities",
        );
        const labels = Int32Array.from({ length: classes }, (_, c) => c);
        const encoded = likelihood.encode(labels, classes);
        demandClose(likelihood.labels(encoded), labels, 0, "labels of encoded classes");
        const probabilities = likelihood.probabilities({ data: latent, shape: [points, d] });
        for (let c = 0; c < classes; c++) {
          const logDensity = likelihood.observe(likelihood.encode([c], classes)).evaluate(latent.slice(0, d));
          demandClose([probabilities.data[c]!], [Math.exp(logDensity)], 1e-9, `probability of class ${c}`);
        }
      },
    },
    {
      name: "targets are checked",
      run() {
        likelihood.check(targets);
        for (const wrong of refused) {
          let message: string | undefined;
          try {
            likelihood.check(wrong, "targets");
          } catch (error) {
            message = (error as Error).message;
          }
          demand(
            message?.startsWith("targets") === true,
            `targets ${Array.from(wrong.data).join(", ")} must be refused by an error that starts with their path`,
          );
        }
      },
    },
  ];
}
