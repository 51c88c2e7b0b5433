import { html, LitElement, nothing, type TemplateResult } from "lit";
import { activations, limits, type DataChoice, type ExploreState } from "../model/state.js";
import { lessons } from "../model/lessons.js";
import { three } from "./format.js";
import "./curve-pad.js";

const pairs = ["0 1", "3 8", "4 9", "1 7", "0 1 2"];
const curve = lessons.find(({ name }) => name === "criticality")!.state.data;
const starts: Readonly<Record<string, DataChoice>> = {
  digits: { kind: "digits", classes: [0, 1], train: 60 },
  curve,
  teacher: { kind: "teacher", dimension: 10, train: 40, noise: 0.1 },
};

/** A value on a logarithmic or linear slider. */
interface Slider {
  readonly label: string;
  readonly symbol: TemplateResult;
  readonly value: number;
  readonly range: readonly [number, number];
  readonly log?: boolean;
  readonly whole?: boolean;
  readonly set: (value: number) => void;
}

/** Data, activation, variances and noise. */
export class Controls extends LitElement {
  static override properties = { state: { attribute: false } };
  declare state: ExploreState;

  protected override createRenderRoot(): this {
    return this;
  }

  #tell(change: Partial<ExploreState>): void {
    this.dispatchEvent(new CustomEvent("change-state", { detail: change, bubbles: true }));
  }

  protected override render(): TemplateResult {
    const { state } = this;
    const all = (key: "weightVariance" | "biasVariance", value: number): void => this.#tell({ [key]: state[key].map(() => value) });
    return html` <div class="row">
        <label
          >activation
          <select aria-label="activation" @change=${(event: Event) => this.#tell({ activation: valueOf(event) })}>
            ${activations.map((name) => html`<option ?selected=${name === state.activation}>${name}</option>`)}
          </select></label
        >
        <label
          >data
          <select aria-label="data" @change=${(event: Event) => this.#data(starts[valueOf(event)]!)}>
            ${Object.keys(starts).map((kind) => html`<option ?selected=${kind === state.data.kind}>${kind}</option>`)}
            ${state.data.kind === "own" ? html`<option selected>own</option>` : nothing}
          </select></label
        >
        ${this.#dataSettings()}
      </div>
      ${slider({ label: "weight variance σ_w²", symbol: html`weights σ<sub>w</sub>²`, value: state.weightVariance[0]!, range: limits.weightVariance, set: (value) => all("weightVariance", value) })}
      ${slider({ label: "bias variance σ_b²", symbol: html`biases σ<sub>b</sub>²`, value: state.biasVariance[0]!, range: limits.biasVariance, set: (value) => all("biasVariance", value) })}
      ${slider({ label: "noise T", symbol: html`noise T`, value: state.temperature, range: limits.temperature, log: true, set: (temperature) => this.#tell({ temperature }) })}
      ${state.data.kind === "curve" ? html`<fw-curve .points=${state.data.points} @curve=${(event: CustomEvent<readonly (readonly [number, number])[]>) => this.#data({ kind: "curve", points: event.detail })}></fw-curve>` : nothing}`;
  }

  #data(data: DataChoice): void {
    const { state } = this;
    // a curve through one input needs biases to be one
    const lift = data.kind === "curve" && state.biasVariance.every((value) => value === 0);
    this.#tell({ data, ...(lift ? { biasVariance: state.biasVariance.map(() => 0.3) } : {}) });
  }

  #dataSettings(): TemplateResult | typeof nothing {
    const { data } = this.state;
    if (data.kind === "digits")
      return html`<label
          >classes
          <select aria-label="classes" @change=${(event: Event) => this.#data({ ...data, classes: valueOf(event).split(" ").map(Number) })}>
            ${[...new Set([data.classes.join(" "), ...pairs])].map((pair) => html`<option ?selected=${pair === data.classes.join(" ")}>${pair}</option>`)}
          </select></label
        >
        ${points(data.train, [2, 60 * data.classes.length], (train) => this.#data({ ...data, train }))}`;
    if (data.kind === "teacher")
      return html`${points(data.train, limits.train, (train) => this.#data({ ...data, train }))}
        <label
          >inputs
          <input
            type="number"
            min="2"
            max="50"
            .value=${String(data.dimension)}
            @change=${(event: Event) => this.#data({ ...data, dimension: clamp(Number(valueOf(event)), limits.dimension) })}
        /></label>`;
    return nothing;
  }
}

const valueOf = (event: Event): string => (event.target as HTMLInputElement).value;
const clamp = (value: number, [low, high]: readonly [number, number]): number => Math.round(Math.min(high, Math.max(low, value || low)));

const points = (value: number, range: readonly [number, number], set: (value: number) => void): TemplateResult =>
  html`<label
    >points
    <input
      type="number"
      min=${range[0]}
      max=${range[1]}
      .value=${String(value)}
      @change=${(event: Event) => set(clamp(Number(valueOf(event)), range))}
  /></label>`;

function slider({ label, symbol, value, range: [low, high], log, set }: Slider): TemplateResult {
  const at = log ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low);
  const from = (t: number): number => Number((log ? low * (high / low) ** t : low + t * (high - low)).toPrecision(3));
  return html`<label class="slider"
    ><span>${symbol}</span>
    <input
      type="range"
      min="0"
      max="1000"
      .value=${String(Math.round(1000 * at))}
      aria-label=${label}
      aria-valuetext=${three(value)}
      @input=${(event: Event) => set(from(Number(valueOf(event)) / 1000))}
    /><output>${three(value)}</output></label
  >`;
}

customElements.define("fw-controls", Controls);
