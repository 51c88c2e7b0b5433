import { toJsonSchema } from "@valibot/to-json-schema";
import type { Registry, StandardSchemaV1 } from "@finitewidth/core";
import { dataSchemas, datasetSchema, experimentSchema, phaseSchema, priorSchema, refereeSchema } from "./schema.js";
import { builtinSweepKeys } from "./sweep-keys.js";

/** A JSON Schema, draft 7. */
export type JsonSchema = { readonly [key: string]: unknown };

/** Kinds of files. */
export const fileKinds = ["run", "prior", "phase"] as const;
export type FileKind = (typeof fileKinds)[number];

/**
 * What a validator accepts, as far as JSON Schema can say it: anything for validators of other libraries, and where a schema looks at its
 * input before it decides (`lazy`).
 */
function schemaOf(validator: StandardSchemaV1 | object): JsonSchema {
  if (!("kind" in validator)) return {};
  const { $schema: _draft, ...schema } = toJsonSchema(validator as never, {
    errorMode: "ignore",
    typeMode: "input",
    target: "draft-07",
    overrideSchema: ({ valibotSchema }) => (valibotSchema.type === "lazy" ? {} : undefined),
  }) as JsonSchema;
  return schema;
}

const described = (schema: JsonSchema, description: string): JsonSchema => ({ ...schema, description });
const properties = (schema: JsonSchema): Record<string, JsonSchema> => (schema.properties ?? {}) as Record<string, JsonSchema>;

/** An object schema with entries put in front, one of them fixed. */
function tagged(schema: JsonSchema, tag: string, name: string, more: Record<string, JsonSchema> = {}): JsonSchema {
  return {
    ...schema,
    type: "object",
    properties: Object.assign({ [tag]: {} }, more, properties(schema), { [tag]: { const: name } }),
    required: [...new Set([tag, ...((schema.required as string[] | undefined) ?? [])])],
  };
}

/**
 * JSON Schema of a kind of file, for editors: generated from the validators of everything that is registered, so that networks, options of
 * methods, data sets, likelihoods and sweep keys of plug-ins are in it.
 */
export function fileSchema(kind: FileKind, registry: Registry): JsonSchema {
  const names = (items: readonly { readonly name: string }[]): string[] => items.map((item) => item.name);
  const activation = { anyOf: [{ enum: names(registry.activations) }, { type: "string" }] };
  const networks = registry.priorModels.map((model) => {
    const own = tagged(schemaOf(model.schema), "type", model.name);
    const entries = properties(own);
    return described({ ...own, properties: { ...entries, ...(entries.activation ? { activation } : {}) } }, model.summary);
  });
  const network = { type: "object", required: ["type"], anyOf: networks };
  const labelled = {
    type: "object",
    required: ["type"],
    anyOf: networks.map((one) => ({ ...one, properties: { label: { type: "string" }, ...properties(one) } })),
  };
  const entry = {
    label: { type: "string", description: "key of the results" },
    save: { type: "boolean", description: "write draws to draws.npz" },
  };
  const method = {
    anyOf: [
      { enum: names(registry.theories) },
      ...registry.theories.map((theory) => described(tagged(schemaOf(theory.options), "method", theory.name, entry), theory.summary)),
    ],
  };
  const methods = { anyOf: [{ const: "applicable" }, { type: "array", items: method, minItems: 1 }] };
  const data = {
    anyOf: [
      ...dataSchemas.map(schemaOf),
      ...registry.datasets.map((dataset) =>
        described(tagged(schemaOf(dataset.schema ?? datasetSchema), "dataset", dataset.name), dataset.summary),
      ),
    ],
  };
  const list = { type: "array", minItems: 1 };
  const keys = [...builtinSweepKeys, ...registry.sweepKeys];
  const sweep = {
    type: "object",
    minProperties: 1,
    properties: Object.fromEntries(keys.map((key) => [key.name, described(list, key.summary)])),
    additionalProperties: list,
  };
  const likelihood = {
    anyOf: [
      {
        type: "object",
        properties: { temperature: { type: "number", minimum: 0 } },
        required: ["temperature"],
        additionalProperties: false,
      },
      ...registry.likelihoods.map((one) => described(tagged(schemaOf(one.schema), "type", one.name), one.summary)),
    ],
  };
  const own = { network, methods, data };
  const special: Readonly<Record<FileKind, Record<string, JsonSchema>>> = {
    run: {
      ...own,
      networks: { type: "array", items: labelled, minItems: 1 },
      sweep,
      likelihood,
      referee: { anyOf: [{ const: false }, schemaOf(refereeSchema)] },
    },
    prior: own,
    phase: { activation },
  };
  const file = { run: experimentSchema, prior: priorSchema, phase: phaseSchema }[kind];
  const required = Object.entries(file.entries as Record<string, { readonly type: string }>).flatMap(([key, one]) =>
    one.type === "optional" ? [] : [key],
  );
  const entries = Object.entries(file.entries).map(([key, one]) => [key, special[kind][key] ?? schemaOf(one)] as const);
  return {
    $schema: "http://json-schema.org/draft-07/schema#",
    title: { run: "finitewidth experiment", prior: "finitewidth prior question", phase: "finitewidth phase diagram" }[kind],
    type: "object",
    properties: Object.fromEntries(entries),
    required,
    ...(kind === "run" ? { oneOf: [{ required: ["network"] }, { required: ["networks"] }] } : {}),
    additionalProperties: false,
  };
}
