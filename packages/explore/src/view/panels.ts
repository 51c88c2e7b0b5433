import { html, nothing, type TemplateResult } from "lit";
import type { Answers } from "../compute/answers.js";
import type { Rows } from "../model/data.js";
import type { ExploreState } from "../model/state.js";
import type { ChartSpec } from "./chart.js";
import { orderParameterPicture, predictionPicture, sweepPicture, type KernelPair } from "./pictures.js";
import { remembered } from "./remembered.js";
import "./chart.js";
import "./controls.js";
import "./kernel-panel.js";
import "./network-drawing.js";
import "./phase-map.js";
import "./receptive-fields.js";
import "./theory-table.js";

/** What the drawn network tells. */
export interface NetworkChange {
  readonly kind: "width" | "add" | "remove" | "touch";
  readonly layer: number;
  readonly value: number;
}

/** What the panels show, and whom they tell. */
export interface Page {
  readonly state: ExploreState;
  readonly answers: Answers;
  readonly rows: Rows | undefined;
  /** Theories that the reader has switched off. */
  readonly hidden: ReadonlySet<string>;
  readonly kernels: KernelPair | undefined;
  readonly running: boolean;
  /** Pixels along a side of the digits. */
  readonly side: number;
  readonly onTheory: (event: CustomEvent<string>) => void;
  readonly pause: (paused: boolean) => void;
  readonly onChange: (change: Partial<ExploreState>) => void;
  readonly onNetwork: (event: CustomEvent<NetworkChange>) => void;
  readonly onVariances: (event: CustomEvent<{ weight: number; bias: number }>) => void;
  readonly onFile: (event: Event) => void;
}

const chart = (spec: ChartSpec | undefined, otherwise: string): TemplateResult =>
  spec ? html`<fw-chart .spec=${spec}></fw-chart>` : html`<p class="wait chart">${otherwise}</p>`;

const orderParameter = remembered(orderParameterPicture);
const drawnFunctions = remembered((priorFunctions: Answers["priorFunctions"], posteriorFunctions: Answers["posteriorFunctions"]) => ({
  priorFunctions,
  posteriorFunctions,
}));
const predictions = remembered(predictionPicture);
const errors = remembered(sweepPicture);

function runsOf({ sampled }: Answers): TemplateResult {
  const runs = Math.max(0, ...[...sampled.values()].map((one) => one.runs));
  return html`<small>Monte Carlo: ${runs} ${runs === 1 ? "run" : "runs"} a point</small>`;
}

/** All panels: the network and its hidden units in a column, the pictures beside it. */
export function panels(page: Page): TemplateResult {
  const { state, answers, rows, hidden } = page;
  const { solved, sweep, sampled } = answers;
  const drawn = drawnFunctions(answers.priorFunctions, answers.posteriorFunctions);
  const width = state.widths[state.layer - 1]!;
  return html`<main>
    <div class="column">
      <section class="panel build" aria-labelledby="t-network">
        <h2 id="t-network">Network <small>drag a layer up or down</small></h2>
        <fw-network
          .state=${state}
          .inputs=${rows?.train.inputs[0]?.length ?? 1}
          .outputs=${rows?.train.targets[0]?.length ?? 1}
          @network=${page.onNetwork}
        ></fw-network>
        <fw-controls
          .state=${state}
          @change-state=${(event: CustomEvent<Partial<ExploreState>>) => page.onChange(event.detail)}
        ></fw-controls>
        <label class="file"
          >own data or experiment: drop a CSV, npz or JSON anywhere, or
          <input type="file" accept=".csv,.npz,.json" aria-label="own data or experiment file" @change=${page.onFile}
        /></label>
      </section>
      <section class="panel units" aria-labelledby="t-fields">
        <h2 id="t-fields">
          Hidden units
          <small>sampled, step ${4 * answers.stretches}</small>
          <button class="small" aria-pressed=${page.running ? "false" : "true"} @click=${() => page.pause(page.running)}>
            ${page.running ? "pause" : "run"} sampling
          </button>
        </h2>
        <fw-fields .fields=${answers.receptiveFields} .side=${state.data.kind === "digits" ? page.side : 0}></fw-fields>
      </section>
    </div>
    <section class="panel" aria-labelledby="t-kernel">
      <h2 id="t-kernel">Kernel of layer ${state.layer} <small>infinite width → learned</small></h2>
      <fw-kernel .pair=${page.kernels}></fw-kernel>
    </section>
    <section class="panel" aria-labelledby="t-order">
      <h2 id="t-order">Order parameter <small>before and after the data</small></h2>
      ${chart(orderParameter(solved.get("exact"), solved.get("effective-action"), state.widths.length, hidden), "no theory of this network has one here")}
    </section>
    <section class="panel theories" aria-labelledby="t-theories">
      <h2 id="t-theories">Theories <small>and what a short run of the real network says of them</small></h2>
      <fw-theories .answers=${answers} .off=${hidden} @toggle-theory=${page.onTheory}></fw-theories>
    </section>
    <section class="panel" aria-labelledby="t-predictions">
      <h2 id="t-predictions">Predictions</h2>
      ${rows ? chart(predictions(solved, drawn, rows, hidden), "computing …") : nothing}
    </section>
    <section class="panel" aria-labelledby="t-sweep">
      <h2 id="t-sweep">
        ${rows?.test?.targets ? "Generalisation" : "Evidence"} against width ${rows?.test?.targets ? runsOf(answers) : nothing}
      </h2>
      ${rows ? chart(errors(sweep, sampled, state.layer, width, rows, hidden), "computing …") : nothing}
    </section>
    <section class="panel" aria-labelledby="t-phase">
      <h2 id="t-phase">Phase plane <small>drag the cursor</small></h2>
      <fw-phase
        .phase=${answers.phase}
        .weight=${state.weightVariance[0]!}
        .bias=${state.biasVariance[0]!}
        @variances=${page.onVariances}
      ></fw-phase>
    </section>
  </main>`;
}
