import { escapeHtml, figureBlock, heatmaps, htmlTable, lines, page, short } from "@finitewidth/plots";
import { failedFigures, figureCases, figuresHtml, figuresMarkdown } from "./figure-evidence.js";
import { infiniteWidth } from "./faults.js";
import { tailProbability } from "./judge.js";
import type { Evidence, SuiteEvidence } from "./suite.js";

const nameOf = (claim: Evidence): string => `${claim.theory} / ${claim.scenario} / ${claim.id}`;

/** Worst entry of a claim as text: claimed, sampled ± error, z or slope. */
function worstOf(claim: Evidence): { readonly claimed: string; readonly sampled: string; readonly score: string } {
  const { claimed, sampled, standardError } = claim.comparisons[0]!;
  const at = claim.verdict.worst;
  const { slope } = claim.verdict;
  return {
    claimed: short(claimed[at]!),
    sampled: `${short(sampled[at]!)} ± ${standardError[at]!.toExponential(1)}`,
    score: slope ? `slope ${slope.value.toFixed(2)} ± ${slope.standardError.toFixed(2)}` : `z ${claim.verdict.score.toFixed(2)}`,
  };
}

const errorText = (error: Evidence["error"]): string =>
  error === "exact"
    ? "exact"
    : "order" in error
      ? error.order === 0
        ? "O(1)"
        : `O(1/N${error.order === 1 ? "" : superscript(error.order)})`
      : `within ${short(100 * error.relative)} %`;
const superscript = (n: number): string => ({ 0.5: "^½", 2: "²", 3: "³" })[n] ?? `^${n}`;
/** What was caught and missed; a claim that no width changes says nothing about finite width. */
const powerText = (claim: Evidence): string => {
  const applying = claim.power.filter((check) => check.applicable);
  const ofWidth = applying.some(({ fault }) => fault === infiniteWidth.name);
  const checks = applying.map((check) => `${check.fault}: ${check.caught ? `caught (${short(check.score)})` : "missed"}`);
  return [...(ofWidth ? [] : ["independent of the width"]), ...checks].join("; ");
};

/** The smallest relative error that the claim would not survive. */
const caughtText = ({ relativeError }: Evidence): string => (relativeError === undefined ? "–" : `${short(100 * relativeError)} %`);

/** All report files by name. `document` draws the pictures. */
export function verificationReports(
  evidence: SuiteEvidence,
  document: Document,
): Record<"report.html" | "report.json" | "report.md" | "junit.xml", string> {
  return {
    "report.html": html(evidence, document),
    "report.json": `${JSON.stringify({ schemaVersion: 1, ...evidence }, undefined, 1)}\n`,
    "report.md": markdown(evidence),
    "junit.xml": junit(evidence),
  };
}

function summary({ suite, claims, failures, seconds }: SuiteEvidence): string {
  const passed = claims.filter((claim) => claim.passed).length;
  const comparisons = claims.reduce((sum, claim) => sum + claim.comparisons[0]!.claimed.length, 0);
  return `${suite} suite: ${passed} of ${claims.length} claims hold (${comparisons} numbers compared)${failures.length > 0 ? `, ${failures.length} scenarios could not be checked` : ""}, ${seconds.toFixed(0)} s.`;
}

