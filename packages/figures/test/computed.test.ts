import {
  createRegistry,
  type ExperimentObject,
  type FigureLab,
  type FigureMethod,
  type FigureSize,
  type FigureStep,
  type Matrix,
} from "@finitewidth/core";
import { sweepSteps } from "@finitewidth/experiment";
import { describe, expect, it } from "vitest";
import { plugin } from "../src/index.js";
import { sampledShifts, shiftsOf } from "../src/shared/shift.js";

const registry = createRegistry([plugin]);
const sizes: readonly FigureSize[] = ["quick", "paper"];
interface File {
  readonly name: string;
  readonly file: ExperimentObject & {
    readonly network: { readonly widths: readonly number[]; readonly activation: string };
    readonly methods: readonly (string | { readonly method: string })[];
    readonly sweep?: Record<string, readonly unknown[]>;
    readonly data: Record<string, unknown>;
  };
}
/** A laboratory in which every method of every step has numbers of its own: what was asked, and the steps by name. */
function toldLab() {
  let last = 1;
  const next = (): number => (last += 1 / 8);
  const matrix = (n: number): Matrix => ({ data: Float64Array.from({ length: n * n }, next), shape: [n, n] });
  const method = (): FigureMethod => {
    const layers = (): Matrix[] => Array.from({ length: 4 }, () => matrix(2));
    const error = () => ({ bias: next(), variance: next(), total: next() });
    return {
      posterior: {
        logEvidence: next(),
        orderParameter: matrix(2),
        hiddenKernels: layers(),
        hiddenKernelShifts: layers(),
        standardError: { logEvidence: next(), orderParameter: matrix(2), hiddenKernels: layers(), hiddenKernelShifts: layers() },
      },
      generalizationError: error(),
      generalizationStandardError: error(),
    } as unknown as FigureMethod;
  };
  const asked: File[] = [];
  const steps = new Map<string, FigureStep[]>();
  const lab = {
    run: { registry, seed: 1 },
    experiment: async (name: string, file: File["file"]) => {
      expect(steps.has(name), `${name} asked twice`).toBe(false);
      asked.push({ name, file });
      const labels = file.methods.map((one) => (typeof one === "string" ? one : one.method));
      const made = sweepSteps(file.sweep ?? {}).map((values) => ({
        values,
        methods: Object.fromEntries(labels.map((label) => [label, method()])),
      })) as unknown as FigureStep[];
      steps.set(name, made);
      return made;
    },
  } as unknown as FigureLab;
  const of = (name: string, step: number, label: string): FigureMethod => steps.get(name)![step]!.methods[label]!;
  return { lab, asked, steps, of };
}
async function computed<Numbers>(name: string, size: FigureSize) {
  const told = toldLab();
  const numbers = (await registry.figure(name).compute(size, told.lab)) as Numbers;
  for (const { file } of told.asked) {
    expect(file).toMatchObject({ seed: 1, data: { dataset: "mnist", seed: 1 } });
    expect(file["likelihood"]).toBeDefined();
  }
  const file = (experiment: string) => told.asked.find((one) => one.name === experiment)!.file;
  return { ...told, numbers, file };
}
const kernels = (method: FigureMethod, infinite: FigureMethod): number[] => shiftsOf(method, infinite);

