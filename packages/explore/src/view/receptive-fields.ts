import type { Matrix } from "@finitewidth/core";
import { html, LitElement, nothing, type TemplateResult } from "lit";
import "./matrix-map.js";

/** What each hidden unit of the first layer looks at: its weights as a picture, or as a row. */
export class ReceptiveFields extends LitElement {
  static override properties = { fields: { attribute: false }, side: { type: Number } };
  declare fields: Matrix | undefined;
  /** Side of the images that the inputs are; 0 where they are none. */
  declare side: number;

  protected override createRenderRoot(): this {
    return this;
  }

  protected override render(): TemplateResult | typeof nothing {
    const { fields } = this;
    if (!fields) return html`<p class="wait">the chain is warming up …</p>`;
    const [units, features] = fields.shape;
    const square = this.side > 0 && this.side ** 2 === features;
    const limit = fields.data.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-9);
    const pictures: Matrix[] = square
      ? Array.from({ length: units }, (_, u) => ({
          data: fields.data.slice(u * features, (u + 1) * features),
          shape: [this.side, this.side],
        }))
      : [fields];
    return html`<div class=${square ? "fields" : "fields one"}>
      ${pictures.map((values, u) => html`<fw-matrix .values=${values} .limits=${[-limit, limit]} centred label=${square ? `weights into unit ${u + 1}` : `weights of ${units} units (rows) into ${features} inputs`}></fw-matrix>`)}
    </div>`;
  }
}

customElements.define("fw-fields", ReceptiveFields);
