import type { Matrix } from "@finitewidth/core";
import { diverging, sequential } from "@finitewidth/plots";
import { html, LitElement, type TemplateResult } from "lit";

/** A matrix as pixels, nothing where it is NaN; from one matrix to another in between. */
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
  #image: ImageData | undefined;

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
    if (!values) {
      canvas.getContext("2d")!.clearRect(0, 0, canvas.width, canvas.height);
      return;
    }
    const [rows, columns] = values.shape;
    if (canvas.width !== columns || canvas.height !== rows) Object.assign(canvas, { width: columns, height: rows });
    const context = canvas.getContext("2d")!;
    if (this.#image?.width !== columns || this.#image.height !== rows) this.#image = context.createImageData(columns, rows);
    const pixels = new Uint32Array(this.#image.data.buffer);
    const [low, high] = this.limits;
    const scale = 255 / (high - low || 1);
    const table = tableOf(centred);
    const first = values.data;
    const second = other && other.data.length === first.length ? other.data : first;
    for (let i = 0; i < first.length; i++) {
      const at = (first[i]! * (1 - mix) + second[i]! * mix - low) * scale + 0.5;
      pixels[i] = Number.isNaN(at) ? 0 : table[at < 0 ? 0 : at > 255 ? 255 : at | 0]!;
    }
    context.putImageData(this.#image, 0, 0);
  }
}

const tables = new Map<boolean, Uint32Array>();

/** 256 opaque colours of a scale as words of an image, mixed once. */
function tableOf(centred: boolean): Uint32Array {
  let table = tables.get(centred);
  if (!table) {
    table = new Uint32Array(256);
    const bytes = new Uint8Array(table.buffer);
    for (let i = 0; i < 256; i++) bytes.set([...(centred ? diverging : sequential)(i / 255), 255], 4 * i);
    tables.set(centred, table);
  }
  return table;
}

customElements.define("fw-matrix", MatrixMap);
