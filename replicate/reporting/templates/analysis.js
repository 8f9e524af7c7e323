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
  finder.addEventListener("input", () => {
    const wanted = finder.value.trim().toLowerCase().split(/\s*,\s*/).filter(Boolean);
    for (const svg of document.querySelectorAll("svg.scatter")) svg.classList.toggle("dim", wanted.length > 0);
    let count = 0;
    for (const point of document.querySelectorAll(".pt")) {
      const name = point.dataset.name.toLowerCase();
      const hit = wanted.some((part) => name.includes(part));
      point.classList.toggle("found", hit);
    }
    const names = new Set([...document.querySelectorAll(".pt.found")].map((p) => p.dataset.name));
    count = names.size;
    document.querySelector(".finder output").textContent = wanted.length ? `${count} found` : "";
  });
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
