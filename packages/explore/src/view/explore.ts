import { html, LitElement, nothing, type TemplateResult } from "lit";
import { Session } from "../compute/session.js";
import { decodeDigits, type Digits } from "../model/digits.js";
import { experimentOf } from "../model/experiment.js";
import { stateFromExperiment } from "../model/from-experiment.js";
import { lessons } from "../model/lessons.js";
import { decodeState, encodeState } from "../model/link.js";
import { addLayer, initialState, removeLayer, withWidth, type ExploreState } from "../model/state.js";
import { csvOf, download, svgOf } from "./exports.js";
import { History } from "./history.js";
import { panels, type NetworkChange } from "./panels.js";
import { kernelPair, type KernelPair } from "./pictures.js";
import { terminalHelp } from "./terminal-help.js";

const message = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** The whole page. */
export class Explore extends LitElement {
  static override properties = { state: { attribute: false } };
  declare state: ExploreState;
  #digits: Digits | undefined;
  #mistake = "";
  #notice = "";
  #terminal = false;
  #dropping = false;
  #hidden: ReadonlySet<string> = new Set();
  #kernels: KernelPair | undefined;
  readonly #history = new History<ExploreState>();
  readonly session = new Session(
    () => this.requestUpdate(),
    () => this.#digits,
  );

  constructor() {
    super();
    this.state = initialState;
  }

