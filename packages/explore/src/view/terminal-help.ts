import { html } from "lit";

/** What to type for the same numbers. */
export const terminalHelp = html`<div class="terminal">
  <p>Save the experiment file, then</p>
  <pre>
npm install @finitewidth/cli
npx finitewidth run experiment.json --out results
npx finitewidth explore experiment.json</pre>
  <p>The first computes the numbers of this page with a report; the second opens this page with them.</p>
</div>`;
