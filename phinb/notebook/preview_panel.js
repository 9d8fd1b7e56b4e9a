// The panel of a preview: where one is in the data, how far the counting is, problems with their remedies, the template, the
// tokens, the numbers. It draws what the kernel describes and computes nothing. Joined behind the files that it is made of.

const SILENCE_MS = 8000;
const SILENT = "The kernel does not answer: it is busy, or gone. If it is gone, run the cell again.";

function createLegend() {
  const sample = (lane, text) => make("span", classOf(lane), {}, text);
  const legend = make("div", "phinb-legend");
  legend.append(sample("t", "trained on"), sample("c", "in context only"), sample("C", "special"), sample("p", "padding"), sample("x", "cut off"));
  legend.append(make("span", "phinb-dim", {}, "⏎ line end · space that is no word's own"));
  return legend;
}

// ◀ [17] / 360 ▶ and the order.
class Place {
  constructor(send) {
    this.place = {};
    const go = throttle((order, position) => send({ action: "show", order, position }));
    this.ask = (order, position) => { this.place = { ...this.place, order, position }; go(order, position); };
    this.before = button("◀", "", () => this.step(-1));
    this.after = button("▶", "", () => this.step(1));
    this.before.setAttribute("aria-label", "Previous sequence");
    this.after.setAttribute("aria-label", "Next sequence");
    this.number = make("input", "phinb-mono", { type: "number", min: "1", "aria-label": "Sequence", autocomplete: "off" });
    this.number.addEventListener("change", () => this.jump());
    this.number.addEventListener("keydown", (event) => { if (event.key === "Enter") this.jump(); });
    this.total = make("span", "phinb-mono");
    this.order = make("select", "", { "aria-label": "Order of the sequences" });
    this.order.addEventListener("change", () => this.ask(this.order.value, 1));
    this.node = make("div", "phinb-place-of", { role: "toolbar", "aria-label": "Sequences" }, this.before, this.number, this.total, this.after, this.order);
  }

  step(by) {
    this.ask(this.place.order, Math.min(Math.max(this.place.position + by, 1), Math.max(this.place.total, 1)));
    this.draw();
  }

  jump() {
    // Of an order that was chosen just now nobody here knows yet how many there are; the kernel does.
    const most = this.place.order === this.known ? Math.max(this.place.total, 1) : Infinity;
    const wanted = Math.min(Math.max(Math.round(Number(this.number.value)) || 1, 1), most);
    if (wanted !== this.place.position) this.ask(this.place.order, wanted);
    this.number.value = String(wanted);
  }

  fill(place) {
    this.place = { ...place };
    this.known = place.order;
    this.node.hidden = place.total === undefined;
    if (!this.node.hidden) this.draw();
  }

  draw() {
    const { position, total, more, order } = this.place;
    if (this.number.getRootNode().activeElement !== this.number) this.number.value = String(position);
    this.number.max = String(total);
    this.number.style.width = `${Math.max(String(total).length, 2) + 3.5}ch`;
    write(this.total, `/ ${total.toLocaleString("en")}${more ? " so far" : ""}`);
    enable(this.before, position > 1);
    enable(this.after, position < total);
    if (this.order.value !== order) this.order.value = order;
  }

  fillOrders(orders) {
    keep(this.order, orders, () => make("option", ""), (option, { order, label, some }) => {
      option.value = order;
      write(option, label);
      option.disabled = !some && order !== this.place.order;
    });
    if (this.place.order) this.order.value = this.place.order;
  }
}

// Whether the kernel is silent though it was asked, or though it counts. JupyterLab does not tell a panel that its kernel was
// restarted, and nobody would hear what is sent.
class Silence {
  constructor(model, isExpected, changed) {
    this.since = this.asked = 0;
    this.lost = false;
    this.look = () => {
      const lost = (this.asked > 0 || isExpected()) && Date.now() - Math.max(this.since, this.asked) > SILENCE_MS;
      if (lost === this.lost) return;
      this.lost = lost;
      changed();
    };
    this.hear = () => { this.since = Date.now(); this.asked = 0; this.look(); };
    this.hear();
    this.timer = setInterval(this.look, 1000);
    model.on("change:spoken", this.hear);
    this.close = () => { clearInterval(this.timer); model.off("change:spoken", this.hear); };
  }

  ask() {
    this.asked = this.asked || Date.now();
  }
}

