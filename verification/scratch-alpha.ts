import { createRegistry, inlineRun } from "@finitewidth/core";
import { runVerification, standardPlugins, family, fullyConnected } from "./src/index.ts";
const registry = createRegistry([...standardPlugins]);
const chains = { kind: "chains" as const, chains: 4, draws: 800, warmup: 300 };
const fam = (name: string, act: string, widths: number[], P: number, seed: number, options: any = {}, outputs = 1) => family({ name, theories: [{ name: "effective-action", options }], network: fullyConnected(act, widths, [1.3, 1.4, 1.2].slice(0, widths.length + 1)), points: P, features: 8, outputs, temperature: 0.1, sampling: chains, suite: "full", seed });
const families = [
  
  fam("erf α=4", "erf", [6], 24, 53), fam("erf α=0.5", "erf", [32], 16, 54), fam("relu α=4", "relu", [6], 24, 55), fam("relu α=0.5", "relu", [32], 16, 56),
  fam("erf2 α=2", "erf", [12, 12], 24, 57), fam("relu2 α=2", "relu", [12, 12], 24, 58), fam("erf corrected 1", "erf", [16], 16, 61, { correction: "cumulant", draws: 40000 }), fam("erf corrected α=0.5", "erf", [32], 16, 54, { correction: "cumulant", draws: 40000 }),
];
const out = await runVerification({ suite: "full", families } as any, inlineRun({ registry }));
for (const e of (out as any).claims) { const c = e.comparisons[0]; const s = Array.from(c.sampled as any, Number); const cl = Array.from(c.claimed as any, Number); const est = (c.sampled.value ?? s); const v = Array.from(est as any, Number); const sc = Math.max(...v.map(Math.abs)); const dev = Math.max(...cl.map((x, i) => Math.abs(x - v[i]!))) / sc; console.log(e.passed ? "ok  " : "FAIL", e.scenario, e.id, JSON.stringify(e.error), "dev", dev.toFixed(3), "agrees", e.verdict.agrees, "power", e.powerful); }
console.log((out as any).failures);
