import { expect, test } from "vitest";
import { createRegistry, fit, oneOf, strictObject, zeros, type Plugin, type Theory } from "../src/index.js";

test("predict hands on what is wanted, to the theory's own posterior", async () => {
  const wanted: boolean[] = [];
  const theory = {
    name: "probe",
    summary: "Tells what it is asked.",
    options: strictObject({}),
    refuses: () => undefined,
    fit: async (problem: unknown) => ({ theory: "probe", problem, options: {}, state: {}, warnings: [], diagnostics: {} }),
    predict: async (_posterior: unknown, inputs: { shape: readonly number[] }, want: { covariance: boolean }) => {
      wanted.push(want.covariance);
      return { mean: zeros(inputs.shape[0]!, 1), variance: zeros(inputs.shape[0]!, 1) };
    },
    *claims() {},
  } as unknown as Theory;
  const network = {
    name: "none",
    summary: "No layers.",
    schema: strictObject({ type: oneOf(["none"]) }),
    architecture: () => ({ layers: [] }),
  };
  const plugin = { name: "probe", theories: [theory], priorModels: [network] } as unknown as Plugin;
  const fitted = await fit(
    theory,
    { network: { type: "none" }, inputs: [[1]], targets: [[1]], temperature: 1 },
    { registry: createRegistry([plugin]) },
  );
  await fitted.predict([[1]]);
  await fitted.predict([[1]], { covariance: true });
  expect(wanted).toEqual([false, true]);
});
