// The numbers of a preview: a histogram of tokens a row, and tables. preview_view.py and preview_histogram.py say what stands
// where; preview_html.py draws the same for saved notebooks. Joined behind elements.js.

function shape(name, attributes, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

function drawHistogram(holder, drawn) {
  holder.hidden = !drawn;
  if (!drawn) return holder.replaceChildren();
  const { width, height, bottom, bars, ticks, limit } = drawn;
  const svg = shape("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": drawn.description });
  svg.append(shape("path", { class: "phinb-rule", d: `M6 ${bottom}H${width - 6}` }));
  for (const bar of bars) {
    if (!bar.height) continue;
    const place = { x: bar.x, y: bar.y, width: bar.width, height: bar.height };
    svg.append(shape("rect", { class: bar.cut ? "phinb-over" : "phinb-count", ...place }, shape("title", {}, bar.text)));
  }
  for (const tick of ticks) svg.append(shape("text", { x: tick.at, y: bottom + 13, "text-anchor": "middle" }, tick.label));
  if (limit !== null) svg.append(shape("path", { class: "phinb-limit", d: `M${limit} 8V${bottom}` }));
  return holder.replaceChildren(make("div", "phinb-dim", {}, drawn.title), svg);
}

class FigureTable {
  constructor(label) {
    this.node = make("table", "", { "aria-label": label });
    this.body = make("tbody", "");
    this.node.append(this.body);
  }

  fill(figures) {
    keep(this.body, figures ?? [], () => {
      const row = make("tr", "");
      row.append(make("th", "", { scope: "row" }), make("td", "phinb-number", {}, make("span", "")));
      return row;
    }, (row, [what, number, tone]) => {
      write(row.children[0], what);
      write(row.children[1].firstChild, number);
      row.children[1].firstChild.className = tone ? `phinb-${tone}` : "";
    });
  }
}

class Numbers {
  constructor() {
    this.histogram = make("div", "phinb-chart phinb-histogram");
    this.few = new FigureTable("Numbers");
    this.all = new FigureTable("Numbers in full");
    this.node = make("div", "phinb-numbers", {}, this.histogram, this.few.node);
    this.full = make("details", "phinb-details", {}, make("summary", "", {}, "Numbers in full"), this.all.node);
  }

  fill(numbers) {
    this.node.hidden = this.full.hidden = !numbers.figures;
    const drawn = JSON.stringify(numbers.histogram ?? null);
    if (drawn !== this.drawn) drawHistogram(this.histogram, numbers.histogram ?? null);
    this.drawn = drawn;
    this.few.fill(numbers.figures);
    this.all.fill(numbers.full);
  }
}
