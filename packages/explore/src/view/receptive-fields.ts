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
    const label = square
      ? `weights into ${units} units, one picture each, blue negative and red positive`
      : `weights of ${units} units (rows) into ${features} inputs`;
    return html`<fw-matrix
      class=${square ? "fields" : "fields one"}
      .values=${square ? mosaic(fields, this.side) : fields}
      .limits=${[-limit, limit] as const}
      centred
      label=${label}
    ></fw-matrix>`;
  }
}

const perRow = 8;

/** The rows of a matrix as square pictures side by side, NaN between them. */
function mosaic({ data, shape: [units, features] }: Matrix, side: number): Matrix {
  const columns = perRow * (side + 1) - 1;
  const rows = Math.ceil(units / perRow) * (side + 1) - 1;
  const out = new Float64Array(rows * columns).fill(Number.NaN);
  for (let u = 0; u < units; u++)
    for (let y = 0; y < side; y++) {
      const at = (Math.floor(u / perRow) * (side + 1) + y) * columns + (u % perRow) * (side + 1);
      out.set(data.subarray(u * features + y * side, u * features + (y + 1) * side), at);
    }
  return { data: out, shape: [rows, columns] };
}

customElements.define("fw-fields", ReceptiveFields);
