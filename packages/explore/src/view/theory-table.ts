import { html, LitElement, nothing, type TemplateResult } from "lit";
import type { Answers } from "../compute/answers.js";
import type { Solved } from "../compute/messages.js";
import { quickMethods, sampler, slowMethods } from "../model/experiment.js";
import { colourOf, three, titleOf } from "./format.js";

const order: readonly string[] = [...quickMethods, ...slowMethods];

/** One row a theory: shown or not, its numbers, the verdict on it. Why it does not apply, and how a verdict is known, opens below. */
export class TheoryTable extends LitElement {
  static override properties = { answers: { attribute: false }, off: { attribute: false }, opened: { state: true } };
  declare answers: Answers;
  /** Theories that the reader has switched off. */
  declare off: ReadonlySet<string>;
  /** Method whose row is open. */
  declare opened: string | undefined;

  protected override createRenderRoot(): this {
    return this;
  }

  protected override render(): TemplateResult {
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
          ${order.map((method) => this.#row(method, this.answers.solved.get(method)))}
          <tr>
            <th scope="row">${this.#shown(sampler)}</th>
            <td colspan="3" class="soft">${this.answers.sampled.size > 0 ? "points, thin lines" : "when nothing moves"}</td>
          </tr>
        </tbody>
      </table>
    </div>`;
  }

  #row(method: string, solved: Solved | undefined): TemplateResult {
    const verdict = this.answers.verdicts[method];
    const failed = solved !== undefined && solved.status !== "ok";
    const wait = html`<span class="soft">…</span>`;
    const told = failed ? solved.reason?.replace(/^\[[^\]]*\] /, "") : verdict?.how;
    const old = solved && !this.answers.current.has(method);
    return html`<tr class=${old ? "old" : ""}>
        <th scope="row">${this.#shown(method)}</th>
        ${
          failed
            ? html`<td colspan="3">${this.#opener(method, solved.status === "failed" ? "does not apply" : "not asked", "unchecked")}</td>`
            : html`<td>${solved?.error ? three(solved.error.total) : "–"}</td>
                <td>${solved?.logEvidence === undefined ? "–" : three(solved.logEvidence)}</td>
                <td>${verdict ? this.#opener(method, verdict.status, verdict.status) : wait}</td>`
        }
      </tr>
      ${
        this.opened === method && told
          ? html`<tr>
              <td colspan="4" class="told" id="told-${method}">${told}</td>
            </tr>`
          : nothing
      }`;
  }

  /** A word that opens what is behind it: with the pointer, a finger or a key. */
  #opener(method: string, word: string, status: string): TemplateResult {
    const isOpen = this.opened === method;
    return html`<button
      class="verdict ${status}"
      aria-expanded=${isOpen ? "true" : "false"}
      aria-controls=${isOpen ? `told-${method}` : nothing}
      @click=${() => (this.opened = isOpen ? undefined : method)}
    >
      ${word}
    </button>`;
  }

  #shown(method: string): TemplateResult {
    const toggle = (): boolean => this.dispatchEvent(new CustomEvent("toggle-theory", { detail: method, bubbles: true }));
    return html`<label class="theory"
      ><input type="checkbox" .checked=${!this.off.has(method)} @change=${toggle} /><i style="background:${colourOf(method)}"></i
      >${titleOf(method)}</label
    >`;
  }
}

customElements.define("fw-theories", TheoryTable);
