import { strictObject, type StandardSchemaV1 } from "@finitewidth/core";

/** The theory has no options. */
export type LargeDeviationOptions = Readonly<Record<string, never>>;

export const largeDeviationOptions = strictObject({}) as StandardSchemaV1<unknown, LargeDeviationOptions>;
