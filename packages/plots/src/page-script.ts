/**
 * What a page does by itself, without a network: values under the pointer, figures as SVG and data as CSV by a click, tables that sort and
 * filter. Without a script the page is complete: values are titles of the points.
 */
export const pageScript = `
(() => {
  const tip = document.createElement("div"); tip.id = "tip"; tip.hidden = true; document.body.append(tip);
  const show = (text, event) => {
    tip.textContent = text; tip.hidden = false;
    const box = tip.getBoundingClientRect();
    tip.style.left = Math.max(4, Math.min(innerWidth - box.width - 4, event.clientX + 12)) + "px";
    tip.style.top = (event.clientY + 18 + box.height > innerHeight ? event.clientY - box.height - 10 : event.clientY + 18) + "px";
  };
  const hide = () => { tip.hidden = true; };
  const texts = new WeakMap();
  for (const title of document.querySelectorAll("figure svg title")) { texts.set(title.parentNode, title.textContent); title.parentNode.setAttribute("data-tip", ""); }
  const heat = (image, event) => {
    const box = image.getBoundingClientRect();
    const [h, w] = image.dataset.shape.split(" ").map(Number);
    const [rows, columns] = [Number(image.dataset.rows), Number(image.dataset.columns)];
    const at = (part, n) => Math.min(n - 1, Math.max(0, Math.floor(part * n)));
    const [y, x] = [(event.clientY - box.top) / box.height, (event.clientX - box.left) / box.width];
    image.cells ??= image.dataset.values.split(" ");
    const mean = h < rows || w < columns ? "mean around " : "";
    show(mean + "row " + at(y, rows) + ", column " + at(x, columns) + ": " + image.cells[at(y, h) * w + at(x, w)], event);
  };
  for (const svg of document.querySelectorAll("figure svg")) {
    const marked = [...svg.querySelectorAll("[data-tip]")].filter((node) => !node.dataset.values);
    for (const node of marked) node.querySelector(":scope>title")?.remove();
    const areas = marked.filter((node) => node.tagName === "rect");
    const dots = marked.filter((node) => node.tagName !== "rect");
    svg.addEventListener("pointermove", (event) => {
      const image = event.target.closest("image[data-values]");
      if (image) return heat(image, event);
      const area = areas.find((node) => node === event.target);
      if (area) return show(texts.get(area), event);
      let [near, least] = [undefined, 24];
      for (const dot of dots) {
        const box = dot.getBoundingClientRect();
        const d = Math.hypot(event.clientX - box.left - box.width / 2, event.clientY - box.top - box.height / 2);
        if (d < least) [near, least] = [dot, d];
      }
      if (near) show(texts.get(near), event); else hide();
    });
    svg.addEventListener("pointerleave", hide);
  }
  for (const image of document.querySelectorAll("image[data-values]>title")) image.remove();
  const save = (name, type, parts) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob(parts, { type })); link.download = name; link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  };
  // a figure on its own has its legend with it: swatches, which are HTML, or what the page says above of the colours that it uses
  const legendOf = (figure, drawn) => {
    const colour = (dot) => dot.getAttribute("style").match(/background:([^;]+)/)[1];
    const own = [...figure.querySelectorAll("[class$=-swatch]")].map((one) => [one.textContent.trim(), one.querySelector("svg").getAttribute("fill")]);
    const above = [...document.querySelectorAll(".legend")].filter((one) => one.compareDocumentPosition(figure) & 4).at(-1);
    const shared = [...(above ? above.querySelectorAll(".label") : [])].map((one) => [one.textContent.trim(), colour(one.querySelector(".dot"))]);
    return [...new Map(own.length ? own : shared.filter(([, used]) => drawn.includes(used)))];
  };
  const legendSvg = (entries, most) => {
    let x = 8, y = 18, text = "";
    for (const [label, colour] of entries) {
      const width = 7.2 * label.length + 32;
      if (x > 8 && x + width > most) { x = 8; y += 20; }
      text += '<circle cx="' + (x + 5) + '" cy="' + (y - 4) + '" r="5" fill="' + colour + '"/><text x="' + (x + 15) + '" y="' + y + '" font-family="system-ui, sans-serif" font-size="12" fill="currentColor">' + label.replaceAll("&", "&amp;").replaceAll("<", "&lt;") + "</text>";
      x += width;
    }
    return { text, height: entries.length ? y + 8 : 0 };
  };
  const plainSvg = (figure) => {
    const style = getComputedStyle(document.documentElement);
    const visible = [...figure.querySelectorAll("svg")].filter((svg) => svg.getBoundingClientRect().width > 40 && !svg.parentNode.closest("svg"));
    const widest = Math.max(0, ...visible.map((svg) => svg.viewBox.baseVal.width));
    const legend = legendSvg(legendOf(figure, visible.map((svg) => svg.outerHTML).join("")), widest);
    let y = legend.height, width = 0;
    const parts = visible.map((svg) => {
      const box = svg.viewBox.baseVal, copy = svg.cloneNode(true);
      copy.setAttribute("y", y); copy.setAttribute("width", box.width); copy.setAttribute("height", box.height);
      y += box.height; width = Math.max(width, box.width);
      return copy.outerHTML;
    });
    const resolved = (legend.text + parts.join("")).replace(/var\\((--[\\w-]+)(?:, *([^)]*))?\\)/g, (_, name, fallback) => style.getPropertyValue(name).trim() || fallback);
    return '<svg xmlns="http://www.w3.org/2000/svg" width="' + width + '" height="' + y + '" style="background:' + style.getPropertyValue("--surface") + ";color:" + style.getPropertyValue("--ink") + '">' + resolved + "</svg>";
  };
  for (const card of document.querySelectorAll(".card")) {
    const figure = card.querySelector("figure"), csv = card.querySelector("script[type='text/csv']"), name = card.dataset.name || "figure";
    const tools = document.createElement("div"); tools.className = "tools";
    const button = (text, label, action) => { const b = document.createElement("button"); b.type = "button"; b.textContent = text; b.ariaLabel = label; b.onclick = action; tools.append(b); };
    if (figure && figure.querySelector("svg")) button("SVG", "Save " + name + " as SVG", () => save(name + ".svg", "image/svg+xml", [plainSvg(figure)]));
    if (csv) button("CSV", "Save the data of " + name + " as CSV", () => save(name + ".csv", "text/csv", [csv.textContent.replaceAll("\\\\u003c", "<")]));
    if (tools.childElementCount) card.prepend(tools);
  }
  for (const table of document.querySelectorAll("table.sortable")) {
    const body = table.tBodies[0];
    const number = (text) => { const value = Number.parseFloat(text.replaceAll("−", "-")); return Number.isNaN(value) ? undefined : value; };
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      head.dataset.sort = ""; head.tabIndex = 0; head.scope = "col";
      const sort = () => {
        const down = head.ariaSort === "ascending";
        for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
        head.ariaSort = down ? "descending" : "ascending";
        const key = (row) => row.cells[column].textContent.trim();
        const rows = [...body.rows].sort((a, b) => {
          const [x, y] = [number(key(a)), number(key(b))];
          const order = x !== undefined && y !== undefined ? x - y : x !== undefined ? -1 : y !== undefined ? 1 : key(a).localeCompare(key(b));
          return down ? -order : order;
        });
        body.append(...rows);
      };
      head.onclick = sort; head.onkeydown = (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); sort(); } };
    });
    if (body.rows.length > 8) {
      const filter = document.createElement("input"); filter.className = "filter"; filter.placeholder = "filter rows"; filter.ariaLabel = "Filter rows";
      filter.oninput = () => { for (const row of body.rows) row.hidden = !row.textContent.toLowerCase().includes(filter.value.toLowerCase()); };
      table.parentNode.before(filter);
    }
  }
})();
`;
