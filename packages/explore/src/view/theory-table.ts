import { html, nothing, type TemplateResult } from "lit";
import type { Answers } from "../compute/session.js";
import { quickMethods, slowMethods } from "../model/experiment.js";
import { colourOf, three, titleOf } from "./format.js";

const order: readonly string[] = [...quickMethods, ...slowMethods];

/** One row a theory: shown or not, its numbers, the verdict on it. Why a theory does not apply is told beside its name. */
export function theoryTable({ solved, verdicts, sampled }: Answers, hidden: Set<string>, changed: () => void): TemplateResult {
  const toggle = (method: string): void => {
    if (!hidden.delete(method)) hidden.add(method);
    changed();
  };
  const shown = (method: string): TemplateResult =>
    html`<label class="theory"
      ><input type="checkbox" .checked=${!hidden.has(method)} @change=${() => toggle(method)} /><i
        style="background:${colourOf(method)}"
      ></i
      >${titleOf(method)}</label
    >`;
  const known = order.filter((method) => solved.has(method));
  const applies = known.filter((method) => solved.get(method)!.status === "ok");
  const refused = known.filter((method) => !applies.includes(method));
  return html`<div class="scroll">
      <table>
        <thead>
          <tr>
            <th scope="col">theory</th>
            <th scope="col">error</th>
            <th scope="col">log Z</th>
            <th scope="col">verdict</th>
          </tr>
        </thead>
        <tbody>
          ${applies.map((method) => {
            const { error, logEvidence, milliseconds } = solved.get(method)!;
            const verdict = verdicts[method];
            return html`<tr>
              <th scope="row" title="${three(milliseconds)} ms">${shown(method)}</th>
              <td>${error ? three(error.total) : "–"}</td>
              <td>${logEvidence === undefined ? "–" : three(logEvidence)}</td>
              <td>
                ${verdict ? html`<span class="verdict ${verdict.status}" title=${verdict.how}>${verdict.status}</span>` : html`<span class="soft">…</span>`}
              </td>
            </tr>`;
          })}
          <tr>
            <th scope="row">${shown("monte-carlo")}</th>
            <td colspan="3" class="soft">${sampled.size > 0 ? "points and thin lines" : "sampled when nothing moves"}</td>
          </tr>
        </tbody>
      </table>
    </div>
    ${
      refused.length > 0
        ? html`<details>
            <summary>${refused.length} do not apply here</summary>
            ${refused.map((method) => html`<p class="note"><strong>${titleOf(method)}</strong>: ${solved.get(method)!.reason?.replace(/^\[[^\]]*\] /, "")}</p>`)}
          </details>`
        : nothing
    }`;
}
