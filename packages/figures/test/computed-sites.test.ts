import { createRegistry, type FigureLab, type FigureMethod, type FigureSize, type Matrix } from "@finitewidth/core";
import { beforeEach, expect, it, vi } from "vitest";
import { plugin } from "../src/index.js";
import { sampledShifts, shiftsOf } from "../src/shared/shift.js";

/** Matrices over sites are made up here: of which method, over which network and how many sites they are asked for is what is tested. */
const made: unknown[][] = [];
vi.mock("../src/shared/site-kernels.js", () => ({
  readoutOverSites: (...asked: unknown[]) => (made.push(asked), { mean: [[made.length]] }),
  kernelOverSites: (...asked: unknown[]) => (made.push(asked), { mean: [[made.length]] }),
}));

const registry = createRegistry([plugin]);
let last = 1;
const matrix = (n: number): Matrix => ({ data: Float64Array.from({ length: n * n }, () => (last += 1 / 8)), shape: [n, n] });
const layers = (n: number): Matrix[] => [matrix(n), matrix(n)];
const methodOf = (): FigureMethod =>
  ({
    posterior: {
      logEvidence: (last += 1),
      orderParameter: matrix(3),
      hiddenKernels: layers(4),
      hiddenKernelShifts: layers(4),
      standardError: { hiddenKernels: layers(4), hiddenKernelShifts: layers(4) },
    },
  }) as unknown as FigureMethod;
interface File {
  readonly network: { readonly layers: readonly object[]; readonly activation: string; readonly inputShape: readonly number[] };
  readonly methods: readonly (string | { readonly method: string })[];
  readonly data: { readonly train: number };
}
const files = new Map<string, File>();
const methods = new Map<string, Record<string, FigureMethod>>();
beforeEach(() => [files, methods].forEach((one) => one.clear()));
const lab = {
  run: { registry, seed: 1 },
  experiment: async (name: string, file: File) => {
    const labels = file.methods.map((one) => (typeof one === "string" ? one : one.method));
    files.set(name, file);
    methods.set(name, Object.fromEntries(labels.map((label) => [label, methodOf()])));
    return [{ values: {}, methods: methods.get(name)! }];
  },
} as unknown as FigureLab;
const of = (experiment: string, label: string): FigureMethod => methods.get(experiment)![label]!;
const compute = <Numbers>(name: string, size: FigureSize) => registry.figure(name).compute(size, lab) as Promise<Numbers>;
const sizes: readonly FigureSize[] = ["quick", "paper"];

it.each(sizes)("bassetti-shape (%s): matrices over sites in units in which infinite width is the identity, and evidences", async (size) => {
  made.length = 0;
  const found = await compute<{ sites: number; exact: number[][]; effectiveAction: number[][] }>("bassetti-shape", size);
  const { network } = files.get("linear")! as unknown as {
    network: { layers: { kernelSize: number; stride: number }[]; inputShape: number[] };
  };
  const [{ kernelSize, stride }] = network.layers as [{ kernelSize: number; stride: number }];
  expect(stride).toBe(kernelSize);
  const sites = (network.inputShape[1]! / kernelSize) * (network.inputShape[2]! / kernelSize);
  const rows = (method: FigureMethod, scale: number): number[][] => {
    const { data } = method.posterior.orderParameter as Matrix;
    return [0, 1, 2].map((i) => [...data.subarray(3 * i, 3 * i + 3)].map((value) => scale * value));
  };
  expect(found).toEqual({
    sites,
    // the exact law is of the sum over sites, the effective action of their mean
    exact: rows(of("linear", "exact"), sites),
    linear: { mean: [[1]] },
    effectiveAction: rows(of("erf", "effective-action"), 1),
    erf: { mean: [[2]] },
    evidence: { infinite: of("linear", "nngp").posterior.logEvidence, exact: of("linear", "exact").posterior.logEvidence },
  });
  expect(made).toEqual(["linear", "erf"].map((name) => [of(name, "monte-carlo"), sites, registry]));
  expect(["linear", "erf"].map((name) => files.get(name)!.network.activation)).toEqual(["identity", "erf"]);
});

it.each(sizes)(
  "zavatone-veth-convolution (%s): shifts by channels, kernels between sites of both layers of the first sampled network",
  async (size) => {
    made.length = 0;
    interface Numbers {
      readonly channels: readonly number[];
      readonly firstOrder: readonly number[][];
      readonly sampled: readonly { readonly channels: number; readonly shifts: unknown }[];
      readonly sites: unknown;
      readonly sizeOfKernels: readonly number[];
    }
    const { channels, firstOrder, sampled, sites, sizeOfKernels } = await compute<Numbers>("zavatone-veth-convolution", size);
    expect(firstOrder).toEqual(channels.map((count) => shiftsOf(of(`theory-${count}`, "perturbative"), of(`theory-${count}`, "nngp"))));
    for (const { channels: count, shifts } of sampled) {
      expect(channels).toContain(count);
      expect(shifts).toEqual(sampledShifts(of(`sampled-${count}`, "monte-carlo"), of(`sampled-${count}`, "nngp")));
    }
    const layer = (count: number) => ({ channels: count, kernelSize: [3, 3], padding: "circular" });
    for (const kind of ["theory", "sampled"])
      for (const count of kind === "theory" ? channels : sampled.map((one) => one.channels))
        expect(files.get(`${kind}-${count}`)!.network.layers).toEqual([layer(count), layer(count)]);
    expect(sites).toEqual([[[1]], [[2]]]);
    const first = sampled[0]!.channels;
    const method = of(`sampled-${first}`, "monte-carlo");
    const file = files.get(`sampled-${first}`)!;
    const [, height, width] = file.network.inputShape;
    expect(made.map(([own, network, count]) => [own, (network as File["network"]).layers, count])).toEqual(
      [1, 2].map((depth) => [method, Array.from({ length: depth }, () => layer(first)), height! * width!]),
    );
    expect(sizeOfKernels).toEqual(
      method.posterior.hiddenKernels!.map(({ data }) =>
        expect.closeTo((data[0]! + data[5]! + data[10]! + data[15]!) / file.data.train, 12),
      ),
    );
  },
);
