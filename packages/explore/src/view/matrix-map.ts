import type { Matrix } from "@finitewidth/core";
import { diverging, sequential } from "@finitewidth/plots";
import { html, LitElement, type TemplateResult } from "lit";

/** A matrix as pixels; from one matrix to another in between. */
export class MatrixMap extends LitElement {
  static override properties = {
    values: { attribute: false },
    other: { attribute: false },
    mix: { type: Number },
    limits: { attribute: false },
    centred: { type: Boolean },
    label: { type: String },
  };
  declare values: Matrix | undefined;
  /** Shown as far as `mix` says: (1 − mix) values + mix · other. */
  declare other: Matrix | undefined;
  declare mix: number;
  declare limits: readonly [number, number];
  /** Blue for negative, red for positive. */
  declare centred: boolean;
  declare label: string;

  constructor() {
    super();
    this.mix = 0;
    this.limits = [0, 1];
    this.centred = false;
    this.label = "";
  }

  protected override createRenderRoot(): this {
    return this;
  }

  protected override render(): TemplateResult {
    return html`<canvas role="img" aria-label=${this.label}></canvas>`;
  }

  protected override updated(): void {
    const { values, other, mix, centred } = this;
    const canvas = this.querySelector("canvas")!;
    if (!values) return;
    const [rows, columns] = values.shape;
    if (canvas.width !== columns || canvas.height !== rows) Object.assign(canvas, { width: columns, height: rows });
    const context = canvas.getContext("2d")!;
    const image = context.createImageData(columns, rows);
    const [low, high] = this.limits;
    const table = tableOf(centred);
    const second = other && other.data.length === values.data.length ? other.data : values.data;
    for (let i = 0; i < values.data.length; i++) {
      const value = values.data[i]! * (1 - mix) + second[i]! * mix;
      const at = 3 * Math.round(255 * Math.min(1, Math.max(0, (value - low) / (high - low || 1))));
      image.data.set([table[at]!, table[at + 1]!, table[at + 2]!, 255], 4 * i);
    }
    context.putImageData(image, 0, 0);
  }
}

const tables = new Map<boolean, Uint8Array>();

/** 256 colours of a scale, mixed once. */
function tableOf(centred: boolean): Uint8Array {
  let table = tables.get(centred);
  if (!table) {
    table = new Uint8Array(768);
    for (let i = 0; i < 256; i++) table.set((centred ? diverging : sequential)(i / 255), 3 * i);
    tables.set(centred, table);
  }
  return table;
}

customElements.define("fw-matrix", MatrixMap);
