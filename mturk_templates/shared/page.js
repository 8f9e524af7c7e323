const byId = (id) => document.getElementById(id), say = (text) => { byId("notice").textContent = text; };
const form = byId("mturk_form"), field = form.elements, list = byId("grid"), zoom = byId("zoom");
const query = new URLSearchParams(location.search);
const assignment = field.assignmentId.value || query.get("assignmentId") || "";
const preview = !assignment || assignment === "ASSIGNMENT_ID_NOT_AVAILABLE";
let times = {}, opened = performance.now(), sent = false, warned = false, here = 0, shown = 0;
const spent = () => Math.round(performance.now() - opened);
const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);

// The crowd server draws the order anew for each assignment. Elsewhere it is drawn here, the same
// when the page is loaded again.
function random(text) {
  let h = 2166136261;
  for (const c of text) h = Math.imul(h ^ c.charCodeAt(0), 16777619);
  return () => {
    h = (h + 0x6d2b79f5) | 0;
    let t = Math.imul(h ^ (h >>> 15), 1 | h);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
const items = [...list.children];
if (list.hasAttribute("data-shuffle")) {
  const draw = random(assignment);
  for (let i = items.length - 1; i > 0; i--) {
    const j = Math.floor(draw() * (i + 1));
    [items[i], items[j]] = [items[j], items[i]];
  }
  items.forEach((item, place) => {
    list.append(item);
    for (const part of item.querySelectorAll("img, input"))
      for (const name of ["alt", "aria-label"])
        if (part.hasAttribute(name)) part.setAttribute(name, part.getAttribute(name).replace("[[place]]", place + 1));
  });
}
const tiles = items.map((item, place) => {
  const image = item.querySelector("img"), button = document.createElement("button");
  button.type = "button";
  button.className = "round";
  button.title = words.enlarge;
  button.setAttribute("aria-label", image.alt + ": " + words.enlarge);
  (image.closest(".frame") || item).append(button);
  const tile = { item, image, id: image.dataset.slot, button, name: image.alt,
    box: item.querySelector("[name=selected]"), flag: item.querySelector("[name=broken]"), report: item.querySelector("[name=unsafe]") };
  button.addEventListener("click", () => enlarge(place));
  tile.flag.addEventListener("change", () => { flagged(tile); });
  if (tile.report) tile.report.addEventListener("change", () => changed());
  return tile;
});
const checked = (name) => tiles.filter((t) => t[name] && t[name].checked).map((t) => t.id).sort();
function ticked(id) { times[id] = spent(); }

// What a page does itself: `page.state()` is its answer, `page.lacks()` says what is missing,
// `page.show()` shows the state, `page.restore(state)` takes it up again, `page.key(name)` takes a
// key, `page.go(place)` moves the focus to an image.
const page = { show() {} };
function state() {
  const unsafe = checked("report");
  return { version: 1, ...page.state(), broken: checked("flag"), ...(unsafe.length && { unsafe }), order: tiles.map((t) => t.id), times, dwell: spent() };
}
function changed() { say(""); warned = false; show(); save(); }
function flagged(tile) { page.flagged(tile); ticked(tile.id); changed(); }
function flag(tile) { tile.flag.checked = !tile.flag.checked; flagged(tile); }
function report(tile) { if (tile.report) { tile.report.checked = !tile.report.checked; changed(); } }
function show() {
  page.show();
  const tile = tiles[here], on = tile.flag.checked, told = tile.report && tile.report.checked;
  byId("zoom-broken").setAttribute("aria-pressed", on);
  byId("zoom-report").setAttribute("aria-pressed", !!told);
  byId("zoom-name").textContent = tile.name + (on ? ", " + words.is_broken : tile.box && tile.box.checked ? ", " + words.selected : "") + (told ? ", " + words.is_reported : "");
}

// What is done so far is kept, by the server if it offers to, and by this browser if it may.
const kept = byId("replicate-draft"), store = "replicate:" + assignment;
let timer = 0;
function saveNow() {
  clearTimeout(timer);
  timer = 0;
  if (preview || sent) return;
  const draft = JSON.stringify({ state: state(), spent: spent() });
  try { localStorage.setItem(store, draft); } catch (e) { /* a sandboxed page has none */ }
  if (kept) navigator.sendBeacon(location.pathname + "/draft", draft);
}
function save() { if (!timer) timer = setTimeout(saveNow, 800); }
function restore() {
  let old = null;
  try { old = JSON.parse(kept ? kept.textContent : "null") || JSON.parse(localStorage.getItem(store)); } catch (e) { /* none */ }
  if (!old || !old.state) return;
  for (const t of tiles) {
    t.flag.checked = old.state.broken.includes(t.id);
    if (t.report) t.report.checked = (old.state.unsafe || []).includes(t.id);
  }
  page.restore(old.state);
  times = old.state.times || {};
  opened -= old.spent || 0;
}

// One image large over the page.
function enlarge(place) {
  if (place < 0 || place >= tiles.length) return;
  here = shown = place;
  byId("zoom-image").src = tiles[place].image.src;
  byId("zoom-previous").disabled = !place;
  byId("zoom-next").disabled = place === tiles.length - 1;
  if (!zoom.open) zoom.showModal();
  zoom.focus();
  show();
}
// The browser gives the focus back to where it was; it belongs to the image that was looked at last.
zoom.addEventListener("close", () => page.go(shown));
zoom.addEventListener("click", (event) => { if (event.target === zoom || event.detail) zoom.focus(); });
for (const [id, act] of [["previous", () => enlarge(here - 1)], ["next", () => enlarge(here + 1)],
  ["broken", () => flag(tiles[here])], ["report", () => report(tiles[here])], ["close", () => zoom.close()]]) byId("zoom-" + id).addEventListener("click", act);

function columns() {
  const top = tiles[0].item.offsetTop;
  return tiles.filter((t) => t.item.offsetTop === top).length;
}
const onward = document.dir === "rtl" ? -1 : 1;
const moves = { ArrowRight: () => here + onward, ArrowLeft: () => here - onward, Home: () => 0, End: () => tiles.length - 1,
  ArrowDown: () => here + columns(), ArrowUp: () => here - columns() };
document.addEventListener("keydown", (event) => {
  if (preview || event.ctrlKey || event.metaKey || event.altKey) return;
  const name = event.key.length === 1 ? event.key.toLowerCase() : event.key, large = zoom.open;
  // Who dictates to the computer can turn keys of one letter off (WCAG 2.1.4).
  if (name.length === 1 && name !== " " && !byId("keys").checked) return;
  const onButton = event.target.tagName === "BUTTON";
  if (large && name in moves) enlarge(moves[name]());
  else if (large && name === "Enter" && !onButton) zoom.close();
  else if (name === "b" && (large || list.contains(event.target))) flag(tiles[here]);
  else if (name === "r" && (large || list.contains(event.target))) report(tiles[here]);
  else if (!page.key(name, event, large, onButton)) return;
  event.preventDefault();
});

// An image that does not load is asked for once more; then it counts as broken.
for (const tile of tiles) {
  let again = 1;
  const failed = () => {
    if (preview || tile.flag.checked) return;
    if (again--) setTimeout(() => { tile.image.src = tile.image.src; }, 1000);
    else flag(tile);
  };
  tile.image.addEventListener("error", failed);
  if (tile.image.complete && !tile.image.naturalWidth) failed();
}
const missing = () => tiles.filter((t) => !t.flag.checked && !t.image.naturalWidth);

form.addEventListener("submit", (event) => {
  const lacks = page.lacks(), late = missing();
  if (sent || preview) event.preventDefault();
  else if (lacks) { event.preventDefault(); say(lacks); }
  else if (late.length && !warned) {
    event.preventDefault();
    say(fill(words.not_loaded, { n: late.length }));
    warned = true;
  } else {
    for (const tile of late) tile.flag.checked = true;
    field.answer.value = JSON.stringify(state());
    sent = true;
    clearTimeout(timer);
    try { localStorage.removeItem(store); } catch (e) { /* as above */ }
  }
});
// One field is sent: those of the plain form are for browsers without scripts.
form.addEventListener("formdata", (event) => {
  for (const name of [...event.formData.keys()]) if (name !== "assignmentId" && name !== "answer") event.formData.delete(name);
});
document.addEventListener("visibilitychange", () => { if (document.hidden && timer) saveNow(); });
addEventListener("pagehide", () => { if (timer) saveNow(); });
addEventListener("pageshow", () => { sent = false; });

function begin() {
  const to = query.get("turkSubmitTo");
  if (!field.assignmentId.value) field.assignmentId.value = assignment;
  if (to && /^https?:\/\//.test(to)) form.action = to.replace(/\/$/, "") + "/mturk/externalSubmit";
  document.querySelector("[data-work]").disabled = preview;
  if (!preview) restore();
  show();
}
