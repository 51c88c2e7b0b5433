import { describe, expect, it } from "vitest";
import { fileSchema } from "../src/index.js";
import { registryWith, told } from "./cases.js";

type Schema = { readonly [key: string]: unknown } & {
  readonly anyOf: readonly Schema[];
  readonly items: Schema;
  readonly properties: Record<string, Schema>;
  readonly required: readonly string[];
};
const registry = registryWith({
  name: "told",
  theories: [told("told") as never],
  sweepKeys: [{ name: "noise", summary: "standard deviation", apply: (draft) => draft }],
});
const run = fileSchema("run", registry) as Schema;
const names = (items: readonly { readonly name: string }[]): string[] => items.map(({ name }) => name);
/** The alternative whose field is fixed to a name. */
const of = ({ anyOf }: Schema, field: string, value: string): Schema => anyOf.find((one) => one.properties?.[field]?.["const"] === value)!;

describe("the JSON Schema of experiment files", () => {
  const { network, networks, methods, sweep, data, likelihood, referee } = run.properties;
  it("names the fields of the file and what must be there", () => {
    const keys = ["data", "network", "networks", "scaling", "likelihood", "methods", "sweep", "referee", "$schema", "plugins", "seed"];
    expect(Object.keys(run.properties)).toEqual(keys);
    expect(run).toMatchObject({
      title: "finitewidth experiment",
      required: ["data", "likelihood", "methods"],
      oneOf: [{ required: ["network"] }, { required: ["networks"] }],
      additionalProperties: false,
    });
    expect(fileSchema("prior", registry)).toMatchObject({
      title: "finitewidth prior question",
      required: ["inputs", "network", "methods"],
    });
    expect(fileSchema("phase", registry)).toMatchObject({
      title: "finitewidth phase diagram",
      required: ["activation", "weightVariance", "biasVariance"],
      properties: { activation: { anyOf: [{ enum: names(registry.activations) }, { type: "string" }] } },
    });
    expect(fileSchema("prior", registry)).not.toHaveProperty("oneOf");
  });

  it("knows the networks that are registered, with labels where there are several", () => {
    for (const { name, summary } of registry.priorModels) {
      const [one, labelled] = [of(network!, "type", name), of(networks!.items, "type", name)];
      expect(one).toMatchObject({ type: "object", description: summary, required: expect.arrayContaining(["type"]) as unknown });
      expect(one.properties).not.toHaveProperty("label");
      expect(labelled.properties).toEqual({ ...one.properties, label: { type: "string" } });
    }
    const { activation, widths } = of(network!, "type", "fully-connected").properties;
    expect(activation!.anyOf).toEqual([{ enum: names(registry.activations) }, { type: "string" }]);
    expect(widths).toMatchObject({ type: "array", items: { minimum: 1 } });
    expect(networks!["minItems"]).toBe(1);
  });

  it("knows methods with their options and labels, data sets, sweep keys, likelihoods and the referee", () => {
    const [applicable, list] = methods!.anyOf;
    expect(applicable).toEqual({ const: "applicable" });
    expect(list!["minItems"]).toBe(1);
    expect(list!.items.anyOf[0]).toEqual({ enum: names(registry.theories) });
    expect(of(list!.items, "method", "told")).toMatchObject({
      description: "told",
      required: ["method"],
      properties: { level: { type: "number" }, label: { type: "string" }, save: { type: "boolean" } },
      additionalProperties: false,
    });
    expect(of(data!, "dataset", "numbers")).toMatchObject({
      description: "rows that depend on the request",
      required: ["dataset", "train"],
      properties: { train: { type: "integer", minimum: 1 }, test: { minimum: 0 }, labels: { enum: ["sign", "one-hot"] } },
    });
    expect(data!.anyOf[1]).toMatchObject({ properties: { file: { type: "string" } }, required: ["file"] });
    expect(Object.keys(sweep!.properties)).toEqual(["widths", "depth", "temperature", "weightVariance", "biasVariance", "train", "noise"]);
    expect(sweep).toMatchObject({
      minProperties: 1,
      additionalProperties: { type: "array", minItems: 1 },
      properties: { noise: { type: "array", minItems: 1, description: "standard deviation" } },
    });
    expect(likelihood!.anyOf[0]).toMatchObject({ required: ["temperature"], properties: { temperature: { minimum: 0 } } });
    expect(referee!.anyOf).toMatchObject([
      { const: false },
      { properties: { draws: { minimum: 2 }, chains: { minimum: 8, multipleOf: 8 }, steps: { enum: ["extremes", "all"] } } },
    ]);
  });
});
