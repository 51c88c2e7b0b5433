import { erf, identity, plugin as activations } from "@finitewidth/activations";
import {
  createRegistry,
  type Architecture,
  type BuiltLayer,
  type LayerPlugin,
  type LayerShape,
  type Matrix,
  type Network,
  type NetworkVariation,
  type Primitive,
  type PriorModel,
} from "@finitewidth/core";
import { stream } from "@finitewidth/random";
import { describe, expect, it } from "vitest";
import { layerChecks, priorModelChecks } from "../src/conformance/index.js";
import { averageMap, flatteningMaps, identityMap } from "../src/index.js";
import { normalMatrix } from "../../../tools/testing.ts";

const inputs: Matrix = normalMatrix(stream(2), 4, 2);
const random = (width: number | undefined, weightVariance: number, biasVariance: number): Primitive => ({
  kind: "random",
  ...(width === undefined ? {} : { width }),
  weightVariance,
  biasVariance,
  maps: [identityMap(1)],
});
/** Accepts objects of these keys; `change` is what becomes of them. */
const strict = (keys: readonly string[], change = (value: Record<string, unknown>): unknown => value) => ({
  "~standard": {
    version: 1,
    vendor: "tests",
    validate: (value: unknown) =>
      Object.keys(value as object).some((key) => !keys.includes(key))
        ? { issues: [{ message: "unknown key" }] }
        : { value: change(value as Record<string, unknown>) },
  },
});
const loose = { "~standard": { version: 1, vendor: "tests", validate: (value: unknown) => ({ value }) } };

interface Own extends Network {
  readonly widths: readonly number[];
  readonly weights: readonly number[];
  readonly biases: readonly number[];
}
const model = {
  name: "own",
  summary: "",
  schema: strict(["type", "widths", "weights", "biases"]),
  architecture: ({ widths, weights, biases }: Own): Architecture => ({
    input: { channels: 2, sites: 1 },
    layers: [...widths, undefined].flatMap((width, l): Primitive[] => [
      ...(l > 0 ? [{ kind: "pointwise", activation: erf } as const] : []),
      random(width, weights[l]!, biases[l]!),
    ]),
  }),
  vary: (network: Own, { width, weightVariance, biasVariance }: NetworkVariation): Own => ({
    ...network,
    widths: network.widths.map((value, l) => width?.(value, l) ?? value),
    weights: network.weights.map((value, l) => weightVariance?.(value, l) ?? value),
    biases: network.biases.map((value, l) => biasVariance?.(value, l) ?? value),
  }),
} as unknown as PriorModel;
const network = { type: "own", widths: [3, 2], weights: [1.3, 0.7, 1.1], biases: [0.1, 0, 0.3] };

