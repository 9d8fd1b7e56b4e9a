// A Chart (workflow/chart.py) as SVG. Places and words come from the kernel. Joined behind elements.js.

const SVG = "http://www.w3.org/2000/svg";

function shape(name, attributes, text) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  return node;
}

function drawChart(chart) {
  const svg = shape("svg", { viewBox: `0 0 ${chart.width} ${chart.height}`, role: "img", "aria-label": chart.description });
  for (const tick of chart.y_ticks) {
    svg.append(shape("path", { class: "phinb-rule", d: `M${chart.left} ${tick.at}H${chart.right}` }));
    svg.append(shape("text", { x: chart.left - 6, y: tick.at + 3.5, "text-anchor": "end" }, tick.label));
  }
  for (const tick of chart.x_ticks)
    svg.append(shape("text", { x: tick.at, y: chart.bottom + 12, "text-anchor": "middle" }, tick.label));
  const middle = (chart.left + chart.right) / 2;
  svg.append(shape("text", { x: middle, y: chart.height - 3, "text-anchor": "middle" }, chart.x_title));
  if (chart.now !== null) svg.append(shape("path", { class: "phinb-now", d: `M${chart.now} ${chart.top}V${chart.bottom}` }));
  if (chart.line.length === 1)
    svg.append(shape("circle", { class: "phinb-only-point", cx: chart.line[0][0], cy: chart.line[0][1], r: 2.5 }));
  svg.append(shape("path", { class: "phinb-loss", d: "M" + chart.line.map(([x, y]) => `${x} ${y}`).join("L") }));
  for (const [x, y] of chart.dots) svg.append(shape("circle", { class: "phinb-eval", cx: x, cy: y, r: 3.5 }));
  for (const label of chart.labels)
    svg.append(shape("text", { x: label.x, y: label.y, "data-series": label.series }, label.text));
  return svg;
}

// The charts are alternatives: a row of buttons chooses one. `chart_key` is the browser's to set and survives a reload.
class Charts {
  constructor(model) {
    this.model = model;
    this.choice = make("div", "phinb-choice", { role: "group", "aria-label": "Chart" });
    this.place = make("div", "");
    this.node = make("div", "phinb-chart", {}, this.choice, this.place);
  }

  create() {
    const node = button("", "", () => {
      this.model.set("chart_key", node.dataset.key);
      this.model.save_changes();
    });
    return node;
  }

  draw() {
    const charts = this.model.get("charts");
    this.node.hidden = !charts.length;
    if (!charts.length) return this.place.replaceChildren();
    const shown = charts.find((chart) => chart.key === this.model.get("chart_key")) ?? charts[0];
    keep(this.choice, charts, () => this.create(), (node, chart) => {
      node.dataset.key = chart.key;
      write(node, chart.label);
      node.setAttribute("aria-pressed", String(chart === shown));
    });
    this.choice.hidden = charts.length < 2;
    return this.place.replaceChildren(drawChart(shown));
  }
}
