import { activationChecks } from "@finitewidth/core/conformance";
import { describe, it } from "vitest";
import { activation } from "../src/index.js";

describe(activation.name, () => {
  for (const check of activationChecks(activation)) it(check.name, check.run);
});
