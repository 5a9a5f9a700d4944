"use strict";
// Sorts and filters tables, turns pictures. Nothing is fetched, nothing is stored; without this script the page shows everything.

// A heading becomes a button: the first press sorts upwards, the next one downwards. Rows without a value stay last.
function sortable(table) {
  const body = table.tBodies[0];
  const headings = [...table.tHead.rows[0].cells];
  headings.forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "sort";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => {
      const downwards = heading.getAttribute("aria-sort") === "ascending";
      headings.forEach((other) => other.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", downwards ? "descending" : "ascending");
      const keyed = [...body.rows].map((row) => [keyOf(row.cells[column]), row]);
      keyed.sort(([a], [b]) => compare(a, b, downwards));
      body.append(...keyed.map(([, row]) => row));
    });
  });
}

// A number where the cell states one, else its text; null for a cell without a value.
function keyOf(cell) {
  const key = cell.dataset.key ?? cell.textContent.trim();
  if (key === "") return null;
  const number = Number(key);
  return Number.isNaN(number) ? key : number;
}

function compare(a, b, downwards) {
  if (a === null || b === null) return (a === null) - (b === null);
  const sign = downwards ? -1 : 1;
  if (typeof a === "number" && typeof b === "number") return sign * (a - b);
  return sign * String(a).localeCompare(String(b), "en", { numeric: true });
}

// Shows the rows of a table that every control of its form lets through, and says how many.
function filtered(form) {
  const rows = [...document.getElementById(form.dataset.table).tBodies[0].rows].map((row) => [
    row,
    row.textContent.toLowerCase(),
  ]);
  const count = form.querySelector("output");
  const apply = () => {
    const wanted = [...form.querySelectorAll("[data-filter]")].filter((control) => control.value !== "");
    let shown = 0;
    for (const [row, text] of rows) {
      const passes = wanted.every((control) =>
        control.dataset.filter === "text"
          ? text.includes(control.value.toLowerCase())
          : (row.dataset[control.dataset.filter] ?? "").split(" ").includes(control.value),
      );
      row.hidden = !passes;
      shown += passes;
    }
    count.textContent = `${shown} of ${rows.length} shown`;
  };
  form.hidden = false;
  form.addEventListener("input", apply);
  form.addEventListener("reset", () => setTimeout(apply));
  form.addEventListener("submit", (event) => event.preventDefault());
  apply();
}

// Two images in one picture: as squares, each alone, or one after the other, where what is displaced jumps.
const TURN_MS = 700;
function turning(figure) {
  const images = new Map([...figure.querySelectorAll("[data-turn]")].map((image) => [image.dataset.turn, image]));
  const bar = document.createElement("div");
  bar.className = "turns";
  bar.role = "group";
  bar.ariaLabel = "What the picture shows";
  let timer;
  const show = (wanted) => images.forEach((image, name) => (image.hidden = name !== wanted));
  const press = (button, name) => {
    clearInterval(timer);
    for (const other of bar.children) other.ariaPressed = String(other === button);
    if (images.has(name)) return show(name);
    let n = 0;
    const next = () => show(["baseline", "visit"][n++ % 2]);
    next();
    timer = setInterval(next, TURN_MS);
  };
  for (const [name, text] of [["squares", "Squares"], ["baseline", "Baseline"], ["visit", "Visit"], ["", "In turn"]]) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = text;
    button.ariaPressed = String(name === "squares");
    button.addEventListener("click", () => press(button, name));
    bar.append(button);
  }
  addEventListener("beforeprint", () => press(bar.firstChild, "squares"));
  figure.querySelector(".picture").after(bar);
}

document.querySelectorAll("table[data-sortable]").forEach(sortable);
document.querySelectorAll(".turning").forEach(turning);
document.querySelectorAll("form[data-table]").forEach(filtered);
// What is folded on the screen is printed.
addEventListener("beforeprint", () => {
  for (const folded of document.querySelectorAll("details:not([open])")) {
    folded.open = true;
    folded.dataset.opened = "";
  }
});
addEventListener("afterprint", () => {
  for (const opened of document.querySelectorAll("details[data-opened]")) {
    opened.open = false;
    delete opened.dataset.opened;
  }
});
