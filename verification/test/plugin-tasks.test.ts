import * as expectationPropagation from "@finitewidth/expectation-propagation";
import * as largeDeviations from "@finitewidth/large-deviations";
import * as likelihoods from "@finitewidth/likelihoods";
import * as monteCarlo from "@finitewidth/monte-carlo";
import * as perturbation from "@finitewidth/perturbation";
import * as posterior from "@finitewidth/posterior";
import { expect, it } from "vitest";
import { standardPlugins } from "../src/index.js";

const isTask = (value: unknown): value is { readonly name: string } =>
  typeof value === "object" && value !== null && "module" in value && "run" in value;

it("every task that a package exports is listed by its plug-in, under a name of its own", () => {
  const exported = [expectationPropagation, largeDeviations, likelihoods, monteCarlo, perturbation, posterior]
    .flatMap((module) => Object.values(module) as unknown[])
    .filter(isTask);
  const listed = standardPlugins.flatMap((plugin) => plugin.tasks ?? []);
  for (const task of exported) expect(listed).toContain(task);
  expect(exported.length).toBeGreaterThan(10);
  expect(new Set(listed.map(({ name }) => name)).size).toBe(listed.length);
});
