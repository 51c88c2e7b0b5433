import { inputError, matrixFromRows, shapeError, type Matrix } from "@finitewidth/core";
import { stream } from "@finitewidth/random";
import { commonMaps, identityMaps, softmaxMaps, type AttentionMaps, type Sequences } from "./maps.js";
import type { AttentionNetwork, LayerMaps } from "./network.js";

/** Tokens of some input rows with the maps of every layer. */
export interface ParsedInputs {
  readonly sequences: Sequences;
  readonly maps: readonly AttentionMaps[];
}

/** An attention network ready to be evaluated on input rows. */
export interface AttentionModel {
  readonly network: AttentionNetwork;
  readonly heads: readonly number[];
  readonly readout: Float64Array;
  /** Numbers of an input row. */
  readonly inputSize: number;
  /** Maps of all layers when they are common to all inputs. */
  readonly common?: readonly AttentionMaps[];
  /** Whether the rows of all maps of layers 2 … L sum to one for every input. */
  readonly stochastic: boolean;
  parse(inputs: Matrix, path?: string): ParsedInputs;
}

/** Maps of one layer as a function of tokens, or of the numbers that follow them. */
interface LayerSource {
  readonly heads: number;
  readonly common?: AttentionMaps;
  readonly stochastic: boolean;
  /** Numbers that it takes from an input row. */
  readonly taken: number;
  at(sequences: Sequences, rest: Float64Array): AttentionMaps;
}

const sumsToOne = ({ data, tokens }: AttentionMaps): boolean => {
  for (let i = 0; i < data.length; i += tokens) {
    let sum = 0;
    for (let j = 0; j < tokens; j++) sum += data[i + j]!;
    if (Math.abs(sum - 1) > 1e-12) return false;
  }
  return true;
};

function layerSource(maps: LayerMaps | undefined, layer: number, tokens: number, features: number): LayerSource {
  if (maps === undefined || "matrices" in maps) {
    const common = maps === undefined ? identityMaps(tokens) : commonMaps(maps.matrices, tokens, `network.layers[${layer}].matrices`);
    return { heads: common.heads, common, stochastic: sumsToOne(common), taken: 0, at: () => common };
  }
  if ("queries" in maps) {
    const { queries, keys, scale } = maps;
    const [q, k] = [queries, keys].map((list) => list.map((rows) => matrixFromRows(rows))) as [Matrix[], Matrix[]];
    return { heads: q.length, stochastic: true, taken: 0, at: (sequences) => softmaxMaps(sequences, q, k, scale) };
  }
  if (!("from" in maps)) {
    const { heads, keys: size, scale, seed } = maps;
    const drawn = (kind: number): Matrix[] =>
      Array.from({ length: heads }, (_, h) => ({
        data: stream(seed, layer, kind, h)
          .normals(new Float64Array(size * features))
          .map((value) => value / Math.sqrt(features)),
        shape: [size, features],
      }));
    const [q, k] = [drawn(0), drawn(1)];
    return { heads, stochastic: true, taken: 0, at: (sequences) => softmaxMaps(sequences, q, k, scale / Math.sqrt(size)) };
  }
  const { heads } = maps;
  return {
    heads,
    stochastic: false,
    taken: heads * tokens * tokens,
    at: ({ examples }, rest) => ({ heads, tokens, sets: examples, data: rest }),
  };
}

/** @throws FinitewidthError (code "input") for maps that do not fit the tokens, naming the entry. */
export function attentionModel(network: AttentionNetwork): AttentionModel {
  const { tokens, features, layers } = network;
  const sources = layers.map(({ maps }, l) => layerSource(maps, l, tokens, features));
  const own = tokens * features;
  const inputSize = sources.reduce((sum, { taken }) => sum + taken, own);
  const common = sources.map((source) => source.common);
  return {
    network,
    heads: sources.map(({ heads }) => heads),
    readout: Float64Array.from(network.readout),
    inputSize,
    ...(common.every((maps) => maps !== undefined) ? { common: common as AttentionMaps[] } : {}),
    stochastic: sources.slice(1).every(({ stochastic }) => stochastic),
    parse: (inputs, path = "inputs") => {
      const [examples, columns] = inputs.shape;
      if (columns !== inputSize)
        throw shapeError(
          path,
          `rows of ${inputSize} numbers (${tokens} tokens × ${features} features${inputSize > own ? " and attention maps" : ""})`,
          `${columns}`,
        );
      const bad = inputs.data.findIndex((value) => !Number.isFinite(value));
      if (bad >= 0) throw inputError(`${path}[${Math.floor(bad / columns)}]`, "finite numbers", inputs.data[bad]);
      const block = (from: number, count: number): Float64Array => {
        if (from === 0 && count === columns) return inputs.data;
        const out = new Float64Array(examples * count);
        for (let mu = 0; mu < examples; mu++) out.set(inputs.data.subarray(mu * columns + from, mu * columns + from + count), mu * count);
        return out;
      };
      const sequences = { examples, tokens, features, data: block(0, own) };
      let from = own;
      const maps = sources.map((source) => {
        const rest = source.taken === 0 ? new Float64Array(0) : block(from, source.taken);
        from += source.taken;
        return source.at(sequences, rest);
      });
      return { sequences, maps };
    },
  };
}
