import { leftOfLine, logTicks } from "@finitewidth/plots";
import { html, LitElement, nothing, svg, type SVGTemplateResult, type TemplateResult } from "lit";
import { linearTicks, three } from "./format.js";

/** Something drawn over the axes of a chart. */
export interface Layer {
  readonly label: string;
  readonly colour: string;
  readonly x: ArrayLike<number>;
  readonly y: ArrayLike<number>;
  /** Half width of a band, or of error bars. */
  readonly spread?: ArrayLike<number>;
  readonly kind: "line" | "area" | "points" | "ticks";
  readonly faint?: boolean;
  readonly dashed?: boolean;
}

/** A whole chart. */
export interface ChartSpec {
  /** For those who do not see it. */
  readonly summary: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly layers: readonly Layer[];
  readonly logX?: boolean;
  readonly logY?: boolean;
  /** Vertical marks. */
  readonly marks?: readonly { readonly x: number; readonly label: string }[];
  readonly xDomain?: readonly [number, number];
  readonly yDomain?: readonly [number, number];
  /** No numbers along the axis. */
  readonly bare?: boolean;
  /** Whole numbers only along the axis. */
  readonly whole?: boolean;
}

/** Height over width, and the size before the place of a chart is known. */
const ratio = 0.78;
const usual = 420;
const margin = { left: 46, right: 12, top: 22, bottom: 40 };

/** Pixels for a number along the axis. */
const room = 30;
/** Pixels of a letter of a mark's label, at least. */
const letter = 6;

/** Pixels of a chart. */
interface Size {
  readonly width: number;
  readonly height: number;
}

interface Scale {
  (value: number): number;
  readonly ticks: readonly number[];
}

function scaleOf([low, high]: readonly [number, number], [from, to]: readonly [number, number], log: boolean): Scale {
  const at = (value: number): number => (log ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low));
  return Object.assign((value: number) => from + (to - from) * at(value), { ticks: log ? logTicks(low, high) : linearTicks(low, high) });
}

const isGood = (value: number | undefined, log: boolean): value is number =>
  value !== undefined && Number.isFinite(value) && (!log || value > 0);

function extent(values: readonly number[], log: boolean): readonly [number, number] {
  const good = values.filter((value) => isGood(value, log));
  if (good.length === 0) return log ? [0.1, 1] : [0, 1];
  const [low, high] = [Math.min(...good), Math.max(...good)];
  if (log) return low === high ? [low / 1.5, high * 1.5] : [low, high];
  const pad = (high - low) * 0.06 || 0.5 * Math.abs(high) || 1;
  return [low - pad, high + pad];
}

let charts = 0;

/** Curves, bands and points over two axes, as SVG that follows every change. */
export class Chart extends LitElement {
  static override properties = { spec: { attribute: false } };
  declare spec: ChartSpec | undefined;

  /** Letters have their size whatever the width of the screen: one unit is one pixel. */
  readonly #observer = new ResizeObserver(() => {
    const width = Math.round(this.clientWidth) || usual;
    const height = Math.round(this.clientHeight) || Math.round(ratio * width);
    if (width === this.#size.width && height === this.#size.height) return;
    this.#size = { width, height };
    this.requestUpdate();
  });
  #size: Size = { width: usual, height: Math.round(ratio * usual) };
  readonly #clip = `clip-${++charts}`;

  override connectedCallback(): void {
    super.connectedCallback();
    this.#observer.observe(this);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#observer.disconnect();
  }

  protected override createRenderRoot(): this {
    return this;
  }

  protected override render(): TemplateResult | typeof nothing {
    const { spec } = this;
    if (!spec) return nothing;
    const { width } = this.#size;
    const floor = this.#floor();
    const { logX = false, logY = false, layers, marks = [] } = spec;
    const xs = layers.flatMap((layer) => Array.from(layer.x));
    const ys = layers.flatMap((layer) =>
      Array.from(layer.y).flatMap((y, i) => (layer.spread ? [y - layer.spread[i]!, y + layer.spread[i]!] : [y])),
    );
    const xRange = spec.xDomain ?? (logX ? extent(xs, true) : xs.length > 0 ? [Math.min(...xs), Math.max(...xs)] : [0, 1]);
    const x = scaleOf(xRange[0] === xRange[1] ? [xRange[0] - 1, xRange[1] + 1] : xRange, [margin.left, width - margin.right], logX);
    const y = scaleOf(spec.yDomain ?? extent(ys, logY), [floor, margin.top], logY);
    const inside = { width: width - margin.left - margin.right, height: floor - margin.top };
    const left = leftOfLine(
      marks.map((mark) => ({ at: x(mark.x) - margin.left, needed: letter * mark.label.length })),
      inside.width,
    );
    return html`<svg class="chart" viewBox="0 0 ${width} ${this.#size.height}" role="img" aria-label=${spec.summary}>
      <defs>
        <clipPath id=${this.#clip}>
          <rect x=${margin.left} y=${margin.top} width=${inside.width} height=${inside.height} />
        </clipPath>
      </defs>
      ${this.#axes(spec, x, y)}
      <g clip-path="url(#${this.#clip})">${layers.map((layer) => draw(layer, x, y, logX, logY, floor))}</g>
      ${marks.map((mark, i) => this.#mark(mark.label, x(mark.x), i, left[i]!))}
    </svg>`;
  }

  /** Where the axis is; without numbers it needs less below. */
  #floor(): number {
    return this.#size.height - (this.spec?.bare ? margin.bottom / 2 : margin.bottom);
  }

  #axes(spec: ChartSpec, x: Scale, y: Scale): SVGTemplateResult {
    const { width, height } = this.#size;
    const bottom = this.#floor();
    return svg`
      ${y.ticks.map(
        (tick) => svg`<line class="grid" x1=${margin.left} x2=${width - margin.right} y1=${y(tick)} y2=${y(tick)}></line>
          <text class="tick" x=${margin.left - 6} y=${y(tick) + 4} text-anchor="end">${three(tick)}</text>`,
      )}
      ${
        spec.bare
          ? nothing
          : spaced(x, spec.whole ?? false).map(
              (tick) => svg`<line class="grid" x1=${x(tick)} x2=${x(tick)} y1=${bottom} y2=${bottom + 4}></line>
                <text class="tick" x=${x(tick)} y=${bottom + 16} text-anchor="middle">${three(tick)}</text>`,
            )
      }
      <rect class="frame" x=${margin.left} y=${margin.top} width=${width - margin.left - margin.right} height=${bottom - margin.top}></rect>
      <text class="label" x=${width - margin.right} y=${height - 5} text-anchor="end">${spec.xLabel}</text>
      <text class="label" x=${2} y=${12} text-anchor="start">${spec.yLabel}</text>`;
  }

  #mark(label: string, at: number, i: number, left: boolean): SVGTemplateResult {
    return svg`<line class="mark" x1=${at} x2=${at} y1=${margin.top} y2=${this.#floor()}></line>
      <text class="marked" x=${at + (left ? -5 : 5)} y=${margin.top + 13 + 14 * i} text-anchor=${left ? "end" : "start"}>${label}</text>`;
  }
}

