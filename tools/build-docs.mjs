// Builds docs/site: guide and theory pages (Markdown with TeX formulas, rendered by KaTeX) and the API reference of every package.
// Fails on a broken link, a formula that does not parse, or a typedoc warning. Usage: node tools/build-docs.mjs [--no-api]
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, relative, resolve } from "node:path";
import { renderToString } from "katex";
import MarkdownIt from "markdown-it";
import { buildAll } from "./pack.mjs";
import { searchIndex } from "./site/search-index.mjs";
import { finish, problems } from "./problems.mjs";
import { root } from "./workspace.mjs";

const docs = join(root, "docs");
const site = join(docs, "site");

/** The table of contents: section title and pages in order. */
const sections = [
  [
    "Guide",
    [
      "index.md",
      "guide/finite-width.md",
      "guide/explore.md",
      "guide/choose-a-theory.md",
      "guide/questions.md",
      "guide/experiment-files.md",
      "guide/beyond-one-machine.md",
      "guide/python.md",
      "guide/serve.md",
      "guide/packages.md",
      "guide/write-a-plugin.md",
      "troubleshooting.md",
    ],
  ],
  ["Theories", theoryPages()],
  ["Evidence", ["gallery.md", "verification.md", "benchmarks.md", "compat.md"].filter((name) => existsSync(join(docs, name)))],
];

/** All theory pages, the usual way to read them first. */
function theoryPages() {
  const order = [
    "nngp",
    "exact",
    "convolution",
    "layers",
    "effective-action",
    "expectation-propagation",
    "large-deviation",
    "forward-backward",
    "criticality",
    "perturbative",
    "monte-carlo",
    "evidence",
    "referee",
  ];
  const rank = (name) => (order.includes(name) ? order.indexOf(name) : order.length);
  const names = readdirSync(join(docs, "theories"))
    .filter((name) => name.endsWith(".md"))
    .map((name) => name.slice(0, -3));
  return names.sort((a, b) => rank(a) - rank(b) || a.localeCompare(b)).map((name) => `theories/${name}.md`);
}

const markdown = new MarkdownIt({ html: true, linkify: false, typographer: false });
markdown.inline.ruler.before("escape", "math", (state, silent) => {
  if (state.src[state.pos] !== "$") return false;
  const display = state.src.startsWith("$$", state.pos);
  const mark = display ? "$$" : "$";
  const start = state.pos + mark.length;
  const end = state.src.indexOf(mark, start);
  if (end < 0 || (!display && /^\s|\s$/.test(state.src.slice(start, end)))) return false;
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
    return renderToString(content, { output: "htmlAndMathml", displayMode: meta.display, throwOnError: true, strict: "ignore" });
  } catch (error) {
    problems.push(`${env.page}: formula ${JSON.stringify(content)}: ${error.message}`);
    return content;
  }
};
/** Plain-text formulas: x_l, σ_w², C^{L+1} with real subscripts and superscripts. */
const script = String.raw`(\{[^{}]+\}|[a-z\d]+|[A-Z]|[α-ωΑ-Ω])`;
const scripts = [
  [new RegExp(`(?<=[\\p{L}\\p{M}′″⁗²³⁴⟩)\\]>])_${script}`, "gu"), "sub"],
  [new RegExp(`(?<=[\\p{L}\\p{M}′″⁗\\d⟩)\\]>])\\^${script}`, "gu"), "sup"],
];
markdown.renderer.rules.text = (tokens, index) =>
  scripts.reduce(
    (text, [pattern, tag]) => text.replaceAll(pattern, (_, inner) => `<${tag}>${inner.replaceAll(/^\{|\}$/g, "")}</${tag}>`),
    markdown.utils.escapeHtml(tokens[index].content),
  );
/** A picture leads to itself, which can be enlarged; where it would be too small to read it is scrolled (docs.css). */
const { image } = markdown.renderer.rules;
markdown.renderer.rules.image = (tokens, index, ...more) =>
  `<a class="picture" href="${tokens[index].attrGet("src")}">${image(tokens, index, ...more)}</a>`;
markdown.renderer.rules.table_open = () => '<div class="scroll"><table>';
markdown.renderer.rules.table_close = () => "</table></div>";
const slug = (text) =>
  text
    .toLowerCase()
    .replaceAll(/[^\p{L}\d]+/gu, "-")
    .replaceAll(/^-|-$/g, "");
markdown.renderer.rules.heading_open = (tokens, index) => `<${tokens[index].tag} id="${slug(tokens[index + 1].content)}">`;