describe("the conformance suite of prior models", () => {
  function complaints(change: object, own: object = network): string[] {
    const changed = { ...model, ...change } as PriorModel;
    const messages: string[] = [];
    const checks = priorModelChecks(
      changed,
      [{ network: own as typeof network, inputs }],
      createRegistry([activations, { name: "t", priorModels: [changed] }]),
      stream,
    );
    for (const check of checks.slice(0, 2)) {
      try {
        void check.run();
      } catch (error) {
        messages.push((error as Error).message);
      }
    }
    return messages;
  }
  const vary = (change: (varied: Own, variation: NetworkVariation) => object, before = (variation: NetworkVariation) => variation) => ({
    vary: (given: Own, variation: NetworkVariation) => {
      const varied = model.vary(given, before(variation), undefined as never) as Own;
      return { ...varied, ...change(varied, variation) };
    },
  });
  const last = (list: readonly number[], value: number): number[] => [...list.slice(0, -1), value];

  it("has nothing against one that is right, whose checks are named by their case", () => {
    expect(complaints({})).toEqual([]);
    const names = priorModelChecks(
      model,
      [
        { network, inputs },
        { network, inputs },
      ],
      createRegistry([activations]),
      stream,
    ).map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    expect(names[0]).toBe("case 0: the schema keeps the type and rejects unknown keys");
    expect(names.at(-1)).toMatch(/^case 1: /);
    expect(names.length).toBe(2 * 11);
  });
  it.each([
    [
      "another type",
      { schema: strict(["type", "widths", "weights", "biases"], (value) => ({ ...value, type: "other" })) },
      'type "other" of the resolved network must be what was written, "own"',
    ],
    ["a schema that lets unknown keys pass", { schema: loose }, "an unknown key must be rejected"],
    ["a width that stays", vary(() => ({ widths: network.widths })), "vary: width of layer 0 was not changed as asked"],
    ["the last width that stays", vary(({ widths }) => ({ widths: last(widths, 2) })), "vary: width of layer 1 was not changed as asked"],
    [
      "weights that stay",
      vary(({ weights }) => ({ weights: last(weights, 1.1) })),
      "vary: weightVariance of layer 2 was not changed as asked",
    ],
    [
      "biases that stay",
      vary(({ biases }) => ({ biases: [0.1, ...biases.slice(1)] })),
      "vary: biasVariance of layer 0 was not changed as asked",
    ],
    [
      "a layer lost",
      vary(({ widths, weights, biases }) => ({ widths: widths.slice(1), weights: weights.slice(1), biases: biases.slice(1) })),
      "vary must keep the 3 layers of weights, got 2",
    ],
    [
      "widths asked for in another order",
      {
        vary: (given: Own, { width, ...variation }: NetworkVariation): Own => {
          const widths = given.widths.toReversed().map((value, k) => width?.(value, 1 - k) ?? value);
          return { ...(model.vary(given, variation, undefined as never) as Own), widths: widths.toReversed() };
        },
      },
      "vary must ask for the widths of layers 0,1 in this order, asked for 1,0",
    ],
    [
      "what changes without being asked",
      vary(({ widths }, { width }) => ({ widths: width ? widths : [3, 9] })),
      "vary without changes must keep the widths",
    ],
  ] as const)("complains about %s", (_, change, message) => {
    const found = complaints(change);
    expect(found[0]).toContain(message);
    // a network of another type has no layers to vary
    expect(found).toHaveLength(message.startsWith("type") ? 2 : 1);
  });
});

