import type { FigureSize, PaperFigure } from "@finitewidth/core";
import { agree, near } from "../shared/checks.js";
import { slope } from "../shared/numbers.js";
import { curve, sampledPoints } from "../shared/series.js";
import { sampledShifts, shiftsOf, type Shift } from "../shared/shift.js";

interface Numbers {
  readonly widths: readonly number[];
  /** Relative shift of layers 1, 2, 3 by width. */
  readonly firstOrder: readonly (readonly number[])[];
  /** Empty where the exact law is too expensive. */
  readonly exact: readonly (readonly number[])[];
  readonly sampled: readonly { readonly width: number; readonly shifts: readonly Shift[] }[];
}

interface Size {
  readonly data: { readonly train: number; readonly classes?: readonly number[] };
  readonly widths: readonly number[];
  readonly theories: readonly string[];
  readonly sampledWidths: readonly number[];
  readonly draws: number;
}
const sizes: Record<FigureSize, Size> = {
  quick: {
    data: { train: 15, classes: [0, 1, 2] },
    widths: [50, 100, 200, 400],
    theories: ["perturbative", "exact"],
    sampledWidths: [50, 100],
    draws: 200,
  },
  paper: {
    data: { train: 1000 },
    widths: [100, 200, 300, 400, 500, 600],
    theories: ["perturbative"],
    sampledWidths: [100, 200, 400],
    draws: 100,
  },
};
const layers = [1, 2, 3];

/** Hidden kernels of deep linear networks against width and layer. */
export const zavatoneVethLinear: PaperFigure<Numbers> = {
  name: "zavatone-veth-linear",
  summary: "hidden kernels of a deep linear network against width and layer",
  paper:
    "Zavatone-Veth, Canatar, Ruben, Pehlevan 2021, Asymptotics of representation learning in finite Bayesian neural networks, NeurIPS 34",
  statement:
    "The posterior moves the kernels of the hidden layers of a deep linear network away from infinite width; the relative shift falls as 1/N and grows linearly with the layer.",
  differences:
    "Quick size: 15 digits of three classes instead of 1000 of ten. Points are shifts estimated by the Stein–Mehler identity on Hamiltonian draws, where the authors ran five million Langevin steps.",
  async compute(size, lab) {
    const { data, widths, theories, sampledWidths, draws } = sizes[size];
    const experiment = {
      data: { dataset: "mnist", test: 0, size: [10, 10], seed: 1, labels: "one-hot", ...data },
      network: { type: "fully-connected", widths: [1, 1, 1], activation: "identity" },
      likelihood: { temperature: 1 },
      seed: 1,
    };
    const equal = (width: number): number[] => layers.map(() => width);
    const steps = await lab.experiment("theory", { ...experiment, methods: ["nngp", ...theories], sweep: { widths: widths.map(equal) } });
    const shifts = (label: string): number[][] =>
      theories.includes(label) ? steps.map(({ methods }) => shiftsOf(methods[label]!, methods["nngp"]!)) : [];
    const sampled: Numbers["sampled"][number][] = [];
    for (const width of sampledWidths) {
      const [step] = await lab.experiment(`sampled-${width}`, {
        ...experiment,
        network: { ...experiment.network, widths: equal(width) },
        methods: ["nngp", { method: "monte-carlo", chains: 2, draws, warmup: 100, shifts: true }],
      });
      sampled.push({ width, shifts: sampledShifts(step!.methods["monte-carlo"]!, step!.methods["nngp"]!) });
    }
    return { widths, firstOrder: shifts("perturbative"), exact: shifts("exact"), sampled };
  },
  pictures: ({ widths, firstOrder, exact, sampled }) => [
    {
      caption: `Relative shift of the hidden kernels against the width of all layers. Dashed: first order in 1/N${exact.length > 0 ? "; lines: exact" : ""}; points: sampled networks.`,
      figure: {
        kind: "lines",
        title: "shift of hidden kernels",
        xLabel: "width N of every layer",
        yLabel: "relative shift |ΔK|/|K|",
        logX: true,
        logY: true,
        series: layers.flatMap((layer, l) => {
          const group = `layer ${layer}`;
          const of = (table: Numbers["exact"]): number[] => table.map((row) => row[l]!);
          return [
            curve(`${group}, first order`, widths, of(firstOrder), { group, dashed: true }),
            ...(exact.length > 0 ? [curve(`${group}, exact`, widths, of(exact), { group })] : []),
            sampledPoints(
              group,
              sampled.map(({ width }) => width),
              sampled.map(({ shifts }) => shifts[l]!.value),
              sampled.map(({ shifts }) => shifts[l]!.standardError),
            ),
          ];
        }),
      },
    },
  ],
  checks({ widths, firstOrder, exact, sampled }) {
    const truth = exact.length > 0 ? exact : firstOrder;
    const wide = widths.map((width, i) => [width, truth[i]!.at(-1)!] as const).filter(([width]) => width >= 100);
    const at = (width: number): readonly number[] => truth[widths.indexOf(width)]!;
    const all = sampled.flatMap(({ width, shifts }) => shifts.map((shift, l) => ({ ...shift, theory: at(width)[l]! })));
    return [
      near(
        "shift of the last layer falls as 1/N (slope)",
        slope(
          wide.map(([width]) => width),
          wide.map(([, shift]) => shift),
        ),
        -1,
        0.1,
      ),
      ...[2, 3].map((layer) =>
        near(
          `shift of layer ${layer} in units of that of layer 1, widest network`,
          truth.at(-1)![layer - 1]! / truth.at(-1)![0]!,
          layer,
          0.05 * layer,
        ),
      ),
      agree(
        "sampled networks have these shifts",
        all.map(({ theory }) => theory),
        all.map(({ value }) => value),
        all.map(({ standardError }) => standardError),
        exact.length > 0 ? 0.02 : 0.1,
      ),
    ];
  },
  faults: [
    {
      name: "shifts that fall as 1/√N",
      apply: (numbers) => {
        const slower = (table: Numbers["exact"]): number[][] =>
          table.map((row, i) => row.map((value) => value * Math.sqrt(numbers.widths[i]!)));
        return { ...numbers, exact: slower(numbers.exact), firstOrder: slower(numbers.firstOrder) };
      },
    },
    {
      name: "every layer shifts alike",
      apply: (numbers) => {
        const alike = (table: Numbers["exact"]): number[][] => table.map((row) => row.map(() => row[0]!));
        return { ...numbers, exact: alike(numbers.exact), firstOrder: alike(numbers.firstOrder) };
      },
    },
  ],
};
