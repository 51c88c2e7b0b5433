import type { Verdict } from "@finitewidth/core";
import { expect, it } from "vitest";
import { beliefText, marked, overall, onPredictions } from "../src/verdict-text.js";
import { runCommand } from "./command.js";

const of = (status: Verdict["status"]): Verdict => ({ status, error: null, standardError: null, how: "so" });

it("one word for a method: its outputs decide, the worst of the rest where they were not checked", () => {
  expect(overall({ generalizationError: of("confirmed"), logEvidence: of("contradicted") })).toBe("confirmed");
  expect(overall({ predictive: of("doubtful"), generalizationError: of("contradicted") })).toBe("contradicted");
  expect(overall({ predictive: of("unchecked"), logEvidence: of("doubtful"), hiddenKernels: of("confirmed") })).toBe("doubtful");
  expect(overall({ orderParameter: of("unchecked") })).toBe("unchecked");
  expect(overall(undefined)).toBe("–");
  expect([marked("1.2", of("contradicted")), marked("1.2", of("unchecked")), marked("1.2", undefined)]).toEqual(["1.2 ✗", "1.2", "1.2"]);
});

it("hidden kernels that are worse than the outputs are said beside them", () => {
  expect(onPredictions({ predictive: of("confirmed"), hiddenKernels: of("contradicted") })).toBe("confirmed, hidden kernels contradicted");
  expect(onPredictions({ predictive: of("confirmed"), hiddenKernels: of("doubtful") })).toBe("confirmed, hidden kernels doubtful");
  expect(onPredictions({ predictive: of("doubtful"), hiddenKernels: of("contradicted") })).toBe("doubtful, hidden kernels contradicted");
  for (const kernels of ["confirmed", "unchecked"] as const)
    expect(onPredictions({ predictive: of("confirmed"), hiddenKernels: of(kernels) })).toBe("confirmed");
  expect(onPredictions({ predictive: of("contradicted"), hiddenKernels: of("contradicted") })).toBe("contradicted");
  expect(onPredictions({ hiddenKernels: of("contradicted") })).toBe("–, hidden kernels contradicted");
  // columns of their own have marks of their own
  expect(onPredictions({ predictive: of("unchecked"), logEvidence: of("contradicted") })).toBe("unchecked");
  expect(onPredictions(undefined)).toBe("–");
});

it("whom to believe in a sentence: who is confirmed, and the sampled numbers where nobody is", () => {
  const named = (method: string | null, value: number | null = null) => ({ method, value, standardError: value && 0.02, how: "so" });
  expect(beliefText({})).toBeUndefined();
  expect(beliefText(undefined)).toBeUndefined();
  expect(beliefText({ predictive: named("exact"), logEvidence: named("exact", -3) })).toBe("Believe exact for all that was checked.");
  expect(
    beliefText({ generalizationError: named(null, 0.25), predictive: named(null), logEvidence: named("a", 1), hiddenKernels: named("b") }),
  ).toBe(
    "Believe a for log evidence; b for hidden kernels. No method is confirmed for generalisation error and predictions: believe what was sampled from the network, generalisation error 0.250 ± 0.020, and for the rest a long run of monte-carlo.",
  );
  // three of everything: methods, quantities of one, quantities of none
  const three = { logEvidence: named("a", 1), predictive: named("b"), hiddenKernels: named("c") };
  expect(beliefText({ ...three, generalizationError: named("b", 2) })).toBe(
    "Believe a for log evidence; b for predictions and generalisation error; c for hidden kernels.",
  );
  const sampled = {
    generalizationError: named(null, 0.25),
    logEvidence: named(null, -3),
    predictive: named(null),
    hiddenKernels: named("c"),
  };
  expect(beliefText(sampled)).toBe(
    "Believe c for hidden kernels. No method is confirmed for generalisation error, log evidence and predictions: believe what was sampled from the network, generalisation error 0.250 ± 0.020 and log evidence -3.000 ± 0.020, and for the rest a long run of monte-carlo.",
  );
  // where the referee has no number of its own to believe
  expect(beliefText({ hiddenKernels: named(null) })).toBe("No method is confirmed for hidden kernels: believe a long run of monte-carlo.");
  expect(beliefText({ logEvidence: named(null, -3) })).toBe(
    "No method is confirmed for log evidence: believe what was sampled from the network, log evidence -3.000 ± 0.020.",
  );
});

it("verdicts are in the file, first in the table and in the report; --referee off leaves no trace of them", async () => {
  const rows = Array.from({ length: 12 }, (_, i) => [Math.sin(i), Math.cos(2 * i), Math.sin(3 * i)]);
  const experiment = {
    data: { train: { inputs: rows, targets: rows.map(([x]) => [x]) }, test: { inputs: rows, targets: rows.map(([x]) => [x]) } },
    network: { type: "fully-connected", widths: [3], activation: "identity" },
    likelihood: { temperature: 0.2 },
    methods: ["nngp", "exact"],
  };
  const { status, stdout, result, report } = await runCommand("run", experiment, ["--referee", "3"]);
  expect(status).toBe(0);
  expect(result.results.exact.verdict.generalizationError.status).not.toBe("contradicted");
  expect(result.results.nngp.verdict.logEvidence.how).toContain("real network");
  expect(result.referee).toMatchObject({ checked: true, chains: 32 });
  expect(result.referee.priorDistance.sentence).toContain("χ²");
  expect(result.experiment.referee.seconds).toBe(3);
  expect(stdout).toMatch(/^method\s+predictions\s+log evidence/m);
  expect(stdout).toContain("✓ confirmed, ? doubtful, ✗ contradicted");
  expect(report).toContain("how it is known");
  const { believe } = result.referee;
  expect(Object.keys(believe)).toEqual(["generalizationError", "predictive", "logEvidence", "hiddenKernels"]);
  for (const [quantity, { method }] of Object.entries<{ method: string | null }>(believe))
    expect(method === null ? "confirmed" : result.results[method].verdict[quantity].status).toBe("confirmed");
  expect(stdout).toMatch(/^the network itself\s+sampled\s+-?[\d.]+ ± [\d.]+\s+[\d.]+ ± [\d.]+/m);
  expect(stdout).toMatch(/^(Believe|No method is confirmed)/m);
  expect(report).toMatch(/class="headline">[^<]*(Believe|No method is confirmed)/);
  expect(report).toContain("the network itself");
  const off = await runCommand("run", experiment, ["--referee", "off"]);
  expect(off.result.referee).toBeUndefined();
  expect(off.result.results.exact.verdict).toBeUndefined();
  expect(off.stdout).not.toMatch(/verdict|the network itself|Believe/);
});