/** Summary for a CI job page and for the documentation. */
function markdown(evidence: SuiteEvidence): string {
  const threshold = evidence.claims[0]?.threshold ?? 0;
  const rows = evidence.claims.map((claim) => {
    const { claimed, sampled, score } = worstOf(claim);
    return `| ${claim.passed ? "✓" : "✗"} | ${claim.theory} | ${claim.scenario} | ${claim.id} | ${errorText(claim.error)} | ${claimed} | ${sampled} | ${score} | ${caughtText(claim)} | ${powerText(claim)} |`;
  });
  return [
    `# Verification: ${evidence.passed ? "passed" : "FAILED"}`,
    "",
    summary(evidence),
    `Every number of a claim is compared with sampled networks; shown is its worst entry. A claim holds when |z| ≤ ${threshold.toFixed(2)} (1 % false alarms for the whole suite, Šidák; z is in units of the normal score with the tail of Student's t where errors come from 40 chunks), or when its residual falls with N at the stated order (where no slope can be resolved: when, beyond the noise, no entry at the largest width exceeds what the order leaves of the largest one at the smallest). The column catches is the smallest common relative error of its numbers with which it would be rejected; the column power shows which deliberately wrong versions of it the same rule and the same samples reject, and which they miss: infinite width must be rejected by every claim that depends on the width. In mean-field scaling a wrong width leaves the readout's prior and the noise as they are, so that infinite width is the lazy limit.`,
    "",
    "| | theory | scenario | claim | error | claimed | sampled | verdict | catches | power |",
    "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ...rows,
    ...evidence.failures.map(
      (failure) =>
        `| ✗ | ${failure.theory} | ${failure.scenario} | could not be checked: ${failure.reason.replaceAll("|", "\\|")} | | | | | | |`,
    ),
    "",
    ...figuresMarkdown(evidence.figures ?? []),
  ].join("\n");
}

const escapeXml = (text: string): string => escapeHtml(text).replaceAll("'", "&apos;");

