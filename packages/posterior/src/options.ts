import { strictObject, type StandardSchemaV1 } from "@finitewidth/core";

/** Options of a theory that has none. */
export type NoOptions = Readonly<Record<string, never>>;

/** Accepts an empty object; any key is rejected. */
export const noOptions: StandardSchemaV1<unknown, NoOptions> = strictObject({}) as StandardSchemaV1<unknown, NoOptions>;
