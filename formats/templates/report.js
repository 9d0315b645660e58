"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const make = (tag, options = {}, ...children) => {
    const node = Object.assign(document.createElement(tag), options);
    node.append(...children.filter(Boolean));
    return node;
  };

  const mark = (node, on) => (on ? node.setAttribute("aria-current", "true") : node.removeAttribute("aria-current"));

  // theme: the system decides until the reader does
  const theme = $("theme");
  theme.hidden = false;
  theme.addEventListener("click", () => {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
  });

  // the section in view is marked in the navigation
  const links = new Map([...document.querySelectorAll("nav a")].map((a) => [a.hash.slice(1), a]));
  if ("IntersectionObserver" in window) {
    const seen = new IntersectionObserver((entries) => {
      for (const entry of entries) {
        if (!entry.isIntersecting) continue;
        links.forEach((a, key) => mark(a, key === entry.target.id));
      }
    }, { rootMargin: "-20% 0px -70% 0px" });
    links.forEach((_, key) => $(key) && seen.observe($(key)));
  }

  const copy = $("copy");
  if (copy && navigator.clipboard) {
    copy.hidden = false;
    copy.addEventListener("click", async () => {
      const done = await navigator.clipboard.writeText(copy.nextElementSibling.textContent).then(() => "Copied", () => "Not allowed");
      copy.textContent = done;
      setTimeout(() => { copy.textContent = "Copy"; }, 1500);
    });
  }

  // printing shows the examples of every reason
  window.addEventListener("beforeprint", () => document.querySelectorAll("details.card").forEach((d) => { d.open = true; }));

  const rows = JSON.parse($("data").textContent);
  const browser = $("browser");
  if (!browser || !rows.length) return;

  const haystack = rows.map((row) => [row.id, row.stage, row.reason, row.prompt.text, row.chosen.text, row.rejected.text].join("\n").toLowerCase());
  const option = (value, label) => make("option", { value, textContent: label });
  const search = make("input", { type: "search", id: "find", placeholder: "Search prompts and answers", autocomplete: "off" });
  search.setAttribute("aria-label", "Search prompts and answers");
  const outcome = make("select", { id: "outcome" }, option("", "Kept and dropped"), option("kept", "Kept only"), option("dropped", "Dropped only"));
  outcome.setAttribute("aria-label", "Outcome");
  const reason = make("select", { id: "reason" }, option("", "Any stage and reason"));
  reason.setAttribute("aria-label", "Stage and reason");
  const keyOf = (row) => (row.reason ? `${row.stage}: ${row.reason}` : "");
  [...new Set(rows.map(keyOf).filter(Boolean))].forEach((key) => reason.append(option(key, key)));
  const status = make("p", { id: "shown", className: "status" });
  status.setAttribute("role", "status");
  const previous = make("button", { type: "button", textContent: "\u2190", title: "Previous (left arrow)" });
  previous.setAttribute("aria-label", "Previous pair");
  const next = make("button", { type: "button", textContent: "\u2192", title: "Next (right arrow)" });
  next.setAttribute("aria-label", "Next pair");
  const list = make("ul", { className: "list" });
  list.setAttribute("aria-label", "Pairs");
  const view = make("div", { className: "view" });
  view.setAttribute("aria-live", "polite");

  const written = document.querySelectorAll("#plain details"); // the same rows, in the same order
  const side = (row, k, tone, head) => {
    const part = row[tone];
    const image = written[k].querySelector(`.${tone} img`);
    const box = make("div", { className: `answer ${tone}` }, make("h5", { textContent: head }));
    if (image) box.append(make("img", { src: image.src, alt: image.alt }));
    if (part.text) {
      const text = make("p", { textContent: part.text });
      text.dir = "auto";
      box.append(text);
    } else if (!image) box.append(make("p", { className: "none", textContent: "no text" }));
    if (part.cut) box.append(make("p", { className: "cut", textContent: `cut; ${part.cut.toLocaleString("en")} characters in all` }));
    return box;
  };

  let shown = [];
  let at = 0;

  const draw = () => {
    const row = rows[shown[at]];
    view.replaceChildren();
    list.querySelectorAll("button").forEach((b, k) => mark(b, k === at));
    previous.disabled = at <= 0;
    next.disabled = at >= shown.length - 1;
    if (!row) {
      view.append(make("p", { className: "none", textContent: "No pair matches." }));
      return;
    }
    const state = make("p", { className: `state ${row.reason ? "dropped" : "kept"}` }, make("b", { textContent: row.reason ? "Dropped" : "Kept" }));
    if (row.reason) state.append(` by ${row.stage}: ${row.reason}`);
    const sides = make("div", { className: "sides" }, side(row, shown[at], "prompt", "Prompt"),
      side(row, shown[at], "chosen", row.heads[0]), side(row, shown[at], "rejected", row.heads[1]));
    const values = make("dl", { className: "values" });
    row.values.forEach(([name, value]) => values.append(make("div", {}, make("dt", { textContent: name }), make("dd", { textContent: value }))));
    view.append(state, sides, values, make("p", { className: "place", textContent: [row.place, row.id].filter(Boolean).join(" \u00b7 ") }));
  };

  const go = (to, focus) => {
    at = Math.max(0, Math.min(to, shown.length - 1));
    draw();
    const button = list.children[at]?.firstChild;
    if (!button) return;
    list.scrollTop += button.getBoundingClientRect().top - list.getBoundingClientRect().top - list.clientHeight / 2 + 20;
    if (focus) button.focus({ preventScroll: true });
  };

  const filter = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    shown = rows.map((_, k) => k).filter((k) => {
      const row = rows[k];
      if (outcome.value && (outcome.value === "kept") === Boolean(row.reason)) return false;
      if (reason.value && keyOf(row) !== reason.value) return false;
      return words.every((word) => haystack[k].includes(word));
    });
    list.replaceChildren(...shown.map((k, place) => {
      const row = rows[k];
      const label = make("span", { textContent: row.prompt.text.slice(0, 140) || row.id });
      label.dir = "auto";
      const state = make("span", { className: "quiet", textContent: row.reason ? "dropped" : "kept" });
      const button = make("button", { type: "button", className: row.reason ? "dropped" : "kept" }, make("i"), label, state);
      button.addEventListener("click", () => go(place, true));
      return make("li", {}, button);
    }));
    status.textContent = `${shown.length} of ${rows.length}`;
    browser.dataset.shown = shown.length;
    go(0, false);
  };

  browser.append(make("div", { className: "tools" }, search, outcome, reason, make("div", { className: "steps" }, previous, next, status)),
    make("div", { className: "panes" }, list, view));
  [search, outcome, reason].forEach((input) => input.addEventListener("input", filter));
  previous.addEventListener("click", () => go(at - 1, false));
  next.addEventListener("click", () => go(at + 1, false));
  browser.addEventListener("keydown", (event) => {
    if (event.target === search || event.target.tagName === "SELECT" || event.altKey || event.ctrlKey || event.metaKey) return;
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    go(at + step, true);
  });

  // a link may carry a filter: #pairs?find=word&outcome=dropped&reason=stage: reason
  const fromLink = () => {
    if (!location.hash.startsWith("#pairs?")) return;
    const asked = new URLSearchParams(location.hash.slice(7));
    search.value = asked.get("find") ?? "";
    outcome.value = asked.get("outcome") ?? "";
    reason.value = asked.get("reason") ?? "";
    filter();
    $("pairs").scrollIntoView();
  };
  browser.hidden = false;
  $("plain").hidden = true;
  filter();
  fromLink();
  window.addEventListener("hashchange", fromLink);
})();
