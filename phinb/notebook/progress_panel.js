// Draws a View (run_view.py) and says which button was pressed. It computes nothing: words, fractions and places come
// from the kernel. Nodes are made once and changed in place, so that focus and selection stay where they are.

const SVG = "http://www.w3.org/2000/svg";

function make(name, className, attributes = {}) {
  const node = document.createElement(name);
  node.className = className;
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  return node;
}

function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// Keeps one child a row of `rows`: `create(row)` makes what is missing, `change(child, row)` updates it.
function keep(parent, rows, create, change) {
  while (parent.children.length > rows.length) parent.lastElementChild.remove();
  rows.forEach((row, index) => {
    if (!parent.children[index]) parent.append(create(row));
    change(parent.children[index], row);
  });
}

function createLine() {
  const line = make("div", "phinb-line", { role: "listitem" });
  const name = make("span", "phinb-name");
  name.append(make("b", ""), " ", make("span", "phinb-dim"));
  const bar = make("div", "phinb-bar", { role: "progressbar", "aria-valuemin": "0", "aria-valuemax": "100" });
  bar.append(document.createElement("i"));
  line.append(make("span", "phinb-symbol", { role: "img" }), name, bar, make("span", "phinb-text"));
  return line;
}

function changeLine(line, row) {
  const [symbol, name, bar, text] = line.children;
  line.dataset.status = row.status;
  write(symbol, row.symbol);
  symbol.setAttribute("aria-label", row.status);
  write(name.children[0], row.name);
  write(name.children[1], row.kind);
  write(text, row.text);
  const known = row.fraction !== null;
  bar.classList.toggle("phinb-unknown", !known && row.status === "running");
  bar.firstElementChild.style.width = known ? `${100 * row.fraction}%` : "";
  bar.setAttribute("aria-label", row.name);
  bar.setAttribute("aria-valuetext", row.text);
  // Without a known share there is no aria-valuenow: that is how "indeterminate" is told.
  if (known) bar.setAttribute("aria-valuenow", String(Math.round(100 * row.fraction)));
  else bar.removeAttribute("aria-valuenow");
}

function createCard() {
  const card = make("div", "phinb-card");
  const texts = make("div", "");
  texts.append(make("b", ""), " ", make("span", ""), make("span", "phinb-dim"), make("span", "phinb-dim"));
  card.append(make("span", "phinb-symbol", { role: "img" }), texts);
  return card;
}

function changeCard(card, row) {
  const [symbol, texts] = card.children;
  card.dataset.severity = row.severity;
  write(symbol, row.symbol);
  symbol.setAttribute("aria-label", row.severity);
  const [strong, plain] = row.place ? [row.place, row.title] : [row.title, ""];
  [strong, plain, row.text, row.hint].forEach((text, index) => {
    write(texts.children[index], text);
    texts.children[index].hidden = !text;
  });
}

function createFact() {
  const fact = document.createElement("span");
  fact.append(make("b", ""), " ", make("span", "phinb-dim"));
  return fact;
}

function changeFact(fact, row) {
  write(fact.children[0], row.value);
  write(fact.children[1], row.label);
}

function shape(name, attributes, text) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  return node;
}

function drawChart(holder, chart) {
  holder.hidden = !chart;
  if (!chart) return holder.replaceChildren();
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
  return holder.replaceChildren(svg);
}

function render({ model, el }) {
  const panel = make("div", "phinb", { role: "group" });
  const head = make("div", "phinb-head");
  const [name, pill, run_id] = [make("b", ""), make("span", "phinb-pill"), make("span", "phinb-dim phinb-mono")];
  const buttons = make("div", "phinb-buttons", { role: "toolbar", "aria-label": "Actions" });
  head.append(name, pill, run_id, buttons);
  const body = make("div", "phinb-body");
  const [left, lines, cards] = [make("div", ""), make("div", "phinb-lines", { role: "list", "aria-label": "Passes" }), make("div", "")];
  const chart = make("div", "phinb-chart");
  left.append(lines, cards);
  body.append(left, chart);
  const log = make("pre", "phinb-log", { tabindex: "0", role: "log", "aria-live": "off", "aria-label": "Log" });
  const strip = make("div", "phinb-strip");
  const [facts, note] = [make("span", ""), make("span", "phinb-note")];
  facts.style.display = "contents";
  strip.append(facts, note);
  // Only a change of the status is spoken; a bar that moves ten times a second must not be.
  const spoken = make("div", "phinb-aside", { role: "status", "aria-live": "polite" });
  panel.append(head, body, log, strip, spoken);
  el.replaceChildren(panel);

  function createButton() {
    const button = make("button", "", { type: "button" });
    button.addEventListener("click", () => {
      if (button.getAttribute("aria-disabled") === "true") return;
      if (button.dataset.action === "log") {
        model.set("log_open", !model.get("log_open"));
        model.save_changes();
      } else model.send({ action: button.dataset.action });
    });
    return button;
  }

  function changeButton(button, row) {
    button.dataset.action = row.action;
    write(button, row.label);
    button.title = row.title;
    // Not `disabled`: a button that has just been pressed must keep the keyboard's focus.
    button.setAttribute("aria-disabled", String(!row.enabled));
    if (row.action === "log") button.setAttribute("aria-expanded", String(model.get("log_open")));
    else button.removeAttribute("aria-expanded");
  }

  function drawView() {
    const view = model.get("view");
    if (!view.status_text) return;
    panel.setAttribute("aria-label", `Run ${view.name}`);
    write(name, view.name);
    write(pill, view.status_text);
    pill.className = `phinb-pill phinb-${view.tone}`;
    write(run_id, view.run_id);
    keep(buttons, view.buttons, createButton, changeButton);
    keep(lines, view.lines, createLine, changeLine);
    keep(cards, view.cards, createCard, changeCard);
    keep(facts, view.facts, createFact, changeFact);
    write(note, view.note);
    strip.hidden = !view.facts.length && !view.note;
    write(spoken, `${view.name} ${view.status_text}. ${view.tone === "bad" && view.cards.length ? view.cards[0].title : ""}`);
  }

  function drawLog() {
    const atEnd = log.scrollTop + log.clientHeight >= log.scrollHeight - 4;
    const opening = log.hidden;
    log.hidden = !model.get("log_open");
    write(log, model.get("log_text") || "Nothing has been printed yet.");
    if (atEnd || opening) log.scrollTop = log.scrollHeight;
  }

  const drawings = {
    "change:view": drawView,
    "change:chart": () => drawChart(chart, model.get("chart")),
    "change:log_text": drawLog,
    "change:log_open": () => { drawLog(); drawView(); },
  };
  for (const [event, draw] of Object.entries(drawings)) {
    model.on(event, draw);
    draw();
  }
  return () => Object.entries(drawings).forEach(([event, draw]) => model.off(event, draw));
}

export default { render };
