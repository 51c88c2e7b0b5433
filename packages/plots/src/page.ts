/** Escapes text for HTML. */
export const escapeHtml = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");

const style = `
:root{color-scheme:light;--ink:#1c2530;--soft:#5b6672;--line:#dfe4ea;--accent:#0b5fa5}
*{box-sizing:border-box}
body{font:16px/1.55 system-ui,sans-serif;color:var(--ink);margin:0;background:#f6f7f9}
main{max-width:1080px;margin:0 auto;padding:2.2rem 1.4rem 4rem}
h1{font-size:1.7rem;margin:0 0 .2rem}h2{font-size:1.2rem;margin:2.4rem 0 .6rem}
p.lead{color:var(--soft);margin:.2rem 0 1.4rem;max-width:46rem}
.card{background:#fff;border:1px solid var(--line);border-radius:10px;padding:1rem 1.2rem;margin:1rem 0;overflow-x:auto}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{padding:.38rem .7rem;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap}
th:first-child,td:first-child{text-align:left}th{font-weight:600;color:var(--soft);font-size:.86rem}
td.text{white-space:normal;text-align:left}
figure{margin:0}figure.plot{margin:0}figcaption{color:var(--soft);font-size:.9rem;margin:.3rem 0 0;max-width:44rem}
.grid{display:grid;grid-template-columns:repeat(auto-fit,minmax(420px,1fr));gap:1rem}
.warning{border-left:4px solid #d99000;background:#fff8e8;padding:.5rem .9rem;margin:.5rem 0;border-radius:0 6px 6px 0}
.failed{border-left:4px solid #b3261e;background:#fdeeed;padding:.5rem .9rem;margin:.5rem 0;border-radius:0 6px 6px 0}
details{margin:.8rem 0}summary{cursor:pointer;color:var(--accent)}
pre{background:#f2f4f7;padding:.8rem;border-radius:6px;overflow:auto;font-size:.82rem;max-height:30rem}
.dot{display:inline-block;width:.7em;height:.7em;border-radius:50%;margin-right:.45em}
.pass{color:#1d7a3e;font-weight:600}.fail{color:#b3261e;font-weight:600}
svg{max-width:100%;height:auto}footer{color:var(--soft);font-size:.85rem;margin-top:3rem}
`;

/** A whole page in one file: no script from elsewhere, no network. `body` is HTML. */
export function page(title: string, body: string, script = ""): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>${escapeHtml(title)}</title><style>${style}</style></head>
<body><main>${body}<footer>Made by finitewidth. Formulas and their sources: the theory pages of the documentation.</footer></main>${script ? `<script>${script}</script>` : ""}</body></html>
`;
}

/** A figure with its caption. */
export const figureBlock = (element: Element, caption: string): string =>
  `<div class="card"><figure>${element.outerHTML}<figcaption>${escapeHtml(caption)}</figcaption></figure></div>`;

/** Table of cells that are HTML already. */
export const htmlTable = (header: readonly string[], rows: readonly (readonly string[])[]): string =>
  `<div class="card"><table><thead><tr>${header.map((cell) => `<th>${escapeHtml(cell)}</th>`).join("")}</tr></thead><tbody>${rows
    .map((row) => `<tr>${row.map((cell) => `<td>${cell}</td>`).join("")}</tr>`)
    .join("")}</tbody></table></div>`;

/** A remark in a report. */
export interface Note {
  readonly kind: "warning" | "failed";
  readonly title: string;
  readonly text: string;
}

/** Warnings and failures as coloured boxes. */
export const notes = (items: readonly Note[]): string =>
  items.map(({ kind, title, text }) => `<div class="${kind}"><strong>${escapeHtml(title)}</strong> ${escapeHtml(text)}</div>`).join("");

/** Collapsible JSON. */
export const jsonDetails = (summary: string, value: unknown): string =>
  `<details><summary>${escapeHtml(summary)}</summary><pre>${escapeHtml(JSON.stringify(value, undefined, 1))}</pre></details>`;
