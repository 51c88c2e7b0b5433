// Builds docs/site: guide and theory pages (Markdown with TeX formulas, rendered to MathML) and the API reference of every package.
// Fails on a broken link, a formula that does not parse, or a typedoc warning. Usage: node tools/build-docs.mjs [--no-api]
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { renderToString } from "katex";
import MarkdownIt from "markdown-it";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const docs = join(root, "docs");
const site = join(docs, "site");
const problems = [];

/** The table of contents: section title and pages in order. */
const sections = [
  ["Guide", ["index.md", "guide/finite-width.md", "guide/choose-a-theory.md", "guide/experiment-files.md", "guide/write-a-plugin.md", "troubleshooting.md"]],
  ["Theories", readdirSync(join(docs, "theories")).filter((name) => name.endsWith(".md")).sort().map((name) => `theories/${name}`)],
  ["Evidence", ["verification.md", "benchmarks.md", "compat.md"].filter((name) => existsSync(join(docs, name)))],
];

const markdown = new MarkdownIt({ html: true, linkify: false, typographer: false });
markdown.inline.ruler.before("escape", "math", (state, silent) => {
  if (state.src[state.pos] !== "$") return false;
  const display = state.src.startsWith("$$", state.pos);
  const mark = display ? "$$" : "$";
  const start = state.pos + mark.length;
  const end = state.src.indexOf(mark, start);
  if (end < 0 || (!display && /^[\s\d]|\s$/.test(state.src.slice(start, end)))) return false;
  if (!silent) {
    const token = state.push("math", "math", 0);
    token.content = state.src.slice(start, end);
    token.meta = { display };
  }
  state.pos = end + mark.length;
  return true;
});
markdown.renderer.rules.math = (tokens, index, _options, env) => {
  const { content, meta } = tokens[index];
  try {
    return renderToString(content, { output: "mathml", displayMode: meta.display, throwOnError: true, strict: "ignore" });
  } catch (error) {
    problems.push(`${env.page}: formula ${JSON.stringify(content)}: ${error.message}`);
    return content;
  }
};
const slug = (text) => text.toLowerCase().replaceAll(/[^\p{L}\d]+/gu, "-").replaceAll(/^-|-$/g, "");
markdown.renderer.rules.heading_open = (tokens, index) => `<${tokens[index].tag} id="${slug(tokens[index + 1].content)}">`;

const titleOf = (text) => /^#\s+(.+)$/m.exec(text)?.[1] ?? "finitewidth";
const pages = sections.flatMap(([, list]) => list).map((page) => ({ page, text: readFileSync(join(docs, page), "utf8") }));
const anchors = new Map(pages.map(({ page, text }) => [page, new Set([...text.matchAll(/^#+\s+(.+)$/gm)].map((match) => slug(match[1])))]));

function checkLinks(page, text) {
  for (const [, target] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
    if (/^[a-z]+:/.test(target)) continue;
    const [path, anchor] = target.split("#");
    const file = path === "" ? join(docs, page) : resolve(docs, dirname(page), path);
    const known = relative(docs, file);
    if (!existsSync(file) && !known.startsWith("api")) problems.push(`${page}: link to ${target}, which does not exist`);
    else if (anchor && anchors.has(known) && !anchors.get(known).has(anchor)) problems.push(`${page}: ${target} has no such heading`);
  }
}

const style = readFileSync(join(root, "tools", "docs.css"), "utf8");
const href = (from, page) => relative(dirname(from), page).replace(/\.md$/, ".html") || "index.html";
function render({ page, text }) {
  checkLinks(page, text);
  const body = markdown.render(text, { page }).replaceAll(/href="([^":]+)\.md(#[^"]*)?"/g, 'href="$1.html$2"');
  const navigation = sections
    .map(([title, list]) => `<h2>${title}</h2><ul>${list.map((entry) => `<li><a href="${href(page, entry)}"${entry === page ? ' aria-current="page"' : ""}>${titleOf(pages.find((other) => other.page === entry).text)}</a></li>`).join("")}</ul>`)
    .join("");
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>${titleOf(text)} – finitewidth</title><style>${style}</style></head><body><nav><a class="home" href="${href(page, "index.md")}">finitewidth</a>${navigation}<h2>Reference</h2><ul><li><a href="${relative(dirname(page), "api/index.html")}">API of all packages</a></li></ul></nav><main>${body}</main></body></html>`;
}

rmSync(site, { recursive: true, force: true });
for (const entry of pages) {
  const file = join(site, entry.page.replace(/\.md$/, ".html"));
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, render(entry));
}
if (existsSync(join(docs, "figures"))) cpSync(join(docs, "figures"), join(site, "figures"), { recursive: true });

if (!process.argv.includes("--no-api")) {
  const result = spawnSync(process.execPath, [join(root, "node_modules/typedoc/bin/typedoc"), "--options", join(root, "tools", "typedoc.json")], { cwd: root, encoding: "utf8" });
  process.stdout.write(result.stdout);
  process.stderr.write(result.stderr);
  if (result.status !== 0 || /\[warning\]/.test(result.stdout + result.stderr)) problems.push("typedoc reported warnings or errors (above)");
}
for (const problem of problems) console.error(`✗ ${problem}`);
console.log(problems.length === 0 ? `docs/site: ${pages.length} pages` : `${problems.length} problems`);
process.exit(problems.length === 0 ? 0 : 1);
