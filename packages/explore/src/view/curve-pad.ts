import { html, LitElement, svg, type TemplateResult } from "lit";

type Point = readonly [number, number];
const [width, height] = [340, 170];
/** The pad shows x and y from −2 to 2. */
const reach = 2;
const x = (value: number): number => ((value + reach) / (2 * reach)) * width;
const y = (value: number): number => ((reach - value) / (2 * reach)) * height;

/** Points of a curve: drawn by hand with pointer or finger, or written. */
export class CurvePad extends LitElement {
  static override properties = { points: { attribute: false } };
  declare points: readonly Point[];
  #drawn: Point[] | undefined;

  protected override createRenderRoot(): this {
    return this;
  }

  protected override render(): TemplateResult {
    const points = this.#drawn ?? this.points;
    return html`<svg
        class="pad"
        viewBox="0 0 ${width} ${height}"
        role="img"
        aria-label="${points.length} points of a curve; draw another with the pointer, or write points below"
        @pointerdown=${this.#begin}
        @pointermove=${this.#move}
        @pointerup=${this.#end}
      >
        <line class="grid" x1="0" x2=${width} y1=${height / 2} y2=${height / 2}></line>
        <line class="grid" x1=${width / 2} x2=${width / 2} y1="0" y2=${height}></line>
        ${points.map(([a, b]) => svg`<circle class="datum" cx=${x(a)} cy=${y(b)} r="4"></circle>`)}
        <text class="under" x="8" y="18">draw here</text>
      </svg>
      <label class="wide"
        >points x,y <input type="text" .value=${this.points.map((point) => point.join(",")).join("  ")} @change=${this.#written}
      /></label>`;
  }

  #at(event: PointerEvent): Point {
    const box = (event.currentTarget as Element).getBoundingClientRect();
    const a = ((event.clientX - box.left) / box.width) * 2 * reach - reach;
    const b = reach - ((event.clientY - box.top) / box.height) * 2 * reach;
    return [Number(a.toFixed(2)), Number(b.toFixed(2))];
  }

  readonly #begin = (event: PointerEvent): void => {
    (event.currentTarget as Element).setPointerCapture(event.pointerId);
    this.#drawn = [this.#at(event)];
    this.requestUpdate();
  };

  readonly #move = (event: PointerEvent): void => {
    if (!this.#drawn) return;
    const point = this.#at(event);
    // a point every fifth of a unit: what a curve needs, and no more
    if (this.#drawn.every(([a]) => Math.abs(a - point[0]) >= 0.19) && this.#drawn.length < 40) this.#drawn.push(point);
    this.requestUpdate();
  };

  readonly #end = (): void => {
    if (!this.#drawn) return;
    // one click adds a point, a stroke draws the curve anew
    const points = this.#drawn.length === 1 ? [...this.points, this.#drawn[0]!] : this.#drawn;
    this.#drawn = undefined;
    this.#tell(points);
  };

  readonly #written = (event: Event): void => {
    const text = (event.target as HTMLInputElement).value;
    const points = text
      .trim()
      .split(/\s+/)
      .map((pair) => pair.split(",").map(Number) as unknown as Point);
    if (points.every((point) => point.length === 2 && point.every(Number.isFinite))) this.#tell(points);
    else
      this.dispatchEvent(
        new CustomEvent("mistake", { detail: `points: expected pairs like 0.5,1 with spaces between them, got ${text}`, bubbles: true }),
      );
  };

  #tell(points: readonly Point[]): void {
    this.dispatchEvent(new CustomEvent("curve", { detail: points, bubbles: true }));
  }
}

customElements.define("fw-curve", CurvePad);
