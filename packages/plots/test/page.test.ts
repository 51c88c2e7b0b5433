import { parseHTML } from "linkedom";
import { describe, expect, it } from "vitest";
import { csvCell, escapeHtml, figureBlock, htmlTable } from "../src/index.js";

const hostile = `a "b" onload="x" 'c' <i>d</i> & &amp; &quot; </figure>`;
const { document } = parseHTML("<!doctype html><html><body></body></html>");
const figure = () => document.createElement("figure") as unknown as Element;

describe("what files say", () => {
  it("comes back as it was, in text and in attributes", () => {
    const { document: back } = parseHTML(`<p title="${escapeHtml(hostile)}">${escapeHtml(hostile)}</p>`);
    const [first] = back.querySelectorAll("p");
    expect([first!.getAttribute("title"), first!.textContent, first!.attributes.length]).toEqual([hostile, hostile, 1]);
  });

  it("comes back from cards of figures and from headers of stacked tables", () => {
    const { document: card } = parseHTML(figureBlock(figure(), hostile, { name: hostile }));
    const outer = card.querySelector(".card")!;
    expect([...outer.attributes].map(({ name, value }) => [name, value])).toEqual([
      ["class", "card"],
      ["data-name", hostile],
    ]);
    expect(card.querySelector("figcaption")!.textContent).toBe(hostile);
    const { document: table } = parseHTML(htmlTable(["x", hostile], [["1", "2"]], { stacked: true }));
    const cell = table.querySelectorAll("td")[1]!;
    expect([cell.getAttribute("data-header"), cell.attributes.length]).toEqual([hostile, 1]);
  });

  it.each([
    ["plain", "plain"],
    [-1.5e-300, "-1.5e-300"],
    [0, "0"],
    [undefined, ""],
    [null, ""],
    ["a,b", '"a,b"'],
    ['he said "no"', '"he said ""no"""'],
    ['"', '""""'],
    ["two\nlines", '"two\nlines"'],
    ["two\r\nlines", '"two\r\nlines"'],
    ["two\rlines", '"two\rlines"'],
    [["a", "b"], '"[""a"",""b""]"'],
    [{ width: 3 }, '"{""width"":3}"'],
  ])("is one cell of a CSV file by RFC 4180: %j", (value, cell) => expect(csvCell(value)).toBe(cell));

  it("is in the data of a figure cell by cell", () => {
    const data = [
      ["name", "value"],
      ['"x", y', 2],
      ["</script>", undefined],
    ];
    const { document: card } = parseHTML(figureBlock(figure(), "caption", { data }));
    expect(card.querySelector("script")!.textContent).toBe('name,value\n"""x"", y",2\n\\u003c/script>,');
  });
});