const titleOf = (text) => /^#\s+(.+)$/m.exec(text)?.[1] ?? "finitewidth";
const pages = sections.flatMap(([, list]) => list).map((page) => ({ page, text: readFileSync(join(docs, page), "utf8") }));
const anchors = new Map(pages.map(({ page, text }) => [page, new Set([...text.matchAll(/^#+\s+(.+)$/gm)].map((match) => slug(match[1])))]));

/** Repository paths outside docs/ that a page may name: shown on the site as the package's reference. */
const packageOf = (file) =>
  /^(?:packages\/([a-z-]+)|(verification))(?:\/README\.md)?\/?$/.exec(relative(root, file))?.slice(1).find(Boolean);
const source = (file) => `https://github.com/finitewidth/finitewidth/blob/main/${relative(root, file)}`;

function checkLinks(name, folder, text) {
  for (const [, target] of text.replaceAll(/```[\s\S]*?```|`[^`\n]*`/g, "").matchAll(/\]\(([^)\s]+)\)/g)) {
    if (/^[a-z]+:/.test(target)) continue;
    const [path, anchor] = target.split("#");
    const file = path === "" ? join(docs, name) : resolve(folder, path);
    const known = relative(docs, file);
    if (!existsSync(file) && !known.startsWith("api")) problems.push(`${name}: link to ${target}, which does not exist`);
    else if (anchor && anchors.has(known) && !anchors.get(known).has(decodeURI(anchor)))
      problems.push(`${name}: ${target} has no such heading`);
  }
}

/** Files beside the pages that they link to. */
const assets = new Set();

/** Where a relative link of the Markdown file in `folder` leads on the site, seen from the page `from` (a path within the site). */
function onSite(href, folder, from) {
  if (/^([a-z]+:|#|\/)/.test(href)) return href;
  const [path, anchor] = href.split("#");
  const file = resolve(folder, path);
  const name = packageOf(file);
  const inside = relative(docs, file);
  if (!name && !inside.startsWith("..") && !inside.endsWith(".md") && existsSync(file)) assets.add(inside);
  const target = name ? `api/modules/_finitewidth_${name}.html` : inside.startsWith("..") ? undefined : inside.replace(/\.md$/, ".html");
  return (target === undefined ? source(file) : relative(dirname(from), target)) + (anchor ? `#${anchor}` : "");
}

const href = (from, page) => relative(dirname(from), page).replace(/\.md$/, ".html") || "index.html";
function render({ page, text }) {
  const folder = dirname(join(docs, page));
  checkLinks(page, folder, text);
  const body = markdown.render(text, { page }).replaceAll(/href="([^"]+)"/g, (_, href) => `href="${onSite(href, folder, page)}"`);
  if (/\$[^$<]*\\[a-z]+/.test(body.replaceAll(/<pre>[\s\S]*?<\/pre>|<code>[\s\S]*?<\/code>|<annotation[\s\S]*?<\/annotation>/g, "")))
    problems.push(`${page}: a formula was not recognised (TeX outside $…$)`);
  const title = titleOf(text);
  const navigation = sections
    .map(
      ([heading, list]) =>
        `<h2>${heading}</h2><ul>${list.map((entry) => `<li><a href="${href(page, entry)}"${entry === page ? ' aria-current="page"' : ""}>${shortTitle(entry)}</a></li>`).join("")}</ul>`,
    )
    .join("");
  const headings = [...text.matchAll(/^## (.+)$/gm)].map((match) => match[1]);
  const contents =
    headings.length > 2
      ? `<aside aria-label="On this page"><strong>On this page</strong><ul>${headings.map((heading) => `<li><a href="#${slug(heading)}">${markdown.renderInline(heading, { page })}</a></li>`).join("")}</ul></aside>`
      : "";
  const order = sections.flatMap(([, list]) => list);
  const at = order.indexOf(page);
  const step = (entry, label) => (entry ? `<a href="${href(page, entry)}">${label.replace("…", shortTitle(entry))}</a>` : "<span></span>");
  const base = relative(dirname(page), "") || ".";
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>${plain(title)} – finitewidth</title><link rel="stylesheet" href="${base}/katex/katex.min.css"><link rel="stylesheet" href="${base}/docs.css"></head><body data-base="${base}"><header><a class="home" href="${href(page, "index.md")}">finitewidth</a><a class="menu" href="#navigation">Contents</a><search><input type="search" placeholder="Search" aria-label="Search the documentation" autocomplete="off"><div class="found" role="status" hidden></div></search></header><main>${body}<footer>${step(order[at - 1], "← …")}${step(order[at + 1], "… →")}</footer></main>${contents}<nav id="navigation" aria-label="All pages">${navigation}<h2>Reference</h2><ul><li><a href="${relative(dirname(page), "explore/index.html")}">Interactive page</a></li><li><a href="${base}/api/index.html">API of all packages</a></li></ul></nav><script src="${base}/docs.js"></script></body></html>`;
}
const plain = (title) => title.replaceAll("`", "");
/** Title in the navigation: a method's name where the heading ends with one. */
function shortTitle(page) {
  const title = titleOf(pages.find((entry) => entry.page === page).text);
  return page === "index.md" ? "Introduction" : plain(title).replace(/ \([a-z-]+\)$/, "");
}

rmSync(site, { recursive: true, force: true });
for (const entry of pages) {
  const file = join(site, entry.page.replace(/\.md$/, ".html"));
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, render(entry));
}
for (const name of ["docs.css", "docs.js"]) cpSync(join(root, "tools", "site", name), join(site, name));
writeFileSync(
  join(site, "search-index.js"),
  searchIndex(pages.map(({ page, text }) => ({ href: href("index.md", page), title: shortTitle(page), text }))),
);
const fonts = dirname(createRequire(import.meta.url).resolve("katex/dist/katex.min.css"));
for (const part of ["katex.min.css", "fonts"])
  cpSync(join(fonts, part), join(site, "katex", part), { recursive: true, filter: (file) => !/\.(ttf|woff)$/.test(file) });
for (const asset of assets) cpSync(join(docs, asset), join(site, asset), { recursive: true });
const interactive = join(root, "packages/explore/page");
if (existsSync(interactive)) cpSync(interactive, join(site, "explore"), { recursive: true });
else problems.push("packages/explore/page is not built: npx nx build @finitewidth/explore");
if (existsSync(join(docs, "figures"))) cpSync(join(docs, "figures"), join(site, "figures"), { recursive: true });

for (const folder of ["verification", ...readdirSync(join(root, "packages")).map((name) => `packages/${name}`)]) {
  const file = join(root, folder, "README.md");
  if (existsSync(file)) checkLinks(`${folder}/README.md`, join(root, folder), readFileSync(file, "utf8"));
  else problems.push(`${folder} has no README.md`);
}
checkLinks("README.md", root, readFileSync(join(root, "README.md"), "utf8"));

if (!process.argv.includes("--no-api")) {
  // Project references make typedoc read the declarations in dist.
  buildAll();
  const result = spawnSync(
    process.execPath,
    [join(root, "node_modules/typedoc/bin/typedoc"), "--options", join(root, "tools", "typedoc.json")],
    { cwd: root, encoding: "utf8", env: { ...process.env, NO_COLOR: "1" } },
  );
  const messages = (result.stdout + result.stderr).split("\n").filter((line) => !/^\[info\]|^$/.test(line));
  if (messages.length > 0) console.error(messages.join("\n"));
  if (result.status !== 0 || messages.length > 0) problems.push("typedoc reported warnings or errors (above)");
  else for (const file of htmlFiles(join(site, "api"))) joinReference(file);
}

/** Links in the READMEs of the reference lead to the pages of this site; its header leads back to the guide. */
function joinReference(file) {
  const from = relative(site, file);
  const name = /^api\/modules\/_finitewidth_([a-z-]+)/.exec(from)?.[1];
  const folder = join(root, name === "verification" ? "verification" : `packages/${name}`);
  const text = readFileSync(file, "utf8")
    .replaceAll('href="site:guide"', `href="${relative(dirname(from), "index.html")}"`)
    .replaceAll(/href="(\.\.[^"]*media\/([^"]+\.md))(#[^"]*)?"/g, (whole, link, _base, anchor = "") => {
      const copied = readFileSync(resolve(dirname(file), link), "utf8");
      const target = pages.find((entry) => entry.text === copied);
      return target ? `href="${relative(dirname(from), target.page.replace(/\.md$/, ".html"))}${anchor}"` : whole;
    })
    .replaceAll(/href="(\.\.?\/[^"]+)"/g, (whole, link) =>
      name === undefined || existsSync(resolve(dirname(file), link.split("#")[0])) ? whole : `href="${onSite(link, folder, from)}"`,
    );
  writeFileSync(file, text);
}
function htmlFiles(folder) {
  return readdirSync(folder).flatMap((name) =>
    statSync(join(folder, name)).isDirectory() ? htmlFiles(join(folder, name)) : name.endsWith(".html") ? [join(folder, name)] : [],
  );
}

// Every link of the finished site leads to a file.
for (const file of htmlFiles(site)) {
  for (const [, href] of readFileSync(file, "utf8").matchAll(/(?:href|src)="([^"#:]+)(?:#[^"]*)?"/g)) {
    if (process.argv.includes("--no-api") && /(^|\/)api\//.test(href)) continue;
    if (!existsSync(resolve(dirname(file), decodeURI(href.split("?")[0])))) problems.push(`${relative(site, file)}: ${href} leads nowhere`);
  }
}
finish(`docs/site: ${pages.length} pages`);
