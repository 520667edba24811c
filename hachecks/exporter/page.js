"use strict";
// Keeps the page as it is at the exporter, without taking away what a reader has in hand: focus, scroll, selection, filter.
(() => {
  const EVERY = 1000, EVERY_HIDDEN = 10000, PATIENCE = 5000;
  const main = document.querySelector("main"), footer = document.querySelector("footer");
  const stale = document.getElementById("stale"), news = document.getElementById("news");
  const address = location.origin + location.pathname; // without a user and password, which fetch refuses
  const filter = { text: "", attention: false };
  let skew = main.dataset.at * 1000 - Date.now(); // the node's clock counts, not the reader's
  let etag = null, answered = Date.now(), timer = 0, asking = false, title = document.title;

  const now = () => Date.now() + skew;

  const ago = (seconds) => { // as page.ago
    for (const [unit, least, name] of [[86400, 172800, "days"], [3600, 7200, "h"], [60, 120, "min"], [1, 10, "s"]])
      if (seconds >= least) return `${Math.floor(seconds / unit)} ${name} ago`;
    return "just now";
  };

  const set = (node, text) => { if (node && node.textContent !== text) node.textContent = text; };

  const age = (root) => {
    for (const time of root.querySelectorAll("time"))
      set(time.lastElementChild, ago((now() - Date.parse(time.dateTime)) / 1000));
  };

  const sift = (root) => {
    const form = root.querySelector("#filter");
    if (!form) return;
    form.hidden = false;
    const { text, attention } = form.elements;
    if (text.value !== filter.text) text.value = filter.text;
    if (attention.checked !== filter.attention) attention.checked = filter.attention;
    const wanted = filter.text.toLowerCase().split(/\s+/).filter(Boolean);
    const rows = root.querySelectorAll("#vips tbody tr");
    let shown = 0;
    for (const row of rows) {
      const words = [0, 1, 2].map((cell) => row.cells[cell].textContent).join(" ").toLowerCase();
      row.hidden = (filter.attention && !row.className) || !wanted.every((word) => words.includes(word));
      shown += !row.hidden;
    }
    set(root.querySelector("#shown"), `Showing ${shown} of ${rows.length}`);
  };

  // Makes a tree like another by as few changes as do. Children with an id keep their node; nothing is ever moved.
  const grow = (old, next) => {
    if (next.hasAttribute("data-keep")) return;
    for (const { name } of [...old.attributes])
      if (!next.hasAttribute(name) && !(name === "open" && old.localName === "details")) old.removeAttribute(name);
    for (const { name, value } of next.attributes)
      if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    let here = old.firstChild;
    const drop = () => { const gone = here; here = here.nextSibling; gone.remove(); };
    for (const child of [...next.childNodes]) {
      const like = here && !here.id && here.nodeName === child.nodeName ? here : null;
      const twin = child.id ? [...old.children].find((one) => one.id === child.id) : like;
      if (!twin) { old.insertBefore(child, here); continue; }
      while (here && here !== twin) drop();
      if (child.nodeType !== Node.ELEMENT_NODE) { if (twin.data !== child.data) twin.data = child.data; }
      else if (!twin.isEqualNode(child)) grow(twin, child);
      here = twin.nextSibling;
    }
    while (here) drop();
  };

  const take = (text) => {
    const page = new DOMParser().parseFromString(text, "text/html");
    const next = page.querySelector("main");
    if (!next) throw new Error("no page of the exporter");
    if (page.documentElement.dataset.build !== document.documentElement.dataset.build) return location.reload();
    age(next);
    sift(next);
    const before = main.querySelector("h1").textContent;
    grow(main, next);
    grow(footer, page.querySelector("footer"));
    document.querySelector("link[rel=icon]").href = page.querySelector("link[rel=icon]").href;
    title = page.title;
    const after = main.querySelector("h1").textContent;
    if (after !== before) news.textContent = after;
  };

  const looked = () => { // the exporter has looked again and found the same
    const time = main.querySelector(".looked time"), at = new Date(now()).toISOString();
    time.dateTime = at;
    time.firstChild.data = `${at.slice(11, 19)} UTC `;
  };

  const fresh = () => {
    answered = Date.now();
    document.title = title;
    document.body.classList.remove("old");
    stale.hidden = true;
    stale.textContent = "";
  };

  const old = () => {
    const since = new Date(answered + skew).toISOString().slice(11, 19);
    set(stale, `No answer from the exporter since ${since} UTC; what is shown is old.`);
    stale.hidden = false;
    document.body.classList.add("old");
    document.title = `(old) ${title}`;
  };

  const ask = async () => {
    if (asking) return;
    asking = true;
    clearTimeout(timer);
    const patience = new AbortController();
    const clock = setTimeout(() => patience.abort(), PATIENCE);
    try {
      const headers = etag ? { "If-None-Match": etag } : {};
      const answer = await fetch(address, { headers, cache: "no-store", signal: patience.signal });
      const date = Date.parse(answer.headers.get("Date"));
      if (Math.abs(date + 500 - now()) > 1500) skew = date + 500 - Date.now();
      if (answer.status === 200) {
        take(await answer.text());
        etag = answer.headers.get("ETag");
      } else if (answer.status === 304) looked();
      else throw new Error(answer.status);
      fresh();
    } catch {
      old();
    } finally {
      clearTimeout(clock);
      asking = false;
      age(main);
      timer = setTimeout(ask, document.hidden ? EVERY_HIDDEN : EVERY);
    }
  };

  const recall = () => {
    const kept = new URLSearchParams(location.hash.slice(1));
    filter.text = kept.get("filter") || "";
    filter.attention = kept.has("attention");
    sift(main);
  };

  let writing = 0;
  const remember = () => { // a browser bears so many changes of the address in a time
    const kept = new URLSearchParams();
    if (filter.text) kept.set("filter", filter.text);
    if (filter.attention) kept.set("attention", "1");
    const hash = String(kept);
    history.replaceState(null, "", location.pathname + location.search + (hash ? `#${hash}` : ""));
  };

  document.addEventListener("input", (event) => {
    const form = event.target.form;
    if (!form || form.id !== "filter") return;
    filter.text = form.elements.text.value;
    filter.attention = form.elements.attention.checked;
    sift(main);
    clearTimeout(writing);
    writing = setTimeout(remember, 300);
  });
  document.addEventListener("submit", (event) => event.preventDefault());
  document.addEventListener("visibilitychange", () => { if (!document.hidden) ask(); });
  addEventListener("hashchange", recall);
  recall();
  age(main);
  timer = setTimeout(ask, EVERY);
})();
