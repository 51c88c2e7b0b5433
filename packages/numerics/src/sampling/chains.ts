import type { RandomStream } from "@finitewidth/core";
import { diagnoseChains, type ChainDiagnostics } from "../statistics/chain-diagnostics.js";
import { hamiltonianChain, type HamiltonianOptions } from "./hamiltonian.js";
import type { ChainReport, LogDensity, Start } from "./log-density.js";

/** Draws of several chains. */
export interface ChainDraws {
  /** draws × d, row-major, one array per chain. */
  readonly positions: readonly Float64Array[];
  /** log p of every draw, one array per chain. */
  readonly logDensity: readonly Float64Array[];
  readonly reports: readonly ChainReport[];
}

/**
 * Runs one Hamiltonian chain per stream, one after the other, and keeps every draw: 8·draws·d bytes a chain. One gradient per leapfrog
 * step. @throws like `hamiltonianChain`.
 */
export function sampleChains(
  target: LogDensity,
  options: HamiltonianOptions,
  start: Start,
  streams: readonly RandomStream[],
  tick: (fraction: number) => void = () => undefined,
): ChainDraws {
  const { dimension } = target;
  const positions: Float64Array[] = [];
  const logDensity: Float64Array[] = [];
  const reports = streams.map((random, c) => {
    const chain = hamiltonianChain(target, options, start, random, (fraction) => tick((c + fraction) / streams.length));
    const kept = new Float64Array(options.draws * dimension);
    const values = new Float64Array(options.draws);
    let next = chain.next();
    for (; !next.done; next = chain.next()) {
      const draw = next.value.iteration - options.warmup;
      if (draw < 0) continue;
      kept.set(next.value.position, draw * dimension);
      values[draw] = next.value.logDensity;
    }
    positions.push(kept);
    logDensity.push(values);
    return next.value;
  });
  return { positions, logDensity, reports };
}

/** Draws of coordinate i, one array per chain: what the diagnostics take. */
export function coordinateOf(draws: ChainDraws, dimension: number, i: number): Float64Array[] {
  return draws.positions.map((kept) => Float64Array.from({ length: kept.length / dimension }, (_, n) => kept[n * dimension + i]!));
}

/** Diagnostics of every coordinate. d times the cost of `diagnoseChains`. */
export function diagnoseDraws(draws: ChainDraws, dimension: number): ChainDiagnostics[] {
  return Array.from({ length: dimension }, (_, i) => diagnoseChains(coordinateOf(draws, dimension, i)));
}
