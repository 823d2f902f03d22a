"use strict";
// The rate chart and the keyboard shortcuts. htmx alone keeps the rows up to date.

const REFRESH_MS = 10_000;
const place = document.getElementById("rate");
const text = document.getElementById("rate-text");
const buttons = [...document.querySelectorAll("[data-window]")];
let chosen = "hour";
let chart = null;

function colours() {
  const style = getComputedStyle(document.documentElement);
  const accent = getComputedStyle(document.querySelector("nav a")).color;
  return { text: style.color, accent };
}

function draw({ times, counts, total, label }) {
  const { text: stroke, accent } = colours();
  const axis = { stroke, grid: { stroke: "rgba(128,128,128,.2)", width: 1 }, ticks: { show: false } };
  const options = {
    width: place.clientWidth,
    height: 160,
    cursor: { drag: { x: false } },
    legend: { show: false },
    scales: { y: { range: (_, least, most) => [0, Math.max(most, 4)] } },
    axes: [axis, { ...axis, size: 45 }],
    series: [{}, { stroke: accent, fill: accent, width: 0, points: { show: false }, paths: uPlot.paths.bars({ size: [0.8, 40] }) }],
  };
  chart?.destroy();
  chart = new uPlot(options, [times, counts], place);
  text.textContent = `${total.toLocaleString("en")} events in ${label}`;
}

async function refresh() {
  const asked = chosen;
  try {
    const answer = await fetch(`${place.dataset.url}&window=${asked}`);
    if (!answer.ok) throw new Error(answer.statusText);
    const rate = await answer.json();
    if (asked === chosen) draw(rate); // a slow answer must not replace that of a later choice
  } catch {
    text.textContent = "The event rate is not available at the moment. Retrying…";
  }
}

for (const button of buttons) {
  button.disabled = false;
  button.addEventListener("click", () => {
    chosen = button.dataset.window;
    for (const other of buttons) other.setAttribute("aria-pressed", other === button);
    refresh();
  });
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, select")) return;
  if (event.key === "/") {
    event.preventDefault();
    document.getElementById("filter-type").focus();
  }
  if (event.key === "j" || event.key === "k") {
    const rows = [...document.querySelectorAll(".row")];
    const next = rows.indexOf(document.activeElement) + (event.key === "j" ? 1 : -1);
    rows[Math.max(0, Math.min(next, rows.length - 1))]?.focus();
  }
});

addEventListener("resize", () => chart?.setSize({ width: place.clientWidth, height: 160 }));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", refresh);
setInterval(() => document.hidden || refresh(), REFRESH_MS);
refresh();
