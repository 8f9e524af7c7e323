"use strict";
// The pages work without this: it adds keys, sends forms without losing the page when the server
// does not answer, stores flags at once, and enlarges both images of a pair alike.
(() => {
  const one = (selector, root = document) => root.querySelector(selector);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const problem = one("#problem");
  for (const element of all(".needs-script")) element.hidden = false;

  const post = async (address, fields) => {
    const answer = await fetch(address, {
      method: "POST", body: new URLSearchParams(fields), headers: { accept: "application/json" },
    });
    if (!answer.ok) throw new Error(String(answer.status));
    return (await answer.json()).next;
  };
  const because = (error) => (/^\d+$/.test(error.message)
    ? "the server refused it. Reload the page."
    : "the server does not answer. Please try again.");

  // One form at a time; the page goes on only once the server says that it is stored.
  let sending = false;
  let refused = false;
  for (const form of all("form[data-send]")) {
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      if (sending) return;
      sending = true;
      try {
        await idle();
        const next = await post(form.action, new FormData(form, event.submitter));
        location.assign(next);
      } catch (error) {
        problem.textContent = `Not stored: ${because(error)}`;
        sending = false;
        refused = true;
      }
    });
  }
  // A page that the browser kept from before shows what was true before.
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

  // Flags of a set's images are stored as they are set, one after the other.
  const page = one("[data-page]");
  const waiting = new Map();
  let storing = null;
  const store = async () => {
    while (waiting.size) {
      const [name, fields] = waiting.entries().next().value;
      try {
        await post(`${page.action}/image`, fields);
        if (waiting.get(name) === fields) waiting.delete(name);
        problem.textContent = "";
        count();
      } catch (error) {
        problem.textContent = `Not stored yet: ${because(error)}`;
        if (/^\d+$/.test(error.message)) waiting.delete(name);
        else await new Promise((resolve) => { setTimeout(resolve, 1000); });
      }
    }
    storing = null;
  };
  // A form that is sent holds all flags: what still waits need not be stored by itself.
  const idle = async () => { waiting.clear(); if (storing) await storing; };
  const count = () => {
    const flagged = all(".tile").filter((tile) => one(":checked", tile)).length;
    const words = flagged ? `${flagged} flagged` : "";
    one("#count").textContent = waiting.size ? `${words}, storing …` : words && `${words}, stored`;
  };
  if (page && page.dataset.page === "class") {
    for (const tile of all(".tile")) {
      tile.addEventListener("change", () => {
        const own = new FormData(page);
        const name = tile.dataset.image;
        const fields = [["csrf", own.get("csrf")], ["image", name]];
        for (const [field, value] of own) if (field.startsWith(`${name}.`)) fields.push([field, value]);
        const said = all(":checked", tile).map((box) => one("span", box.parentElement).textContent);
        one(".said", tile).textContent = said.join(", ") || "Right";
        waiting.set(name, fields);
        count();
        storing = storing || store();
      });
    }
    addEventListener("beforeunload", (event) => { if ((waiting.size || refused) && !sending) event.preventDefault(); });
    count();
    const zoom = one("#zoom");
    page.addEventListener("click", (event) => {
      const link = event.target.closest(".tile .frame");
      if (!link || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      one("img", zoom).src = link.href;
      one("img", zoom).alt = one("img", link).alt;
      zoom.showModal();
    });
    zoom.addEventListener("click", (event) => { if (event.target === zoom) zoom.close(); });
  }

  // Both images of a pair are enlarged alike, about the place that the pointer is at.
  const pair = one("#pair");
  let size = 1;
  const enlarge = (to) => {
    size = to;
    pair.classList.toggle("zoomed", size > 1);
    pair.style.setProperty("--zoom", size);
    one("[data-zoom]").setAttribute("aria-pressed", String(size > 1));
  };
  const turn = () => enlarge(size >= 8 ? 1 : size * 2);
  if (pair) {
    one("[data-zoom]").addEventListener("click", turn);
    pair.addEventListener("click", (event) => {
      if (!event.target.closest(".frame") || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      turn();
    });
    pair.addEventListener("pointermove", (event) => {
      const frame = event.target.closest(".frame");
      if (!frame || size === 1) return;
      const box = frame.getBoundingClientRect();
      const part = (at, from, length) => `${Math.min(100, Math.max(0, (100 * (at - from)) / length))}%`;
      pair.style.setProperty("--x", part(event.clientX, box.left, box.width));
      pair.style.setProperty("--y", part(event.clientY, box.top, box.height));
    });
    one("[data-toggle]").addEventListener("click", (event) => {
      event.preventDefault();
      const figure = one("#difference");
      const image = one("img", figure);
      if (!image.src) image.src = image.dataset.src;
      figure.hidden = !figure.hidden;
      pair.classList.toggle("three", !figure.hidden);
    });
  }

  // Single keys, for those who want them.
  const wanted = one("#keys");
  if (!wanted) return;
  try { wanted.checked = localStorage.getItem("keys") !== "off"; } catch { /* not allowed to keep it */ }
  wanted.addEventListener("change", () => {
    try { localStorage.setItem("keys", wanted.checked ? "on" : "off"); } catch { /* likewise */ }
  });
  const frames = all(".tile .frame");
  const columns = () => {
    const top = frames[0].getBoundingClientRect().top;
    return frames.filter((frame) => Math.abs(frame.getBoundingClientRect().top - top) < 2).length;
  };
  const move = (key) => {
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns(), ArrowDown: columns() };
    const tile = document.activeElement.closest(".tile");
    const at = tile ? frames.indexOf(one(".frame", tile)) : -1;
    const to = tile ? at + steps[key] : 0;
    if (frames[to]) frames[to].focus();
  };
  const inTile = (key, tile) => {
    const boxes = all("input[type=checkbox]", tile);
    if (key === "e") { one(".frame", tile).click(); return true; }
    if (key === "c") {
      const set = boxes.filter((box) => box.checked);
      for (const box of set) box.checked = false;
      tile.dispatchEvent(new Event("change"));
      return true;
    }
    const box = boxes.find((each) => each.dataset.key === key);
    if (!box) return false;
    box.checked = !box.checked;
    tile.dispatchEvent(new Event("change"));
    return true;
  };
  addEventListener("keydown", (event) => {
    if (!wanted.checked || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.target.matches("input[type=text]") || one("dialog[open]")) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (frames.length) {
      if (/^Arrow/.test(key)) { event.preventDefault(); move(key); return; }
      const tile = document.activeElement.closest(".tile");
      if (tile && !event.repeat && inTile(key, tile)) { event.preventDefault(); return; }
    }
    const element = all("button[data-key], a[data-key]").find((each) => each.dataset.key === key);
    if (element && !event.repeat) { event.preventDefault(); element.click(); }
  });
})();
