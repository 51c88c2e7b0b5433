import { html, LitElement, svg, type SVGTemplateResult, type TemplateResult } from "lit";
import { limits, type ExploreState } from "../model/state.js";

const [width, height] = [360, 210];
const most = 9;

/** Units that are drawn for a width: a few, more where there are more. */
const drawn = (units: number): number => Math.min(most, Math.max(1, Math.round(1 + 2.9 * Math.log10(units))));

/** The network. Layers are dragged up and down to widen them, and are sliders for the keyboard. */
export class NetworkDrawing extends LitElement {
  static override properties = { state: { attribute: false }, inputs: { type: Number }, outputs: { type: Number } };
  declare state: ExploreState;
  declare inputs: number;
  declare outputs: number;
  #drag: { readonly layer: number; readonly y: number; readonly width: number } | undefined;

  protected override createRenderRoot(): this {
    return this;
  }

  #change(kind: "width" | "add" | "remove" | "touch", layer: number, value = 0): void {
    this.dispatchEvent(new CustomEvent("network", { detail: { kind, layer, value }, bubbles: true }));
  }

  protected override render(): TemplateResult {
    const { widths, layer: touched } = this.state;
    const columns = [this.inputs, ...widths, this.outputs];
    const x = (i: number): number => 26 + ((width - 52) * i) / (columns.length - 1);
    const ys = columns.map((units) => {
      const count = drawn(units);
      return Array.from({ length: count }, (_, k) => 92 + (k - (count - 1) / 2) * 15);
    });
    return html`<svg
        class="network"
        viewBox="0 0 ${width} ${height}"
        @pointermove=${this.#move}
        @pointerup=${this.#end}
        @pointercancel=${this.#end}
      >
        <path
          class="wire"
          d=${ys
            .slice(1)
            .map((to, i) => ys[i]!.map((y1) => to.map((y2) => `M${x(i)} ${y1}L${x(i + 1)} ${y2}`).join("")).join(""))
            .join("")}
        ></path>
        ${columns.map((units, i) => this.#column(units, i, x(i), ys[i]!, touched, columns.length))}
      </svg>
      <div class="row layer-tools">
        <button @click=${() => this.#change("add", touched)} ?disabled=${widths.length >= limits.depth[1]}>+ layer</button>
        <button @click=${() => this.#change("remove", touched)} ?disabled=${widths.length <= 1}>− layer ${touched}</button>
        <label class="width-of"
          >width of layer ${touched}
          <input
            type="range"
            min="0"
            max="1000"
            .value=${String(toSlider(widths[touched - 1]!))}
            aria-valuetext=${String(widths[touched - 1])}
            @input=${(event: Event) => this.#change("width", touched, fromSlider(Number((event.target as HTMLInputElement).value)))}
          />
          <input
            type="number"
            min=${limits.width[0]}
            max=${limits.width[1]}
            .value=${String(widths[touched - 1])}
            aria-label="width of layer ${touched} as a number"
            @change=${(event: Event) => this.#change("width", touched, Number((event.target as HTMLInputElement).value) || 1)}
          />
        </label>
      </div>`;
  }

  #column(units: number, i: number, x: number, ys: readonly number[], touched: number, columns: number): SVGTemplateResult {
    const hidden = i > 0 && i < columns - 1;
    const dots = ys.map((y) => svg`<circle class="unit" cx=${x} cy=${y} r="5"></circle>`);
    const text = (label: string): SVGTemplateResult => svg`<text class="count" x=${x} y=${182} text-anchor="middle">${units}</text>
      <text class="under" x=${x} y=${198} text-anchor="middle">${label}</text>`;
    if (!hidden) return svg`<g class="column">${dots}${text(i === 0 ? "inputs" : units === 1 ? "output" : "outputs")}</g>`;
    return svg`<g class=${i === touched ? "column layer touched" : "column layer"} role="slider" tabindex="0" aria-label="width of layer ${i}"
      aria-valuemin=${limits.width[0]} aria-valuemax=${limits.width[1]} aria-valuenow=${units} aria-orientation="vertical"
      @pointerdown=${(event: PointerEvent) => this.#begin(event, i, units)} @keydown=${(event: KeyboardEvent) => this.#key(event, i, units)}
      @focus=${() => this.#change("touch", i)}>
      <rect class="grip" x=${x - 19} y="6" width="38" height="196" rx="8"></rect>${dots}${text(`layer ${i}`)}</g>`;
  }

  #begin(event: PointerEvent, layer: number, units: number): void {
    this.#drag = { layer, y: event.clientY, width: units };
    (event.currentTarget as Element).setPointerCapture(event.pointerId);
    this.#change("touch", layer);
  }

  readonly #move = (event: PointerEvent): void => {
    if (!this.#drag) return;
    const { layer, y, width: units } = this.#drag;
    this.#change("width", layer, units * Math.exp((y - event.clientY) / 45));
  };

  readonly #end = (): void => void (this.#drag = undefined);

  #key(event: KeyboardEvent, layer: number, units: number): void {
    const next: Readonly<Record<string, number>> = {
      ArrowUp: units + Math.max(1, Math.round(units * 0.1)),
      ArrowDown: units - Math.max(1, Math.round(units * 0.1)),
      PageUp: units * 2,
      PageDown: units / 2,
      Home: limits.width[0],
      End: limits.width[1],
    };
    const value = next[event.key];
    if (value === undefined) return;
    event.preventDefault();
    this.#change("width", layer, value);
  }
}

const span = Math.log(limits.width[1] / limits.width[0]);
const toSlider = (value: number): number => Math.round((1000 * Math.log(value / limits.width[0])) / span);
const fromSlider = (value: number): number => limits.width[0] * Math.exp((value / 1000) * span);

customElements.define("fw-network", NetworkDrawing);