function render({ model, el }) {
  const send = (content) => { silence.ask(); model.send(content); };
  const panel = make("div", "phinb phinb-live phinb-preview", { role: "group" });
  keepKeys(panel);

  const head = make("div", "phinb-head");
  const name = make("b", "");
  const data = make("select", "phinb-data", { "aria-label": "Data config" });
  data.addEventListener("change", () => send({ action: "data", number: Number(data.value) }));
  const told = make("span", "phinb-told phinb-dim");
  const place = new Place(send);
  const undo = button("Undo", "", () => send({ action: "undo" }));
  const actions = make("div", "phinb-buttons", {}, undo);
  head.append(name, data, told, place.node, actions);

  // At the foot, so that nothing above moves when it comes and goes.
  const progress = make("div", "phinb-progress");
  const bar = make("div", "phinb-bar", { role: "progressbar", "aria-label": "Counting", "aria-valuemin": "0", "aria-valuemax": "100" });
  bar.append(make("i", ""));
  const [doing, stop] = [make("span", "phinb-doing"), button("Stop", "phinb-fix", () => send({ action: stop.dataset.action }))];
  progress.append(bar, doing, stop);

  const body = make("div", "phinb-preview-body");
  const cards = make("div", "", { tabindex: "-1", role: "group", "aria-label": "Problems" });
  const editor = new TemplateEditor(send);
  const template = make("details", "phinb-details", {}, make("summary", "", {}, "Edit the template"), editor.node);
  const tokens = new TokenView();
  const rows = new RowsTable(send);
  const table = make("details", "phinb-details", {}, make("summary", "", {}, "Rows"), rows.node);
  table.addEventListener("toggle", () => { if (table.open) send({ action: "rows" }); });
  rows.node.hidden = true;
  const numbers = new Numbers();
  const compare = button("Look for near duplicates", "phinb-fix", () => send({ action: "compare" }));
  const more = make("div", "phinb-more-work", {}, compare);
  body.append(cards, template, tokens.node, createLegend(), numbers.node, more, numbers.full, table);
  const note = make("div", "phinb-note", { role: "status", "aria-live": "polite" });
  const strip = make("div", "phinb-strip", {}, progress, note);
  panel.append(head, body, strip);
  el.replaceChildren(panel);

  function drawState() {
    const state = model.get("state");
    if (!state.name) return;
    panel.setAttribute("aria-label", `Preview of ${state.data || state.name}, ${state.name}`);
    const several = state.names.length > 1 && state.chosen >= 0;
    data.hidden = !several;
    name.hidden = several;
    write(name, state.data || state.name);
    keep(data, state.names, () => make("option", ""), (option, text) => write(option, text));
    [...data.children].forEach((option, number) => { option.value = String(number); });
    if (several) data.value = String(state.chosen);
    write(told, state.told);
    panel.classList.toggle("phinb-stale", state.stale);
    tokens.node.classList.toggle("phinb-old", state.failed && state.cards.length > 0);
    place.fillOrders(state.orders);
    const hadFocus = cards.contains(panel.getRootNode().activeElement);
    keep(cards, state.cards, () => createCard(send), changeCard);
    if (hadFocus && !cards.contains(panel.getRootNode().activeElement)) cards.focus();
    more.hidden = !state.comparable;
    undo.hidden = !state.undo;
    undo.title = state.undo ? `Take back the last of ${state.undo} changes` : "";
    drawProgress(state.progress);
    const said = silence.lost ? { text: SILENT, tone: "warn" } : state.said;
    write(note, said?.text ?? "");
    note.className = `phinb-note ${said?.tone ? `phinb-${said.tone}` : ""}`;
  }

  function drawProgress(progress) {
    const gone = silence.lost && progress.action;
    const text = gone ? `Was ${progress.text.charAt(0).toLowerCase()}${progress.text.slice(1)}` : progress.text;
    const { fraction, action } = gone ? { fraction: null, action: "" } : progress;
    write(doing, text);
    bar.hidden = !action;
    const known = fraction !== null;
    bar.classList.toggle("phinb-unknown", !known);
    bar.firstElementChild.style.width = known ? `${100 * fraction}%` : "";
    bar.setAttribute("aria-valuetext", text);
    if (known) bar.setAttribute("aria-valuenow", String(Math.round(100 * fraction)));
    else bar.removeAttribute("aria-valuenow");
    stop.hidden = !action;
    stop.dataset.action = action;
    write(stop, action === "go_on" ? "Go on" : "Stop");
  }

  const silence = new Silence(model, () => model.get("state").progress?.action === "stop", drawState);
  const leave = follow(model, {
    "change:place": () => place.fill(model.get("place")),
    "change:state": drawState,
    "change:sequence": () => tokens.fill(model.get("sequence")),
    "change:numbers": () => numbers.fill(model.get("numbers")),
    "change:template": () => {
      template.hidden = !model.get("template").kind;
      if (!template.hidden) editor.fill(model.get("template"));
    },
    "change:rows": () => {
      const state = model.get("rows");
      rows.node.hidden = !state.columns;
      if (state.columns) rows.fill(state);
    },
  });
  return () => { leave(); silence.close(); tokens.close(); };
}

export default { render };
