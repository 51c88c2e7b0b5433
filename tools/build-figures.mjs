// Computes the figures of the documentation and writes them to docs/figures as SVG.
// Usage: node --conditions @finitewidth/source --import ./ts-preload.mjs build-figures.mjs (nx run @finitewidth/tools:figures)
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { createRegistry, fit, inlineRun, resolveArchitecture } from "@finitewidth/core";
import { loadDataset } from "@finitewidth/datasets";
import { realise } from "@finitewidth/kernels";
import { phaseDiagram } from "@finitewidth/large-deviations";
import { drawFigure, heatmaps, phasePlane, standaloneSvg } from "@finitewidth/plots";
import { outputDensityFactor, pointFlow } from "@finitewidth/perturbation";
import { exact, nngp } from "@finitewidth/posterior";
import { stream } from "@finitewidth/random";
import { standardPlugins } from "@finitewidth/verification";
import { parseHTML } from "linkedom";
import { strongLabelsFigure } from "./strong-labels-figure.mjs";

const folder = join(dirname(dirname(fileURLToPath(import.meta.url))), "docs", "figures");
const { document } = parseHTML("<!doctype html><html><body></body></html>");
const registry = createRegistry(standardPlugins);
const write = (name, svg) => writeFileSync(join(folder, `${name}.svg`), `${svg}\n`);
mkdirSync(folder, { recursive: true });

/** Points sorted by label, so that the structure of a kernel shows. */
function byLabel({ inputs, targets }) {
  const order = Array.from(targets.data.keys()).sort((a, b) => targets.data[a] - targets.data[b]);
  const rows = (m) => ({
    data: Float64Array.from(order.flatMap((i) => [...m.data.subarray(i * m.shape[1], (i + 1) * m.shape[1])])),
    shape: m.shape,
  });
  return { inputs: rows(inputs), targets: rows(targets) };
}

const { train } = await loadDataset({ dataset: "mnist", classes: [0, 1], train: 60, test: 0, size: [10, 10], seed: 1 });
const digits = { ...byLabel(train), network: { type: "fully-connected", widths: [4, 4], activation: "identity" }, temperature: 0.05 };
const finite = (await fit(exact, digits, { registry })).posterior;
const infinite = (await fit(nngp, digits, { registry })).posterior;
const [before, after] = [infinite.hiddenKernels.at(-1), finite.hiddenKernels.at(-1)];
const difference = { data: after.data.map((value, i) => value - before.data[i]), shape: after.shape };
const density = finite.figures.find((figure) => figure.kind === "density");
write(
  "digits",
  standaloneSvg([
    drawFigure(density, document),
    heatmaps(
      [
        { label: "infinite width", values: before },
        { label: "learned, width 4", values: after },
        { label: "difference", values: difference, diverging: true },
      ],
      document,
    ),
  ]),
);

// How much the data prefer a finite network, over the width of both hidden layers.
const widths = [2, 3, 4, 6, 8, 12, 16, 24, 32, 64, 128, 256];
const gains = [];
for (const width of widths)
  gains.push(
    (await fit(exact, { ...digits, network: { ...digits.network, widths: [width, width] } }, { registry })).posterior.logEvidence -
      infinite.logEvidence,
  );
const x = Float64Array.from(widths);
const gain = {
  kind: "lines",
  title: "log evidence",
  xLabel: "width N of both hidden layers",
  yLabel: "log evidence − that of infinite width",
  logX: true,
  series: [{ label: "exact", x, y: Float64Array.from(gains) }],
};
write("evidence-width", standaloneSvg([drawFigure(gain, document)]));

const axis = (from, to, points) => Array.from({ length: points }, (_, i) => from + ((to - from) * i) / (points - 1));
const grid = { weightVariance: axis(0.5, 3, 41), biasVariance: axis(0, 0.3, 25) };
const phases = await phaseDiagram({ activation: "erf", ...grid }, inlineRun({ registry }));
write(
  "phase-erf",
  standaloneSvg([phasePlane({ ...grid, values: phases.chiPerp, label: "χ⊥", pivot: 1, criticalLine: phases.criticalLine }, document)]),
);

// The set-up of Yaida 2019, figure 1: one MNIST image, hidden widths n and 2n, linear (σ_w² = 1) and ReLU (σ_w² = 2). Only |x|²/N0 enters
// the law of f.
const { train: images } = await loadDataset({ dataset: "mnist", classes: [0, 1], train: 20, test: 0, seed: 1 });
const image = images.inputs.data.subarray(0, images.inputs.shape[1]);
const size = image.reduce((sum, value) => sum + value * value, 0) / image.length;
const n = 8;
const densities = [];
for (const [activation, weightVariance] of [
  ["identity", 1],
  ["relu", 2],
]) {
  const network = {
    type: "fully-connected",
    activation,
    widths: [n, 2 * n],
    weightVariance: [1, 1, 1].map(() => weightVariance),
    biasVariance: [0, 0, 0],
  };
  const inputs = { data: Float64Array.of(Math.sqrt(size)), shape: [1, 1] };
  const real = realise(resolveArchitecture(registry, network), inputs, 1);
  const random = stream(1, weightVariance);
  const theta = new Float64Array(real.parameters);
  const samples = Float64Array.from({ length: 100_000 }, () => real.forward(random.normals(theta)).outputs.data[0]);
  const flow = pointFlow(
    { activation: registry.activation(activation), weightVariance: network.weightVariance.slice(1), biasVariance: [0, 0] },
    weightVariance * size,
  );
  const kernel = flow.kernel.at(-1);
  const [variance, meanShift] = [flow.variance.at(-1), flow.meanShift.at(-1)].map((coefficients) =>
    coefficients.reduce((sum, value, l) => sum + value / network.widths[l], 0),
  );
  const width = Math.sqrt(kernel);
  const f = Float64Array.from({ length: 241 }, (_, i) => width * (-6 + 0.05 * i));
  const gaussian = f.map((value) => Math.exp((-0.5 * value * value) / kernel) / Math.sqrt(2 * Math.PI * kernel));
  const corrected = f.map((value, i) => gaussian[i] * outputDensityFactor([value], { kernel, variance, meanShift }));
  const kept = samples.filter((value) => Math.abs(value) < 6 * width);
  densities.push(
    drawFigure(
      {
        kind: "histogram",
        title: activation,
        label: `f, ${activation} network of widths ${n}, ${2 * n}`,
        values: kept,
        bins: 121,
        series: [
          { label: "infinite width", x: f, y: gaussian },
          { label: "first order in 1/N", x: f, y: corrected },
        ],
      },
      document,
    ),
  );
}
write("yaida-density", standaloneSvg(densities));

// Excess kurtosis of one output with depth and width: exact for linear and ReLU networks, first order in 1/N beside it.
const depths = Float64Array.from({ length: 12 }, (_, i) => i + 1);
const kurtosis = [10, 30, 100].flatMap((N) => [
  { label: `N = ${N}, exact`, group: `N = ${N}`, x: depths, y: depths.map((L) => 3 * ((1 + 5 / N) ** L - 1)), points: true },
  { label: `N = ${N}, first order`, group: `N = ${N}`, x: depths, y: depths.map((L) => (15 * L) / N) },
]);
write(
  "kurtosis-depth",
  standaloneSvg([
    drawFigure(
      {
        kind: "lines",
        title: "excess kurtosis",
        xLabel: "hidden layers L",
        yLabel: "excess kurtosis of one output",
        logY: true,
        series: kurtosis,
      },
      document,
    ),
  ]),
);

write("strong-labels", standaloneSvg(await strongLabelsFigure(registry, document)));