function junit(evidence: SuiteEvidence): string {
  const cases = evidence.claims.map((claim) => {
    const body = claim.passed
      ? ""
      : `<failure message="${escapeXml(claim.verdict.agrees ? `no power: ${powerText(claim)}` : worstOf(claim).score)}">${escapeXml(JSON.stringify(worstOf(claim)))}</failure>`;
    return `  <testcase classname="${escapeXml(claim.theory)}" name="${escapeXml(`${claim.scenario} / ${claim.id}`)}">${body}</testcase>`;
  });
  const broken = evidence.failures.map(
    (failure) =>
      `  <testcase classname="${escapeXml(failure.theory)}" name="${escapeXml(failure.scenario)}"><error message="${escapeXml(failure.reason)}"/></testcase>`,
  );
  const figures = figureCases(evidence.figures ?? [], escapeXml);
  const failed = evidence.claims.filter((claim) => !claim.passed).length + failedFigures(evidence.figures ?? []);
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuite name="verification ${evidence.suite}" tests="${cases.length + broken.length + figures.length}" failures="${failed}" errors="${broken.length}" time="${evidence.seconds.toFixed(1)}">\n${[...cases, ...broken, ...figures].join("\n")}\n</testsuite>\n`;
}

function html(evidence: SuiteEvidence, document: Document): string {
  const cards = evidence.claims.map((claim) => {
    const { claimed, sampled, score } = worstOf(claim);
    return `<section class="claim" data-name="${escapeHtml(nameOf(claim).toLowerCase())}" data-passed="${claim.passed}"><h2><span class="${claim.passed ? "pass" : "fail"}">${claim.passed ? "✓" : "✗"}</span> ${escapeHtml(nameOf(claim))}</h2><p>${escapeHtml(claim.statement)} <em>Source: ${escapeHtml(claim.source)}. Error: ${escapeHtml(errorText(claim.error))}.</em></p>${htmlTable(["quantity", "entries", "claimed (worst entry)", "sampled", "verdict", "threshold", "catches"], [[claim.quantity, String(claim.comparisons[0]!.claimed.length), claimed, sampled, score, claim.threshold.toFixed(2), caughtText(claim)].map(escapeHtml)])}<p>Power: ${escapeHtml(powerText(claim))}.</p>${pictures(claim, document)}</section>`;
  });
  const failures = evidence.failures
    .map(
      (failure) =>
        `<div class="failed"><strong>${escapeHtml(`${failure.theory} / ${failure.scenario}`)}</strong> ${escapeHtml(failure.reason)}</div>`,
    )
    .join("");
  const controls = `<p><input id="filter" placeholder="filter by theory, scenario or claim" size="40"> <label><input type="checkbox" id="failed"> failed only</label></p>`;
  const script = `const f=document.getElementById("filter"),o=document.getElementById("failed");const u=()=>{for(const s of document.querySelectorAll(".claim"))s.hidden=!s.dataset.name.includes(f.value.toLowerCase())||(o.checked&&s.dataset.passed==="true")};f.oninput=u;o.onchange=u;`;
  return page(
    "Verification – finitewidth",
    `<h1>Verification: <span class="${evidence.passed ? "pass" : "fail"}">${evidence.passed ? "passed" : "failed"}</span></h1><p class="lead">${escapeHtml(summary(evidence))} Every claim is compared with sampled networks; the same samples are asked to reject deliberately wrong versions of it, and what they miss is shown.</p>${failures}${scoreHistogram(evidence, document)}${figuresHtml(evidence.figures ?? [])}${controls}${cards.join("")}`,
    script,
  );
}

/** z-scores of all exact claims beside the standard normal: too wide means wrong claims or errors, too narrow means errors overstated. */
function scoreHistogram(evidence: SuiteEvidence, document: Document): string {
  const scores = evidence.claims
    .filter((claim) => claim.error === "exact")
    .flatMap((claim) => {
      const { claimed, sampled, standardError } = claim.comparisons[0]!;
      return claimed.map((value, i) => (value - sampled[i]!) / standardError[i]!).filter((z) => Number.isFinite(z) && Math.abs(z) < 8);
    });
  if (scores.length < 10) return "";
  const sorted = scores.toSorted((a, b) => a - b);
  const x = Float64Array.from(sorted);
  const normal = { label: "standard normal", x, y: x.map((z) => 1 - tailProbability(z) / 2).map((p, i) => (x[i]! < 0 ? 1 - p : p)) };
  const empirical = { label: "z-scores of exact claims", x, y: x.map((_, i) => (i + 0.5) / x.length) };
  return figureBlock(
    lines({ kind: "lines", title: "z-scores", xLabel: "z", yLabel: "cumulative fraction", series: [empirical, normal] }, document),
    "Distribution of the z-scores of all exact claims against the standard normal.",
  );
}

function pictures(claim: Evidence, document: Document): string {
  const first = claim.comparisons[0]!;
  const [rows, columns] = claim.shape;
  if (claim.quantity.startsWith("hiddenKernel") && claim.shape.length === 2 && rows === columns && rows! > 1) {
    const matrix = (values: readonly number[]) => ({ data: Float64Array.from(values), shape: [rows!, columns!] as const });
    const z = matrix(first.claimed.map((value, i) => (value - first.sampled[i]!) / Math.max(first.standardError[i]!, 1e-300)));
    const panels = [
      { label: "claimed", values: matrix(first.claimed) },
      { label: "sampled", values: matrix(first.sampled) },
      { label: "z-score", values: z, diverging: true },
    ];
    return `<details><summary>kernels</summary>${figureBlock(heatmaps(panels, document), "Claimed and sampled kernel, and the difference in standard errors.")}</details>`;
  }
  if (claim.comparisons.length > 1) {
    const norm = (values: readonly number[]): number => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
    const x = Float64Array.from(claim.comparisons, ({ factor }) => factor);
    const residual = {
      label: "residual",
      x,
      y: Float64Array.from(claim.comparisons, ({ claimed, sampled }) => norm(claimed.map((value, i) => value - sampled[i]!))),
      points: true,
    };
    const noise = { label: "sampling error", x, y: Float64Array.from(claim.comparisons, ({ standardError }) => norm(standardError)) };
    return `<details><summary>residual against width</summary>${figureBlock(lines({ kind: "lines", title: "residual", xLabel: "width, in units of the smallest", yLabel: "norm of the residual", logX: true, logY: true, series: [residual, noise] }, document), "Residual of the theory and the sampling error, as all widths grow together.")}</details>`;
  }
  return "";
}
