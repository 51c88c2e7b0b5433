import { kernelMap, kernelSlopes } from "@finitewidth/activations";
import { inputError, zeros, type Activation, type Matrix } from "@finitewidth/core";
import type { ConvolutionChain as Filters } from "@finitewidth/kernels";
import { gram } from "@finitewidth/linalg";
import type { KernelChain, KernelLayer } from "./kernel-chain.js";

/** A periodic filter: Σ_c v_c f(a + c) over sites a, Σ_c v_c = 1. */
export interface PeriodicFilter {
  /** One displacement per tap, one integer per axis. */
  readonly offsets: readonly (readonly number[])[];
  /** v_c, one per tap. */
  readonly weights: readonly number[];
}

/** A periodic convolutional network: channels as widths; index of a kernel = point · sites + site, sites row-major over the grid. */
export interface ConvolutionChain {
  readonly activation: Activation;
  /** N_1 … N_L, numbers of channels. */
  readonly channels: readonly number[];
  /** Extent of every axis. */
  readonly grid: readonly number[];
  /** One filter per hidden layer. */
  readonly filters: readonly PeriodicFilter[];
  /** σ_w²(1) … σ_w²(L+1). */
  readonly weightVariance: readonly number[];
  /** σ_b²(1) … σ_b²(L+1). */
  readonly biasVariance: readonly number[];
  /** u, sites × sites: K^out_μν = σ_w² Σ_ab u_ab Ĝ_{μa,νb} + σ_b². 1/s: flattened; 11ᵀ/s²: averaged. */
  readonly readout: Matrix;
}

const product = (values: readonly number[]): number => values.reduce((all, value) => all * value, 1);

/** Site a + offset for every site a of a periodic grid, row-major. */
function shiftedSites(grid: readonly number[], offset: readonly number[]): Int32Array {
  return Int32Array.from({ length: product(grid) }, (_, site) => {
    let [position, unit, at] = [site, 1, 0];
    for (let axis = grid.length - 1; axis >= 0; axis--) {
      const size = grid[axis]!;
      const coordinate = ((position % size) + (offset[axis]! % size) + size) % size;
      at += coordinate * unit;
      unit *= size;
      position = Math.floor(position / size);
    }
    return at;
  });
}

/** A filter over sites: Σ_c v_c f(sources_c[a]), zero where a source is −1. */
interface SiteFilter {
  readonly sources: readonly Int32Array[];
  readonly weights: readonly number[];
}

const periodicFilter = (grid: readonly number[], { offsets, weights }: PeriodicFilter): SiteFilter => ({
  sources: offsets.map((offset) => shiftedSites(grid, offset)),
  weights,
});

/** (𝒜M)_{μa,νb} = Σ_c v_c M_{μ a+c, ν b+c}; `adjoint`: ⟨𝒜M, B⟩ = ⟨M, 𝒜*B⟩. O(taps · n²). */
function applyFilter(m: Matrix, { sources, weights }: SiteFilter, adjoint: boolean): Matrix {
  const n = m.shape[0];
  const out = zeros(n, n);
  for (const [c, source] of sources.entries()) {
    const sites = source.length;
    const place = Int32Array.from({ length: n }, (_, i) => (source[i % sites]! < 0 ? -1 : i - (i % sites) + source[i % sites]!));
    const v = weights[c]!;
    for (let i = 0; i < n; i++) {
      if (place[i]! < 0) continue;
      const row = place[i]! * n;
      for (let j = 0; j < n; j++) {
        if (place[j]! < 0) continue;
        if (adjoint) out.data[row + place[j]!]! += v * m.data[i * n + j]!;
        else out.data[i * n + j]! += v * m.data[row + place[j]!]!;
      }
    }
  }
  return out;
}

/** Σ_ab u_ab M_{μa,νb}: points × points. */
function readOut(m: Matrix, u: Matrix): Matrix {
  const sites = u.shape[0];
  const n = m.shape[0];
  const points = n / sites;
  const out = zeros(points, points);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++)
      out.data[Math.floor(i / sites) * points + Math.floor(j / sites)]! += u.data[(i % sites) * sites + (j % sites)]! * m.data[i * n + j]!;
  }
  return out;
}

/** A ⊗ u. */
function spreadOverSites(a: Matrix, u: Matrix): Matrix {
  const sites = u.shape[0];
  const points = a.shape[0];
  const n = points * sites;
  const out = zeros(n, n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++)
      out.data[i * n + j] = a.data[Math.floor(i / sites) * points + Math.floor(j / sites)]! * u.data[(i % sites) * sites + (j % sites)]!;
  }
  return out;
}

const times = (factor: number, m: Matrix): Matrix => ({ data: m.data.map((value) => factor * value), shape: m.shape });

/**
 * Chain of a periodic convolutional network on the Gram matrix of its inputs, (points·sites)², an average over input channels. The compact
 * formula (Σ_{k≤l} 1/N_k) Kˡ B Kˡ of the literature exchanges 𝒜 with the product and holds for l = 1 only; this chain does not. L (P s)²/2
 * two-point functions and O(taps (P s)²) operations a layer. Source: docs/theories/perturbative.md §8. @throws FinitewidthError (code
 * "input") naming the field.
 */
export function convolutionChain(network: ConvolutionChain, inputGram: Matrix): KernelChain {
  checkConvolution(network, inputGram);
  return chainOverSites({ ...network, filters: network.filters.map((filter) => periodicFilter(network.grid, filter)) }, inputGram);
}

/**
 * The chain of the filters of a network whose layers all have as many sites as its input: stride 1, any padding. Cost of
 * `convolutionChain`.
 */