describe.each(sizes)("figures at size %s take their numbers from the experiments that they name", (size) => {
  it("hanin-depth: evidence over infinite width, layers of L λ⁻¹ units", async () => {
    const { numbers, of, file } = await computed<{ gain: number[][]; effectiveDepth: number[]; depths: number[]; sampled: Record<string, number>[] }>("hanin-depth", size); // prettier-ignore
    const reference = of("infinite-width", 0, "nngp").posterior.logEvidence!;
    const widths = numbers.effectiveDepth.map((depth) => 1 / depth);
    expect(widths.slice(0, 5)).toEqual([2, 4, 8, 16, 32]);
    expect(numbers.depths).toEqual([1, 2, 4, 8, 16]);
    for (const [i, depth] of numbers.depths.entries()) {
      expect(numbers.gain[i]).toEqual(widths.map((_, k) => of(`depth-${depth}`, k, "exact").posterior.logEvidence! - reference));
      // Σ 1/N_l = λ
      expect(file(`depth-${depth}`).sweep!["widths"]).toEqual(widths.map((width) => Array.from({ length: depth }, () => depth * width)));
    }
    expect(numbers.sampled).toEqual(
      [1, 2].map((depth) => {
        const { logEvidence, standardError } = of(`sampled-depth-${depth}`, 0, "monte-carlo").posterior;
        expect(file(`sampled-depth-${depth}`).network.widths).toEqual(Array.from({ length: depth }, () => 8 * depth));
        return { depth, effectiveDepth: 1 / 8, gain: logEvidence! - reference, standardError: standardError!.logEvidence };
      }),
    );
  });

  it("pacelli-loss and pacelli-depth: errors at the test points and their noise", async () => {
    const loss = await computed<{ widths: number[]; sampledWidths: number[]; panels: Record<string, unknown>[] }>("pacelli-loss", size);
    const { widths, sampledWidths, panels } = loss.numbers;
    for (const width of sampledWidths) expect(widths).toContain(width);
    expect(panels).toEqual(
      ["erf", "relu"].map((label) => ({
        label,
        infinite: loss.of(label, 0, "nngp").generalizationError,
        theory: widths.map((_, i) => loss.of(label, i, "effective-action").generalizationError),
        unitwise: sampledWidths.map((_, i) => loss.of(`${label}-sampled`, i, "expectation-propagation").generalizationError),
        sampled: sampledWidths.map((_, i) => {
          const { generalizationError, generalizationStandardError } = loss.of(`${label}-sampled`, i, "monte-carlo");
          return { ...generalizationError, standardError: generalizationStandardError!.total };
        }),
      })),
    );
    for (const { name, file } of loss.asked) {
      expect(file.network.activation).toBe(name.split("-")[0]);
      expect(file.sweep).toEqual({ widths: (name.endsWith("sampled") ? sampledWidths : widths).map((width) => [width]) });
    }
    const depth = await computed<{ sampledDepths: number[]; sampled: object[] }>("pacelli-depth", size);
    const all = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
    expect(depth.numbers).toEqual({
      depths: all,
      infinite: all.map((_, i) => depth.of("depth", i, "nngp").generalizationError!.total),
      theory: all.map((_, i) => depth.of("depth", i, "effective-action").generalizationError!.total),
      sampledDepths: depth.numbers.sampledDepths,
      sampled: depth.numbers.sampledDepths.map((_, i) => {
        const { generalizationError, generalizationStandardError } = depth.of("sampled", i, "monte-carlo");
        return { value: generalizationError!.total, standardError: generalizationStandardError!.total };
      }),
      orderParameters: [...(depth.of("depth", 9, "effective-action").posterior.orderParameter as Matrix).data],
    });
    expect(depth.file("depth").sweep).toEqual({ depth: all });
    expect(depth.file("sampled").sweep).toEqual({ depth: depth.numbers.sampledDepths });
  });

  it("bassetti-order-parameter: matrices of both methods and their evidence, by width", async () => {
    const { numbers, of, file } = await computed<{ widths: number[]; sampled: { width: number } }>("bassetti-order-parameter", size);
    const rows = (value: unknown): number[][] => {
      const [a, b, c, d] = (value as Matrix).data;
      return [[a!, b!], [c!, d!]]; // prettier-ignore
    };
    const { widths, sampled } = numbers;
    expect(widths).toContain(sampled.width);
    const posterior = (i: number, label: string) => of("theory", i, label).posterior;
    const chains = of("sampled", 0, "monte-carlo").posterior;
    expect(numbers).toEqual({
      widths,
      minimiser: widths.map((_, i) => rows(posterior(i, "large-deviation").orderParameter)),
      mean: widths.map((_, i) => rows(posterior(i, "exact").orderParameter)),
      evidence: widths.map((_, i) => ({
        exact: posterior(i, "exact").logEvidence,
        largeDeviation: posterior(i, "large-deviation").logEvidence,
      })),
      sampled: { width: sampled.width, mean: rows(chains.orderParameter), standardError: rows(chains.standardError!.orderParameter) },
    });
    expect(file("theory")).toMatchObject({ scaling: "mean-field", sweep: { widths: widths.map((width) => [width]) } });
    expect(file("sampled")).toMatchObject({ scaling: "mean-field", network: { widths: [sampled.width] } });
  });

  it("shifts of hidden kernels: of linear networks, of one layer, and at a bottleneck", async () => {
    const linear = await computed<{ widths: number[]; exact: number[][]; firstOrder: number[][]; sampled: { width: number; shifts: object[] }[] }>("zavatone-veth-linear", size); // prettier-ignore
    const shifts = (label: string): number[][] => linear.numbers.widths.map((_, i) => kernels(linear.of("theory", i, label), linear.of("theory", i, "nngp"))); // prettier-ignore
    expect(linear.numbers.firstOrder).toEqual(shifts("perturbative"));
    expect(linear.numbers.exact).toEqual(size === "quick" ? shifts("exact") : []);
    expect(linear.file("theory").sweep!["widths"]).toEqual(linear.numbers.widths.map((width) => [width, width, width]));
    for (const { width, shifts: own } of linear.numbers.sampled) {
      const name = `sampled-${width}`;
      expect(own).toEqual(sampledShifts(linear.of(name, 0, "monte-carlo"), linear.of(name, 0, "nngp")));
      expect(linear.file(name).network.widths).toEqual([width, width, width]);
    }

    const single = await computed<{ widths: number[]; sampledWidths: number[]; firstOrder: number[]; sampled: object[] }>("zavatone-veth-one-layer", size); // prettier-ignore
    const { widths, sampledWidths } = single.numbers;
    expect(single.numbers.firstOrder).toEqual(
      widths.map((_, i) => kernels(single.of("theory", i, "perturbative"), single.of("theory", i, "nngp"))[0]),
    );
    expect(single.numbers.sampled).toEqual(
      sampledWidths.map((_, i) => sampledShifts(single.of("sampled", i, "monte-carlo"), single.of("sampled", i, "nngp"))[0]),
    );
    expect(single.file("theory").sweep).toEqual({ widths: widths.map((width) => [width]) });
    expect(single.file("sampled").sweep).toEqual({ widths: sampledWidths.map((width) => [width]) });

    const narrow = await computed<{ widths: number[]; firstOrder: number[]; sampled: object[] }>("zavatone-veth-bottleneck", size);
    const [infinite, first, chains] = ["nngp", "perturbative", "monte-carlo"].map((label) => narrow.of("bottleneck", 0, label));
    expect(narrow.numbers.firstOrder).toEqual(kernels(first!, infinite!));
    expect(narrow.numbers.sampled).toEqual(sampledShifts(chains!, infinite!));
    expect(narrow.file("bottleneck").network).toMatchObject({ widths: narrow.numbers.widths, activation: "relu", weightVariance: 2 });
    const [a, b, c] = narrow.numbers.widths;
    expect([a, b! < a!]).toEqual([c, true]);
  });
});
