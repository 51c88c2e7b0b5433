import type { Matrix } from "@finitewidth/core";
import { html, LitElement, type TemplateResult } from "lit";
import { three, titleOf } from "./format.js";
import type { KernelPair } from "./pictures.js";
import { remembered } from "./remembered.js";
import "./matrix-map.js";

const unit = [0, 1] as const;
const isStill = (): boolean => matchMedia("(prefers-reduced-motion: reduce)").matches;

/** Range of two kernels together, their difference, and its norm over that of the first. */
function compared(before: Matrix, after: Matrix) {
  const [a, b] = [before.data, after.data];
  const values = new Float64Array(a.length);
  let [low, high, most, change, size] = [Infinity, -Infinity, 0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [a[i]!, b[i]!];
    const step = (values[i] = y - x);
    low = Math.min(low, x, y);
    high = Math.max(high, x, y);
    most = Math.max(most, Math.abs(step));
    change += step * step;
    size += x * x;
  }
  most ||= 1;
  return {
    limits: [low, high] as const,
    difference: { values: { data: values, shape: after.shape } as Matrix, limits: [-most, most] as const },
    shift: Math.sqrt(change / size),
  };
}

/** A kernel on its way from infinite width to learned, and the difference. */
export class KernelPanel extends LitElement {
  static override properties = { pair: { attribute: false }, mix: { state: true } };
  declare pair: KernelPair | undefined;
  declare mix: number;
  readonly #compare = remembered(compared);

  constructor() {
    super();
    this.mix = 1;
  }

  protected override createRenderRoot(): this {
    return this;
  }

  protected override render(): TemplateResult {
    const { pair } = this;
    const compared = pair && this.#compare(pair.before, pair.after);
    const learned = pair?.by;
    const caption =
      this.mix > 0.99 && learned ? `learned (${titleOf(learned)})` : this.mix < 0.01 || !learned ? "infinite width" : "in between";
    return html`<div class="kernels">
        <figure>
          <fw-matrix
            .values=${pair?.before}
            .other=${pair?.after}
            .mix=${this.mix}
            .limits=${compared?.limits ?? unit}
            label=${compared ? `Kernel over ${pair!.before.shape[0]} training points, from ${three(compared.limits[0])} to ${three(compared.limits[1])}` : "Kernel"}
          ></fw-matrix>
          <figcaption>${pair ? caption : "computing …"}</figcaption>
        </figure>
        <figure>
          <fw-matrix
            .values=${learned ? compared?.difference.values : undefined}
            .limits=${compared?.difference.limits ?? unit}
            centred
            label=${compared ? `Learned minus infinite width, at most ${three(compared.difference.limits[1])}` : "Difference"}
          ></fw-matrix>
          <figcaption>${learned ? `difference ≤ ${three(compared!.difference.limits[1])}` : "difference: not known"}</figcaption>
        </figure>
      </div>
      <div class="below">
        ${
          learned
            ? html`<label class="slider"
                ><span>∞ → learned</span
                ><input
                  type="range"
                  min="0"
                  max="100"
                  .value=${String(Math.round(100 * this.mix))}
                  aria-label="from infinite width to learned"
                  @input=${(event: Event) => (this.mix = Number((event.target as HTMLInputElement).value) / 100)}
                /><output>shift ${three(100 * compared!.shift)} %</output> <button class="small" @click=${this.#morph}>morph</button></label
              >`
            : pair &&
              html`<p class="note">
                No theory asked here knows the learned kernel of this network: it is that of infinite width. With activation identity it is
                exact.
              </p>`
        }
      </div>`;
  }

  readonly #morph = (): void => {
    if (isStill()) {
      this.mix = this.mix > 0.5 ? 0 : 1;
      return;
    }
    const started = performance.now();
    const frame = (now: number): void => {
      const t = Math.min(1, (now - started) / 1600);
      this.mix = t * t * (3 - 2 * t);
      if (t < 1) requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  };
}

customElements.define("fw-kernel", KernelPanel);