export function filterChain(
  { geometry, channels, readout, activation, weightVariance, biasVariance }: Filters,
  inputGram: Matrix,
): KernelChain {
  const filters = geometry.layers.map(({ taps, tapCount, outputSites }): SiteFilter => ({
    sources: Array.from({ length: tapCount }, (_, m) => Int32Array.from({ length: outputSites }, (__, i) => taps[i * tapCount + m]!)),
    weights: Array.from({ length: tapCount }, () => 1 / tapCount),
  }));
  return chainOverSites(
    { activation, channels, filters, weightVariance, biasVariance, readout: readoutWeights(readout, geometry.inputSites) },
    inputGram,
  );
}

function chainOverSites(
  {
    activation,
    channels,
    filters,
    weightVariance,
    biasVariance,
    readout,
  }: Omit<ConvolutionChain, "grid" | "filters"> & { readonly filters: readonly SiteFilter[] },
  inputGram: Matrix,
): KernelChain {
  const L = channels.length;
  const lift = (l: number, m: Matrix): Matrix =>
    times(weightVariance[l]!, l === L ? readOut(m, readout) : applyFilter(m, filters[l]!, false));
  const liftAdjoint = (l: number, b: Matrix): Matrix =>
    times(weightVariance[l]!, l === L ? spreadOverSites(b, readout) : applyFilter(b, filters[l]!, true));
  const withBias = (l: number, m: Matrix): Matrix => ({ data: m.data.map((value) => value + biasVariance[l]!), shape: m.shape });
  let kernel = withBias(0, lift(0, inputGram));
  const layers = channels.map((width, l): KernelLayer => {
    const secondMoment = kernelMap(activation, kernel);
    const layer: KernelLayer = {
      width,
      kernel,
      secondMoment,
      slopes: kernelSlopes(activation, kernel),
      lift: (x) => lift(l + 1, x),
      liftAdjoint: (b) => liftAdjoint(l + 1, b),
    };
    kernel = withBias(l + 1, lift(l + 1, secondMoment));
    return layer;
  });
  const siteForms = [times(weightVariance[L]!, readout)];
  for (let l = L - 1; l > 0; l--) siteForms.unshift(liftAdjoint(l, siteForms[0]!));
  return { activation, layers, output: kernel, sites: readout.shape[0], siteForms };
}

function checkConvolution({ channels, grid, filters, weightVariance, biasVariance, readout }: ConvolutionChain, inputGram: Matrix): void {
  const sites = product(grid);
  if (channels.length === 0) throw inputError("channels", "at least one hidden layer", channels);
  for (const [l, width] of channels.entries())
    if (!(Number.isSafeInteger(width) && width >= 1)) throw inputError(`channels[${l}]`, "a positive integer", width);
  if (filters.length !== channels.length) throw inputError("filters", `${channels.length} filters, one per hidden layer`, filters);
  for (const [l, { offsets, weights }] of filters.entries()) {
    if (weights.length !== offsets.length || weights.some((v) => !(v >= 0)))
      throw inputError(`filters[${l}].weights`, "one weight ≥ 0 per offset", weights);
    const sum = weights.reduce((all, v) => all + v, 0);
    if (!(Math.abs(sum - 1) <= 1e-9)) throw inputError(`filters[${l}].weights`, "weights that sum to 1", sum);
    if (offsets.some((offset) => offset.length !== grid.length || !offset.every(Number.isSafeInteger)))
      throw inputError(`filters[${l}].offsets`, `offsets of ${grid.length} integers`, offsets);
  }
  for (const [path, values] of Object.entries({ weightVariance, biasVariance }))
    if (values.length !== channels.length + 1) throw inputError(path, `${channels.length + 1} numbers`, values);
  for (const [l, value] of weightVariance.entries())
    if (!(value > 0 && Number.isFinite(value))) throw inputError(`weightVariance[${l}]`, "a positive number", value);
  for (const [l, value] of biasVariance.entries())
    if (!(value >= 0 && Number.isFinite(value))) throw inputError(`biasVariance[${l}]`, "a number ≥ 0", value);
  if (readout.shape[0] !== sites || readout.shape[1] !== sites)
    throw inputError("readout", `a symmetric ${sites} × ${sites} matrix`, readout.shape.join(" × "));
  for (let a = 0; a < sites; a++)
    for (let b = 0; b < a; b++)
      if (readout.data[a * sites + b] !== readout.data[b * sites + a])
        throw inputError("readout", `a symmetric ${sites} × ${sites} matrix`, `entries ${a}, ${b} that differ`);
  if (inputGram.shape[0] % sites !== 0 || inputGram.shape[0] !== inputGram.shape[1])
    throw inputError("inputGram", `a square matrix over points × ${sites} sites`, inputGram.shape.join(" × "));
}

/**
 * Gram matrix Σ_channels x x′ᵀ / channels between sites of inputs given as rows (channel, …space), last index fastest: (P·s) × (P·s). O((P
 * s)² channels).
 */
export function siteGram(inputs: Matrix, channels: number): Matrix {
  const [points, features] = inputs.shape;
  const sites = features / channels;
  const rows = zeros(points * sites, channels);
  for (let i = 0; i < points; i++) {
    for (let c = 0; c < channels; c++) {
      for (let a = 0; a < sites; a++)
        rows.data[(i * sites + a) * channels + c] = inputs.data[i * features + c * sites + a]! / Math.sqrt(channels);
    }
  }
  return gram(rows);
}

/** u of the two readouts. */
export function readoutWeights(readout: Filters["readout"], sites: number): Matrix {
  const out = zeros(sites, sites);
  if (readout === "global-average") out.data.fill(1 / (sites * sites));
  else for (let a = 0; a < sites; a++) out.data[a * sites + a] = 1 / sites;
  return out;
}