  protected override createRenderRoot(): this {
    return this;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.replaceChildren();
    addEventListener("hashchange", this.#readLink);
    addEventListener("keydown", this.#shortcut);
    void this.#open();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    removeEventListener("hashchange", this.#readLink);
    removeEventListener("keydown", this.#shortcut);
  }

  async #open(): Promise<void> {
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) this.session.running = false;
    const read = async (file: string): Promise<Response | undefined> => {
      const response = await fetch(file);
      return response.ok ? response : undefined;
    };
    const [digits, experiment] = await Promise.all([
      read("./digits.bin"),
      new URLSearchParams(location.search).has("experiment") ? read("./experiment.json") : undefined,
    ]);
    if (digits) this.#digits = decodeDigits(new Uint8Array(await digits.arrayBuffer()));
    let mistake = "";
    try {
      if (/[#&]s=/.test(location.hash)) this.state = decodeState(location.hash);
      else if (experiment) this.state = stateFromExperiment(await experiment.json());
      else this.state = this.#lessonNamed() ?? initialState;
    } catch (error) {
      mistake = message(error);
    }
    this.#show(this.state);
    this.#mistake ||= mistake;
  }

  #lessonNamed(): ExploreState | undefined {
    const name = /[#&]lesson=([\w-]+)/.exec(location.hash)?.[1];
    const lesson = lessons.find((one) => one.name === name);
    return lesson && { ...lesson.state, lesson: lesson.name };
  }

  readonly #readLink = (): void => {
    if (location.hash === this.#written) return;
    void this.#attempt(() => this.#change(this.#lessonNamed() ?? decodeState(location.hash)));
  };

  #written = "";

  async #attempt(action: () => void | Promise<void>): Promise<void> {
    try {
      this.#mistake = "";
      await action();
    } catch (error) {
      this.#mistake = message(error);
    }
    this.requestUpdate();
  }

  /** Another state, to which undo leads back. */
  #change(state: ExploreState): void {
    this.#history.record(this.state, state);
    this.#show(state);
  }

  #show(state: ExploreState): void {
    const before = this.state;
    this.state = state;
    void this.#attempt(() => {
      try {
        this.session.show(state);
      } catch (error) {
        this.state = before;
        throw error;
      }
      clearTimeout(this.#writing);
      this.#writing = setTimeout(() => this.#writeLink(), 250);
    });
  }
  #writing: ReturnType<typeof setTimeout> | undefined;

  #writeLink(): void {
    const encoded = encodeState(this.state);
    this.#written = encoded === undefined ? "" : `#${encoded}`;
    history.replaceState(undefined, "", this.#written || location.pathname + location.search);
  }

  readonly #shortcut = (event: KeyboardEvent): void => {
    if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "z" || event.target instanceof HTMLInputElement) return;
    event.preventDefault();
    this.#step(event.shiftKey ? "redo" : "undo");
  };

  #step(way: "undo" | "redo"): void {
    const state = this.#history[way](this.state);
    if (state) this.#show(state);
  }

  /** Once a frame, however many answers have come since the last. */
  protected override async scheduleUpdate(): Promise<void> {
    await new Promise(requestAnimationFrame);
    super.scheduleUpdate();
  }

  protected override willUpdate(): void {
    const { answers, isSettled } = this.session;
    const kernels = kernelPair(answers.solved, this.state.layer);
    // While theories answer one after the other the kernel stays that of the same theory.
    if (isSettled || !this.#kernels || kernels?.by === this.#kernels.by) this.#kernels = kernels;
  }

  protected override render(): TemplateResult {
    const { state } = this;
    const { answers } = this.session;
    const rows = this.#rows();
    const lesson = lessons.find(({ name }) => name === state.lesson);
    return html` <div
      class="page ${this.#dropping ? "dropping" : ""}"
      @dragover=${this.#dragOver}
      @dragleave=${this.#dragLeave}
      @drop=${this.#drop}
      @mistake=${(event: CustomEvent<string>) => void this.#attempt(() => Promise.reject(new Error(event.detail)))}
    >
      <header>
        <h1><a href="../index.html">finitewidth</a> explore</h1>
        <nav aria-label="Lessons">
          ${lessons.map((one, i) => html`<a href="#lesson=${one.name}" aria-current=${one.name === state.lesson ? "true" : "false"}><span>${i + 1}</span> ${one.title}</a>`)}
        </nav>
        <div class="row actions">${this.#actions()}</div>
      </header>
      ${lesson ? html`<p class="lesson"><strong>${lesson.title}.</strong> ${lesson.text}</p>` : nothing}
      <p class=${this.#mistake ? "mistake" : "quiet"} role="alert">${this.#mistake}</p>
      <p class="quiet notice" role="status">${this.#notice}</p>
      ${this.#terminal ? terminalHelp : nothing}
      ${panels({
        state,
        answers,
        rows,
        hidden: this.#hidden,
        running: this.session.running,
        side: this.#digits?.side ?? 0,
        kernels: this.#kernels,
        onTheory: this.#switch,
        pause: (paused) => this.session.pause(paused),
        onChange: (change) => this.#change({ ...state, ...change }),
        onNetwork: this.#network,
        onVariances: this.#variances,
        onFile: this.#chosen,
      })}
      <footer>
        Everything is computed in this page. Digits: MNIST at 10 × 10 pixels. <a href="../guide/explore.html">How to read the pictures</a>
      </footer>
    </div>`;
  }

  #rows() {
    try {
      return this.session.rows(this.state);
    } catch {
      return undefined;
    }
  }

  #actions(): TemplateResult {
    return html` <button @click=${() => this.#step("undo")} ?disabled=${!this.#history.canUndo}>undo</button>
      <button @click=${() => this.#step("redo")} ?disabled=${!this.#history.canRedo}>redo</button>
      <button @click=${this.#share}>share link</button>
      <button
        @click=${() => this.#save("experiment.json", () => `${JSON.stringify(experimentOf(this.state, this.session.rows(this.state)), undefined, 1)}\n`, "application/json")}
      >
        experiment file
      </button>
      <button @click=${() => this.#save("explore.svg", () => svgOf(this), "image/svg+xml")}>SVG</button>
      <button @click=${() => this.#save("explore.csv", () => csvOf(this.session.answers), "text/csv")}>CSV</button>
      <button
        aria-expanded=${this.#terminal ? "true" : "false"}
        @click=${() => {
          this.#terminal = !this.#terminal;
          this.requestUpdate();
        }}
      >
        run this in a terminal
      </button>`;
  }

  #save(name: string, content: () => string, type: string): void {
    void this.#attempt(() => download(name, content(), type));
  }

  readonly #share = (): void => {
    void this.#attempt(async () => {
      const encoded = encodeState(this.state);
      if (encoded === undefined) throw new Error("these data are too long for a link; save the experiment file instead");
      this.#writeLink();
      await navigator.clipboard?.writeText(location.href).catch(() => undefined);
      this.#notice = "The link in the address bar holds all of this, and is on the clipboard where the browser allows it.";
    });
  };

  readonly #switch = ({ detail }: CustomEvent<string>): void => {
    const hidden = new Set(this.#hidden);
    if (!hidden.delete(detail)) hidden.add(detail);
    this.#hidden = hidden;
    this.requestUpdate();
  };

  readonly #network = ({ detail: { kind, layer, value } }: CustomEvent<NetworkChange>): void => {
    const { state } = this;
    if (kind === "touch") {
      if (layer !== state.layer) this.#show({ ...state, layer });
    } else if (kind === "add") this.#change(addLayer(state, layer));
    else if (kind === "remove") this.#change(removeLayer(state, layer));
    else {
      const next = withWidth(state, layer, value);
      if (next.widths[layer - 1] !== state.widths[layer - 1]) this.#change(next);
    }
  };

  readonly #variances = ({ detail: { weight, bias } }: CustomEvent<{ weight: number; bias: number }>): void => {
    const { state } = this;
    this.#change({ ...state, weightVariance: state.weightVariance.map(() => weight), biasVariance: state.biasVariance.map(() => bias) });
  };

  readonly #dragOver = (event: DragEvent): void => {
    event.preventDefault();
    this.#dropping = true;
    this.requestUpdate();
  };

  readonly #dragLeave = (event: DragEvent): void => {
    if (event.relatedTarget !== null) return;
    this.#dropping = false;
    this.requestUpdate();
  };

  readonly #drop = (event: DragEvent): void => {
    event.preventDefault();
    this.#dropping = false;
    void this.#read(event.dataTransfer?.files[0]);
  };

  readonly #chosen = (event: Event): void => void this.#read((event.target as HTMLInputElement).files?.[0]);

  async #read(file: File | undefined): Promise<void> {
    if (!file) return;
    await this.#attempt(async () => {
      const { readDropped } = await import("../model/read-file.js");
      const state = await readDropped(new Uint8Array(await file.arrayBuffer()), file.name, this.state);
      this.#notice = `${file.name}: ${state.data.kind === "own" ? state.data.train.inputs.length : 0} training points`;
      this.#change(state);
    });
  }
}

customElements.define("fw-explore", Explore);
