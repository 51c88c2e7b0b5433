import type { Matrix } from "@finitewidth/core";
import { html, LitElement, nothing, type TemplateResult } from "lit";
import type { PhaseAnswer } from "../compute/messages.js";
import "./matrix-map.js";
import { three } from "./format.js";
import { remembered } from "./remembered.js";

const size = 200;
const aroundOne = [0, 2] as const;

/** χ⊥ with the weight variance to the right and the bias variance upwards. */
function upright({ weightVariance, biasVariance, chi }: PhaseAnswer): Matrix {
  const [columns, rows] = [weightVariance.length, biasVariance.length];
  const data = Float64Array.from({ length: rows * columns }, (_, k) => chi[(k % columns) * rows + rows - 1 - Math.floor(k / columns)]!);
  return { data, shape: [rows, columns] };
}

/** χ⊥ over the two variances, the critical line, and a cursor that sets both in all layers. */
export class PhaseMap extends LitElement {
  static override properties = { phase: { attribute: false }, weight: { type: Number }, bias: { type: Number } };
  declare phase: PhaseAnswer | undefined;
  declare weight: number;
  declare bias: number;
  readonly #map = remembered(upright);

  protected override createRenderRoot(): this {
    return this;
  }

  protected override render(): TemplateResult | typeof nothing {
    const { phase } = this;
    if (!phase) return html`<div class="phase"><p class="wait">computing the plane …</p></div>`;
    const { weightVariance, biasVariance, line } = phase;
    const [low, high] = [weightVariance[0]!, weightVariance.at(-1)!];
    const top = biasVariance.at(-1)!;
    const x = (value: number): number => ((Math.min(high, Math.max(low, value)) - low) / (high - low)) * size;
    const y = (value: number): number => size - (Math.min(top, value) / top) * size;
    const path = line
      .filter(([, bias]) => bias <= top)
      .map(([weight, bias]) => `${x(weight)},${y(bias)}`)
      .join("L");
    return html`<div class="phase">
      <span class="y-label">σ<sub>b</sub>² up to ${three(top)}</span>
      <div
        class="plane"
        tabindex="0"
        role="group"
        aria-label="Phase plane: arrow keys move the cursor; weight variance ${three(this.weight)}, bias variance ${three(this.bias)}"
        @pointerdown=${this.#point}
        @pointermove=${(event: PointerEvent) => event.buttons > 0 && this.#point(event)}
        @keydown=${this.#key}
      >
        <fw-matrix
          .values=${this.#map(phase)}
          .limits=${aroundOne}
          centred
          label="χ⊥: blue below one, ordered; red above one, chaotic"
        ></fw-matrix>
        <svg viewBox="0 0 ${size} ${size}" aria-hidden="true">
          <path class="critical" d=${path ? `M${path}` : ""}></path>
          <circle class="halo" cx=${x(this.weight)} cy=${y(this.bias)} r="8"></circle>
          <circle class="cursor" cx=${x(this.weight)} cy=${y(this.bias)} r="5"></circle>
        </svg>
      </div>
      <span class="x-label"><span>${three(low)}</span><span>σ<sub>w</sub>²</span><span>${three(high)}</span></span>
    </div>`;
  }

  #set(weight: number, bias: number): void {
    const { weightVariance, biasVariance } = this.phase!;
    const within = (value: number, list: readonly number[]): number => Math.min(list.at(-1)!, Math.max(list[0]!, value));
    const detail = { weight: Number(within(weight, weightVariance).toFixed(3)), bias: Number(within(bias, biasVariance).toFixed(3)) };
    this.dispatchEvent(new CustomEvent("variances", { detail, bubbles: true }));
  }

  readonly #point = (event: PointerEvent): void => {
    const plane = event.currentTarget as HTMLElement;
    const box = plane.getBoundingClientRect();
    plane.setPointerCapture(event.pointerId);
    const { weightVariance, biasVariance } = this.phase!;
    const across = (event.clientX - box.left) / box.width;
    const up = 1 - (event.clientY - box.top) / box.height;
    const [low, high] = [weightVariance[0]!, weightVariance.at(-1)!];
    this.#set(low + across * (high - low), up * biasVariance.at(-1)!);
  };

  readonly #key = (event: KeyboardEvent): void => {
    const step = { ArrowRight: [0.05, 0], ArrowLeft: [-0.05, 0], ArrowUp: [0, 0.02], ArrowDown: [0, -0.02] }[event.key];
    if (!step) return;
    event.preventDefault();
    this.#set(this.weight + step[0]!, this.bias + step[1]!);
  };
}

customElements.define("fw-phase", PhaseMap);
