(() => {
  "use strict";
  const root = document.documentElement;
  const figures = JSON.parse(document.getElementById("figures").textContent);
  const darkScheme = window.matchMedia("(prefers-color-scheme: dark)");
  const hovers = window.matchMedia("(hover: hover)").matches;  // not so on phones, where a drag is to scroll

  // Colours are CSS variables in the data, so that one figure serves light and dark.
  function resolved(value, style) {
    if (typeof value === "string") {
      const name = /^var\((--[\w-]+)\)$/.exec(value);
      return name ? style.getPropertyValue(name[1]).trim() : value;
    }
    if (Array.isArray(value)) return value.map((item) => resolved(item, style));
    if (value !== null && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, resolved(item, style)]));
    }
    return value;
  }

  function merged(base, own) {
    const out = { ...base };
    for (const [key, value] of Object.entries(own || {})) {
      const both = [out[key], value].every((v) => v !== null && typeof v === "object" && !Array.isArray(v));
      out[key] = both ? merged(out[key], value) : value;
    }
    return out;
  }

  function defaults(narrow) {
    const axis = {
      gridcolor: "var(--grid)", linecolor: "var(--edge)", zeroline: false, automargin: true,
      tickfont: { color: "var(--dim)" }, title: { font: { size: 12, color: "var(--dim)" }, standoff: 8 },
    };
    return {
      autosize: true,
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: getComputedStyle(document.body).fontFamily, size: narrow ? 11 : 12, color: "var(--ink)" },
      margin: { l: 8, r: 14, t: 12, b: 8 },
      hovermode: "closest",
      hoverlabel: { bgcolor: "var(--panel)", bordercolor: "var(--edge)", font: { color: "var(--ink)" }, align: "left" },
      legend: { orientation: "h", yref: "container", y: 0, yanchor: "bottom", x: 0, xanchor: "left" },
      modebar: { bgcolor: "rgba(0,0,0,0)", color: "var(--dim)", activecolor: "var(--accent)" },
      dragmode: hovers ? "zoom" : false,
      xaxis: axis,
      yaxis: axis,
    };
  }

  function draw(name) {
    const place = document.getElementById(name);
    const style = getComputedStyle(root);
    const layout = resolved(merged(defaults(place.clientWidth < 480), figures[name].layout), style);
    const options = {
      responsive: true, displaylogo: false, displayModeBar: hovers ? "hover" : false, showSendToCloud: false,
      modeBarButtons: [["zoom2d", "pan2d", "resetScale2d", "toImage"]],
      toImageButtonOptions: { format: "svg", filename: name },
    };
    return window.Plotly.react(place, resolved(figures[name].data, style), layout, options);
  }

  function drawAll() {
    return Promise.all(Object.keys(figures).map(draw)).then(() => root.setAttribute("data-drawn", "true"));
  }

  function isDark() {
    return root.dataset.theme ? root.dataset.theme === "dark" : darkScheme.matches;
  }

  const button = document.getElementById("theme");
  function themed() {
    button.textContent = isDark() ? "Light" : "Dark";
    button.setAttribute("aria-pressed", String(isDark()));
    button.setAttribute("aria-label", `Show in ${isDark() ? "light" : "dark"} colours`);
    return drawAll();
  }
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    themed();
  });
  darkScheme.addEventListener("change", themed);

  // Sorting: numbers by their data-key, what has none last both ways, and text as people order it.
  function compare(first, second, sign) {
    const [a, b] = [first, second].map((cell) => cell.dataset.key);
    if (a === undefined || b === undefined) {
      return sign * first.textContent.localeCompare(second.textContent, "en", { numeric: true });
    }
    if (a === "" || b === "") return (a === "") - (b === "");
    return sign * (Number(a) - Number(b));
  }

  function sort(heading) {
    const table = heading.closest("table");
    const descending = heading.getAttribute("aria-sort") === "ascending";
    table.querySelectorAll("thead th").forEach((other) => other.setAttribute("aria-sort", "none"));
    heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
    const body = table.tBodies[0];
    const rows = Array.from(body.rows);
    rows.sort((a, b) => compare(a.cells[heading.cellIndex], b.cells[heading.cellIndex], descending ? -1 : 1));
    body.append(...rows);
  }
  document.querySelectorAll("table.sortable thead th").forEach((heading) => {
    heading.querySelector("button").addEventListener("click", () => sort(heading));
  });

  themed();
})();
