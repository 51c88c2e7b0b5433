// What a page of the documentation does by itself: search (the index is loaded when it is first needed), and boxes that scroll can be reached
// by the keyboard.
(() => {
  const base = document.body.dataset.base;
  const field = document.querySelector("input[type=search]");
  const found = document.querySelector(".found");
  let loading;
  const load = () =>
    (loading ??= new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = `${base}/search-index.js`;
      script.onload = resolve;
      script.onerror = reject;
      document.head.append(script);
    }));
  const show = async () => {
    const text = field.value.trim();
    found.hidden = text.length < 2;
    if (found.hidden) return;
    await load();
    if (text !== field.value.trim()) return;
    const hits = window.searchDocs(text);
    found.replaceChildren(
      ...hits.map(({ href, title, heading }) => {
        const link = document.createElement("a");
        link.href = `${base}/${href}`;
        link.append(Object.assign(document.createElement("strong"), { textContent: title }), heading ? ` ${heading}` : "");
        return link;
      }),
    );
    if (hits.length === 0) found.textContent = `Nothing about “${text}”.`;
  };
  field.addEventListener("focus", load);
  field.addEventListener("input", show);
  field.addEventListener("keydown", (event) => {
    if (event.key === "Escape") found.hidden = true;
    if (event.key === "Enter" || event.key === "ArrowDown") {
      const first = found.querySelector("a");
      if (first && event.key === "Enter") first.click();
      else first?.focus();
      event.preventDefault();
    }
  });
  found.addEventListener("keydown", (event) => {
    const next = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
    if (event.key === "Escape") found.hidden = true;
    if (next) {
      (document.activeElement[next] ?? field).focus();
      event.preventDefault();
    }
  });
  addEventListener("keydown", (event) => {
    if (event.key === "/" && !/^(INPUT|TEXTAREA)$/.test(document.activeElement.tagName)) {
      field.focus();
      event.preventDefault();
    }
  });
  addEventListener("pointerdown", (event) => {
    if (!event.target.closest("search")) found.hidden = true;
  });
  const reachable = () => {
    for (const box of document.querySelectorAll("pre, .scroll, .katex-display"))
      if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
      else box.removeAttribute("tabindex");
  };
  reachable();
  addEventListener("load", reachable);
  addEventListener("resize", reachable);
})();
