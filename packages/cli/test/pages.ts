import { parseHTML } from "linkedom";

/** A page as a document. */
export const documentOf = (html: string): Document => parseHTML(html).document as unknown as Document;

/** The tables of a page, each row by the names of its columns. */
export const tablesOf = (page: Document): Record<string, string>[][] =>
  [...page.querySelectorAll("table")].map((table) => {
    const cells = (row: Element): string[] => [...row.querySelectorAll("th, td")].map(({ textContent }) => textContent ?? "");
    const [header, ...rows] = [...table.querySelectorAll("tr")].map(cells);
    return rows.map((row) => Object.fromEntries(header!.map((name, j) => [name, row[j]!])));
  });

/** Rows of a CSV text (RFC 4180). */
export function csvRows(text: string): string[][] {
  const rows: string[][] = [];
  for (const [, quoted, plain, end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\n]*))(,|\n|$)/g)) {
    if (rows.length === 0) rows.push([]);
    rows.at(-1)!.push(quoted === undefined ? plain! : quoted.replaceAll('""', '"'));
    if (end === "\n") rows.push([]);
    if (end === "") break;
  }
  return rows.filter((row) => row.join("") !== "");
}

/** The figures of a page by name: their data, and what the pointer shows in the wide drawing. */
export const cardsOf = (page: Document): Record<string, { readonly rows: string[][]; readonly tips: string[]; readonly card: Element }> =>
  Object.fromEntries(
    [...page.querySelectorAll(".card[data-name]")].map((card) => {
      const tips = [...(card.querySelector(".wide") ?? card).querySelectorAll("title")].map(({ textContent }) => textContent ?? "");
      const csv = card.querySelector("script[type='text/csv']")?.textContent ?? "";
      return [card.getAttribute("data-name")!, { rows: csvRows(csv), tips, card }];
    }),
  );
