import {
  buildLayers,
  randomLayers,
  resolveArchitecture,
  resolveNetworkInput,
  validate,
  varyLayers,
  type BuiltLayer,
  type LayerEntry,
  type LayerPlugin,
  type LayerShape,
  type Matrix,
  type Primitive,
  type RandomStream,
  type Registry,
} from "@finitewidth/core";
import { demand, type Check } from "@finitewidth/core/conformance";
import { architectureChecks } from "./architecture-checks.js";

/** An entry of the layer, what it stands on, and a network that has it, with inputs to try that on (at least 3 rows). */
export interface LayerCase {
  readonly layer: LayerEntry;
  /** Units below the layer. Defaults: 4 Gaussian units without sites. */
  readonly below?: Partial<LayerShape>;
  readonly network: { readonly type: string; readonly [key: string]: unknown };
  readonly inputs: Matrix;
  readonly outputs?: number;
}

const hidden: LayerShape = { width: 4, grid: [], flattened: false, gaussian: true, input: false };

/** What every layer must satisfy. `stream(seed)`: a source of randomness, such as `stream` of @finitewidth/random. */
export function layerChecks(
  plugin: LayerPlugin,
  cases: readonly LayerCase[],
  registry: Registry,
  stream: (seed: number) => RandomStream,
): Check[] {
  return cases.flatMap(({ layer, below, network, inputs, outputs = 2 }, i) => {
    const shape = { ...hidden, ...below };
    const build = (): BuiltLayer => buildLayers([layer], shape, "network.layers", registry);
    const own: Check[] = [
      {
        name: "the schema knows its own entry and rejects unknown keys",
        run() {
          demand(layer.layer === plugin.name, `layer "${layer.layer}" of the entry must be the name of the plug-in, "${plugin.name}"`);
          validate(plugin.schema, layer, "network.layers[0]");
          const unknown = plugin.schema["~standard"].validate({ ...layer, surelyUnknownKey: 1 });
          demand(!(unknown instanceof Promise) && unknown.issues !== undefined, "an unknown key must be rejected (use strictObject)");
        },
      },
      {
        name: "the shape above is what the primitives make of the shape below",
        run() {
          const { primitives, above } = build();
          const made = primitives.reduce(stepUp, { width: shape.width, sites: sitesOf(shape), gaussian: shape.gaussian });
          demand(above.width === made.width, `above.width: the primitives make ${made.width} units, got ${above.width}`);
          demand(sitesOf(above) === made.sites, `above.grid: the primitives make ${made.sites} sites, got [${above.grid.join(", ")}]`);
          demand(
            above.gaussian === made.gaussian,
            `above.gaussian: expected ${made.gaussian} (units above an activation are not Gaussian), got ${above.gaussian}`,
          );
          demand(
            above.input === (shape.input && randomLayers(primitives).length === 0),
            "above.input must be true only while no layer of weights stands above the data",
          );
        },
      },
      {
        name: "building is pure",
        run() {
          demand(
            JSON.stringify(build()) === JSON.stringify(build()),
            "build must return the same primitives each time: no hidden state and no randomness",
          );
        },
      },
      {
        name: "vary changes the numbers of every layer of weights and nothing else",
        run() {
          const before = randomLayers(build().primitives);
          const asked: number[] = [];
          const change = {
            width: (width: number, l: number): number => (asked.push(l), width),
            weightVariance: (variance: number, l: number): number => variance * (l + 2),
            biasVariance: (variance: number, l: number): number => variance + l + 1,
          };
          const after = randomLayers(buildLayers(varyLayers([layer], change, registry), shape, "network.layers", registry).primitives);
          demand(after.length === before.length, `vary must keep the ${before.length} layers of weights, got ${after.length}`);
          after.forEach((one, l) => {
            const was = before[l]!;
            demand(
              one.weightVariance === was.weightVariance * (l + 2),
              `vary: weightVariance of layer ${l} was not changed as asked; write a \`vary\` if your fields have other names`,
            );
            demand(
              one.biasVariance === was.biasVariance + l + 1,
              `vary: biasVariance of layer ${l} was not changed as asked; write a \`vary\` if your fields have other names`,
            );
          });
          demand(asked.length === before.length, `vary must ask for the widths of ${before.length} layers, asked for ${asked.length}`);
          // wherever the layer adds nothing to what is below, its width is free
          const wider = randomLayers(
            buildLayers(
              varyLayers([layer], { width: (width) => width + (shape.width === width ? 0 : 2) }, registry),
              shape,
              "network.layers",
              registry,
            ).primitives,
          );
          wider.forEach(({ width }, l) =>
            demand(
              width === before[l]!.width! + (before[l]!.width === shape.width ? 0 : 2),
              `vary: width of layer ${l} was not changed as asked`,
            ),
          );
        },
      },
      {
        name: "the network has this layer",
        run: () =>
          demand(JSON.stringify(network).includes(`"${plugin.name}"`), `the network of the case must have the layer "${plugin.name}"`),
      },
    ];
    const rest = architectureChecks(() => resolveArchitecture(registry, resolveNetworkInput(network, registry)), inputs, outputs, stream);
    return [...own, ...rest].map((check) => ({ ...check, name: `case ${i}: ${check.name}` }));
  });
}

const sitesOf = ({ grid }: LayerShape): number => grid.reduce((all, extent) => all * extent, 1);

interface Traced {
  readonly width: number;
  readonly sites: number;
  readonly gaussian: boolean;
}

function stepUp(below: Traced, primitive: Primitive): Traced {
  const requireSites = (inputSites: number, what: string): void =>
    demand(inputSites === below.sites, `${what} reads ${inputSites} sites, but ${below.sites} are below it`);
  switch (primitive.kind) {
    case "random": {
      const { maps, scores, width, weightVariance, biasVariance } = primitive;
      for (const map of maps) requireSites(map.inputSites, "a map of a layer of weights");
      demand(maps.length > 0 !== (scores !== undefined), "a layer of weights has maps or scores, one of them");
      demand(
        maps.every((map) => map.outputSites === maps[0]!.outputSites),
        "all maps of a layer of weights must have as many sites above",
      );
      demand(weightVariance > 0 && biasVariance >= 0 && (width === undefined || width >= 1), "variances and widths must be positive");
      return { width: width ?? 1, sites: maps[0]?.outputSites ?? below.sites, gaussian: true };
    }
    case "site-map":
      requireSites(primitive.map.inputSites, "a site map");
      return { ...below, sites: primitive.map.outputSites };
    case "pointwise":
      demand(below.gaussian, "an activation acts on units that are Gaussian at infinite width; reject others in build");
      return { ...below, gaussian: primitive.activation.linear ?? false };
    case "normalise":
      demand(below.gaussian, "a normalisation acts on units that are Gaussian at infinite width; reject others in build");
      return below;
    case "merge": {
      demand(
        primitive.branches.length === primitive.coefficients.length && primitive.branches.length > 0,
        "a merge has one coefficient for each branch",
      );
      const tops = primitive.branches.map((branch) => branch.reduce(stepUp, below));
      const [first] = tops;
      for (const top of tops)
        demand(
          top.gaussian && top.width === first!.width && top.sites === first!.sites,
          "branches of a merge must be Gaussian units of the same width and sites; reject others in build",
        );
      return first!;
    }
  }
}
