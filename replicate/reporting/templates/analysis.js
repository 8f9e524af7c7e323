"use strict";
document.documentElement.classList.add("js");
for (const plot of document.querySelectorAll(".plot")) {
  const says = plot.parentElement.querySelector(".says");
  const tell = (event) => {
    const point = event.target.closest(".pt");
    if (says && point) says.textContent = point.dataset.words;
  };
  plot.addEventListener("mouseover", tell);
  plot.addEventListener("focusin", tell);
}
const finder = document.querySelector(".finder input");
if (finder) {
  const choice = document.querySelector(".finder select");
  const seek = () => {
    const wanted = finder.value.trim().toLowerCase().split(/\s*,\s*/).filter(Boolean);
    const family = new Set(choice ? JSON.parse(choice.value) : []);
    const asked = wanted.length > 0 || family.size > 0;
    for (const svg of document.querySelectorAll("svg.scatter")) svg.classList.toggle("dim", asked);
    for (const point of document.querySelectorAll(".pt")) {
      const name = point.dataset.name.toLowerCase();
      const named = wanted.length === 0 || wanted.some((part) => name.includes(part));
      const kin = family.size === 0 || family.has(point.dataset.name);
      point.classList.toggle("found", asked && named && kin);
    }
    const names = new Set([...document.querySelectorAll(".pt.found")].map((p) => p.dataset.name));
    document.querySelector(".finder output").textContent = asked ? `${names.size} found` : "";
  };
  finder.addEventListener("input", seek);
  if (choice) choice.addEventListener("change", seek);
}
for (const button of document.querySelectorAll("button.sort")) {
  button.addEventListener("click", () => {
    const cell = button.closest("th");
    const body = cell.closest("table").tBodies[0];
    const column = cell.cellIndex;
    const down = cell.getAttribute("aria-sort") !== "descending";
    for (const other of cell.parentElement.cells) other.removeAttribute("aria-sort");
    cell.setAttribute("aria-sort", down ? "descending" : "ascending");
    const key = (row) => row.cells[column].dataset.value ?? row.cells[column].textContent;
    const rows = [...body.rows].sort((a, b) => {
      const [x, y] = [key(a), key(b)];
      const order = isNaN(x) || isNaN(y) || x === "" || y === "" ? String(x).localeCompare(String(y)) : x - y;
      return down ? -order : order;
    });
    body.append(...rows);
  });
}