/** Ticks whose numbers do not run into each other. */
function spaced(x: Scale, whole: boolean): number[] {
  const ticks = x.ticks.filter((tick) => !whole || Number.isInteger(tick));
  const gap = ticks.length > 1 ? (x(ticks.at(-1)!) - x(ticks[0]!)) / (ticks.length - 1) : room;
  const step = Math.ceil(room / gap);
  return ticks.filter((_, i) => i % step === 0);
}

function draw(layer: Layer, x: Scale, y: Scale, logX: boolean, logY: boolean, floor: number): SVGTemplateResult {
  const { colour, kind, spread, faint, dashed } = layer;
  const points = Array.from(layer.x, (at, i) => ({ x: at, y: layer.y[i]!, spread: spread?.[i] ?? 0 })).filter(
    (point) => isGood(point.x, logX) && isGood(point.y, logY),
  );
  const f = (value: number): string => value.toFixed(1);
  const path = (at: (point: (typeof points)[number]) => number, list = points): string =>
    list.map((point) => `${f(x(point.x))},${f(y(at(point)))}`).join("L");
  const least = logY ? Math.min(...points.map((point) => point.y)) / 1e3 : -Infinity;
  const low = (point: (typeof points)[number]): number => Math.max(least, point.y - point.spread);
  if (points.length === 0) return svg``;
  if (kind === "points" || kind === "ticks") {
    const bars = points.filter((point) => point.spread > 0);
    const bar = bars.map((point) => `M${f(x(point.x))},${f(y(low(point)))}V${f(y(point.y + point.spread))}`).join("");
    const tick = (point: (typeof points)[number]): string => `M${f(x(point.x) - 5)},${f(y(point.y))}h10`;
    return svg`<path class="bar" stroke=${colour} d=${bar}></path>
      ${
        kind === "ticks"
          ? svg`<path class="target" stroke=${colour} d=${points.map(tick).join("")}></path>`
          : points.map(
              (point) =>
                svg`<circle fill=${colour} cx=${f(x(point.x))} cy=${f(y(point.y))} r=${faint ? 2 : 3.4}><title>${layer.label}: ${three(point.y)}${point.spread > 0 ? ` ± ${three(point.spread)}` : ""}</title></circle>`,
            )
      }`;
  }
  return svg`
    ${spread ? svg`<path class="band" fill=${colour} d="M${path((point) => point.y + point.spread)}L${path(low, points.toReversed())}Z"></path>` : nothing}
    ${kind === "area" ? svg`<path class="band" fill=${colour} d="M${path((point) => point.y)}V${floor}H${f(x(points[0]!.x))}Z"></path>` : nothing}
    <path class=${faint ? "curve faint" : "curve"} stroke=${colour} stroke-dasharray=${dashed ? "5 4" : "none"} d="M${path((point) => point.y)}"><title>${layer.label}</title></path>`;
}

customElements.define("fw-chart", Chart);
