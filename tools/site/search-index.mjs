import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import MiniSearch from "minisearch";

/** Fields of the index and how they count: one object for the building and for the page. */
const options = { fields: ["heading", "title", "text"], storeFields: ["href", "title", "heading"] };
const searching = { prefix: true, fuzzy: 0.15, combineWith: "AND", boost: { heading: 4, title: 3 } };

/** Words of a section of Markdown without its marks; TeX stays, as its names are words. */
const words = (text) => text.replaceAll(/\]\([^)]*\)|[#*`|$>[\]{}]/g, " ").replaceAll(/\s+/g, " ");

/** A script that defines `window.searchDocs(text)`: the library and the index of all sections of the pages, for any address, files too. */
export function searchIndex(pages) {
  const search = new MiniSearch(options);
  let id = 0;
  for (const { href, title, text } of pages) {
    for (const part of text.split(/^(?=## )/m)) {
      const heading = /^## (.+)$/m.exec(part)?.[1] ?? "";
      const anchor = heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\d]+/gu, "-")
        .replaceAll(/^-|-$/g, "");
      search.add({ id: id++, href: heading ? `${href}#${anchor}` : href, title, heading: words(heading), text: words(part) });
    }
  }
  const library = readFileSync(
    createRequire(import.meta.url)
      .resolve("minisearch")
      .replace(/[^/]+$/, "../umd/index.js"),
    "utf8",
  );
  const index = JSON.stringify(JSON.stringify(search)).replaceAll("<", String.raw`\u003c`);
  return `${library}\n{ const index = MiniSearch.loadJSON(${index}, ${JSON.stringify(options)}); window.searchDocs = (text) => index.search(text, ${JSON.stringify(searching)}).slice(0, 8); }\n`;
}
