import {
  hiddenWidths,
  randomLayers,
  resolveArchitecture,
  validate,
  type Matrix,
  type Network,
  type PriorModel,
  type RandomStream,
  type Registry,
} from "@finitewidth/core";
import { demand, type Check } from "@finitewidth/core/conformance";
import { architectureChecks } from "./architecture-checks.js";

/** A network of the model, as an experiment file writes it, with inputs to try it on (at least 3 rows). */
export interface PriorModelCase {
  readonly network: { readonly type: string; readonly [key: string]: unknown };
  readonly inputs: Matrix;
  readonly outputs?: number;
}

/** What every prior model must satisfy. `stream(seed)`: a source of randomness, such as `stream` of @finitewidth/random. */
export function priorModelChecks(
  model: PriorModel,
  cases: readonly PriorModelCase[],
  registry: Registry,
  stream: (seed: number) => RandomStream,
): Check[] {
  return cases.flatMap(({ network: raw, inputs, outputs = 2 }, i) => {
    const resolve = (): Network => validate(model.schema, raw, "network");
    const own: Check[] = [
      {
        name: "the schema keeps the type and rejects unknown keys",
        run() {
          const network = resolve();
          demand(network.type === raw.type, `type "${network.type}" of the resolved network must be what was written, "${raw.type}"`);
          const unknown = model.schema["~standard"].validate({ ...raw, surelyUnknownKey: 1 });
          demand(!(unknown instanceof Promise) && unknown.issues !== undefined, "an unknown key must be rejected (use strictObject)");
        },
      },
      {
        name: "vary changes the numbers of every layer and nothing else",
        run() {
          const network = resolve();
          const before = randomLayers(resolveArchitecture(registry, network).layers);
          // the same change everywhere: units that are added must stay as many
          const asked: number[] = [];
          const varied = model.vary(
            network,
            {
              width: (width, l) => {
                asked.push(l);
                return width + 2;
              },
              weightVariance: (variance, l) => variance * (l + 2),
              biasVariance: (variance, l) => variance + l + 1,
            },
            registry,
          );
          const after = randomLayers(resolveArchitecture(registry, varied).layers);
          demand(after.length === before.length, `vary must keep the ${before.length} layers of weights, got ${after.length}`);
          after.forEach((layer, l) => {
            const was = before[l]!;
            demand(
              layer.width === (was.width === undefined ? undefined : was.width + 2),
              `vary: width of layer ${l} was not changed as asked`,
            );
            demand(layer.weightVariance === was.weightVariance * (l + 2), `vary: weightVariance of layer ${l} was not changed as asked`);
            demand(layer.biasVariance === was.biasVariance + l + 1, `vary: biasVariance of layer ${l} was not changed as asked`);
          });
          const hidden = before.flatMap(({ width }, l) => (width === undefined ? [] : l));
          demand(
            asked.join() === hidden.join(),
            `vary must ask for the widths of layers ${hidden.join()} in this order, asked for ${asked.join()}`,
          );
          const same = resolveArchitecture(registry, model.vary(network, {}, registry));
          demand(
            hiddenWidths(same).join() === before.flatMap(({ width }) => width ?? []).join(),
            "vary without changes must keep the widths",
          );
        },
      },
    ];
    const rest = architectureChecks(() => resolveArchitecture(registry, resolve()), inputs, outputs, stream);
    return [...own, ...rest].map((check) => ({ ...check, name: `case ${i}: ${check.name}` }));
  });
}