describe("the conformance suite of layers", () => {
  const below: Partial<LayerShape> = { grid: [3], width: 4 };
  const shape: LayerShape = { width: 4, grid: [3], flattened: false, gaussian: true, input: false };
  const dense = (width: number, sites = 3): Primitive => ({ ...random(width, 1.2, 0.1), maps: [identityMap(sites)] }) as Primitive;
  const phi: Primitive = { kind: "pointwise", activation: erf };
  function complaints(
    built: BuiltLayer,
    more: Partial<LayerPlugin> = {},
    given: { layer: string } = { layer: "own" },
    text = '"own"',
  ): string[] {
    const plugin = {
      name: "own",
      summary: "",
      schema: strict(["layer"]),
      build: () => built,
      vary: (entry: unknown) => entry,
      ...more,
    } as unknown as LayerPlugin;
    const registry = createRegistry([activations, { name: "t", layers: [plugin] }]);
    const cases = [{ layer: given, below, network: { type: "any", text: JSON.parse(text) as string }, inputs }];
    const messages: string[] = [];
    for (const check of layerChecks(plugin, cases, registry, stream).filter(({ name }) => !name.includes("vary"))) {
      if (!/schema|shape above|pure|has this/.test(check.name) || check.name.includes("realised") || check.name.includes("parameters"))
        continue;
      try {
        void check.run();
      } catch (error) {
        messages.push((error as Error).message);
      }
    }
    return messages;
  }
  const of = (primitives: Primitive[], above: Partial<LayerShape> = {}): BuiltLayer => ({ primitives, above: { ...shape, ...above } });
  it("has nothing against layers whose shape is what their primitives make", () => {
    expect(complaints(of([dense(5)], { width: 5 }))).toEqual([]);
    expect(complaints(of([phi], { gaussian: false }))).toEqual([]);
    expect(complaints(of([{ kind: "pointwise", activation: identity }]))).toEqual([]);
    expect(
      complaints(
        of(
          [
            { kind: "site-map", map: averageMap(3) },
            { kind: "normalise", epsilon: 0.1 },
          ],
          { grid: [1] },
        ),
      ),
    ).toEqual([]);
    expect(complaints(of([{ kind: "merge", branches: [[], [phi, dense(4)]], coefficients: [1, 2] }]))).toEqual([]);
    expect(
      complaints(of([{ kind: "random", weightVariance: 1, biasVariance: 0, maps: flatteningMaps(3) }], { grid: [], width: 1 })),
    ).toEqual([]);
  });
  const merge = (branches: Primitive[][], coefficients = branches.map(() => 1)): Primitive => ({ kind: "merge", branches, coefficients });
  const scores = { heads: 2, keys: 3, scoreVariance: 1 };
  it.each([
    ["an input that it is not", of([dense(4)], { input: true }), "above.input must be true only while"],
    ["units that a norm cannot take", of([phi, { kind: "normalise", epsilon: 0 }]), "a normalisation acts on units that are Gaussian"],
    ["two activations", of([phi, phi]), "an activation acts on units that are Gaussian"],
    ["a map of other sites", of([{ kind: "site-map", map: averageMap(2) }]), "a site map reads 2 sites, but 3 are below it"],
    ["weights on other sites", of([dense(4, 2)]), "a map of a layer of weights reads 2 sites, but 3 are below it"],
    ["maps and scores", of([{ ...dense(4), scores } as Primitive]), "a layer of weights has maps or scores, one of them"],
    ["neither", of([{ ...dense(4), maps: [] } as Primitive]), "a layer of weights has maps or scores, one of them"],
    [
      "maps to different sites",
      of([{ ...dense(4), maps: [identityMap(3), averageMap(3)] } as Primitive]),
      "all maps of a layer of weights must have as many sites above",
    ],
    ["no variance", of([{ ...dense(4), weightVariance: 0 } as Primitive]), "variances and widths must be positive"],
    ["a negative bias", of([{ ...dense(4), biasVariance: -1 } as Primitive]), "variances and widths must be positive"],
    ["no units", of([dense(0)]), "variances and widths must be positive"],
    ["a coefficient too few", of([merge([[], []], [1])]), "a merge has one coefficient for each branch"],
    ["no branches", of([merge([])]), "a merge has one coefficient for each branch"],
    [
      "branches of different width",
      of([merge([[], [dense(5)]])]),
      "branches of a merge must be Gaussian units of the same width and sites",
    ],
    [
      "branches of different sites",
      of([merge([[], [{ kind: "site-map", map: averageMap(3) }]])]),
      "branches of a merge must be Gaussian units",
    ],
    ["an activated branch", of([merge([[], [phi]])]), "branches of a merge must be Gaussian units of the same width and sites"],
  ] as const)("complains about %s", (_, built, message) => {
    expect(complaints(built)).toEqual([expect.stringContaining(message)]);
  });
  it("complains about an entry or a network of another layer", () => {
    const right = of([dense(4)]);
    expect(complaints(right, {}, { layer: "own" }, '"another"')).toEqual(['the network of the case must have the layer "own"']);
    const alias = { name: "other", summary: "", schema: strict(["layer"]), build: () => right } as unknown as LayerPlugin;
    const registry = createRegistry([{ name: "t", layers: [alias] }]);
    const [first] = layerChecks(
      { ...alias, name: "own" },
      [{ layer: { layer: "other" }, below, network: { type: "any" }, inputs }],
      registry,
      stream,
    );
    expect(() => void first!.run()).toThrow('layer "other" of the entry must be the name of the plug-in, "own"');
  });
});
