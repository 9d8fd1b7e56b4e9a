// The panel of a chat: which variants are asked, the form of the template's fields, the replies as they come, what was asked
// before. It draws what the kernel describes and computes nothing. Joined behind elements.js and chat_turn.js.

const SILENCE_MS = 8000;
const pills = { loading: ["is loading", "run"], answering: ["is answering", "run"] };

function createColumn(choose) {
  const tick = make("input", "", { type: "checkbox" });
  tick.addEventListener("change", choose);
  const label = make("label", "phinb-row", {}, tick, make("span", "phinb-mark", { "aria-hidden": "true" }), make("b", ""));
  return make("div", "phinb-column", {}, label, make("span", "phinb-dim phinb-figures"));
}

function changeColumn(node, column) {
  const [label, told] = node.children;
  dress(node, column);
  label.children[0].checked = column.chosen;
  label.children[0].dataset.key = column.key;
  write(label.children[1], column.mark);
  write(label.children[2], column.name);
  write(told, column.told);
  told.classList.toggle("phinb-bad", column.status === "failed");
  node.dataset.status = column.status;
}

// A field grows with its text; Ctrl+Enter sends.
function createField(changed, submit) {
  const area = make("textarea", "", { rows: "1", id: newId(), spellcheck: "false" });
  area.addEventListener("input", () => {
    area.style.height = "auto";
    area.style.height = `${Math.min(area.scrollHeight + 2, 240)}px`;
    changed();
  });
  area.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    event.stopPropagation();
    submit();
  });
  return make("div", "phinb-field", {}, make("label", "", { for: area.id }), area);
}

function createSetting(key, label, attributes) {
  const input = make("input", "", { id: newId(), autocomplete: "off", ...attributes });
  input.dataset.key = key;
  return make("div", "phinb-row", {}, make("label", "", { for: input.id }, label), input);
}

class Settings {
  constructor() {
    const number = (step, low, high) => ({ type: "number", step, min: low, ...(high ? { max: high } : {}) });
    this.node = make("details", "phinb-details", {}, make("summary", "", {}, "Settings"));
    this.fields = make("div", "phinb-row phinb-settings", {},
      createSetting("max_new_tokens", "Most new tokens", number("1", "1")),
      createSetting("temperature", "Temperature (0: greedy)", number("0.1", "0", "10")),
      createSetting("top_p", "top_p", number("0.05", "0.05", "1")),
      createSetting("seed", "Seed", { type: "number", step: "1", placeholder: "none" }),
      createSetting("at_once", "All at once (slower for each; not in turn)", { type: "checkbox" }));
    this.node.append(this.fields);
  }

  get inputs() { return [...this.fields.querySelectorAll("input")]; }

  fill(settings) {
    for (const input of this.inputs) {
      const value = settings[input.dataset.key];
      if (input.type === "checkbox") input.checked = Boolean(value);
      else input.value = value ?? "";
    }
  }

  read() {
    return Object.fromEntries(this.inputs.map((input) => [input.dataset.key, input.type === "checkbox" ? input.checked : input.value]));
  }
}

function render({ model, el }) {
  let [timer, heard, lost, filled, diff] = [0, 0, false, false, true];
  const state = () => model.get("state");
  const panel = make("div", "phinb phinb-live phinb-chat", { role: "group" });
  keepKeys(panel);

  const [name, pill, run_id] = [make("b", ""), make("span", "phinb-pill"), make("span", "phinb-dim phinb-mono")];
  const rest = button("Free the memory", "", () => tell({ action: "rest" }));
  rest.title = "End the variants' processes; the next prompt loads them again";
  const head = make("div", "phinb-head", {}, name, pill, run_id, make("div", "phinb-buttons", {}, rest));

  const columns = make("div", "phinb-columns", { role: "group", "aria-label": "Variants to ask" });
  const choose = () => tell({ action: "choose", names: [...columns.querySelectorAll("input:checked")].map((tick) => tick.dataset.key) });
  const note = make("div", "phinb-card", { "data-severity": "warning" }, make("span", "phinb-symbol", { role: "img", "aria-label": "warning" }, symbols.warning), make("div", ""));

  const fields = make("div", "phinb-fields");
  const values = () => Object.fromEntries([...fields.querySelectorAll("textarea")].map((area) => [area.dataset.key, area.value]));
  const ask = throttle(() => model.send({ action: "write", values: values() }), 200);
  const changed = () => { if (sent.open) ask(); };
  const send = button("Send", "phinb-fix phinb-go", () => submit());
  send.title = "Ctrl+Enter";
  const stop = button("Stop", "phinb-fix", () => tell({ action: "stop" }));
  const problem = make("span", "phinb-told phinb-bad", { role: "alert" });
  const actions = make("div", "phinb-row phinb-buttons phinb-send", {}, send, stop, make("span", "phinb-dim", {}, "Ctrl+Enter sends"), problem);
  const settings = new Settings();
  const text = make("pre", "phinb-sent phinb-mono", { tabindex: "0", "aria-label": "The prompt as it is sent" });
  const count = make("div", "phinb-dim phinb-figures");
  const sent = make("details", "phinb-details", {}, make("summary", "", {}, "The prompt as it is sent"), text, count);
  sent.addEventListener("toggle", changed);
  const form = make("div", "phinb-chat-form", {}, columns, note, fields, actions, settings.node, sent);

  const tick = make("input", "", { type: "checkbox", id: newId() });
  tick.checked = diff;
  tick.addEventListener("change", () => { diff = tick.checked; drawTurns(); drawGoing(); });
  const legend = make("span", "phinb-diff phinb-dim", {}, "(", make("del", "", {}, "not here"), " ", make("ins", "", {}, "only here"), ")");
  const compare = make("div", "phinb-row phinb-compare", {}, tick, make("label", "", { for: tick.id }, "Mark words against the first column"), legend);
  const going = new TurnView(tell);
  const turns = make("div", "phinb-turns", { role: "feed", "aria-label": "What was asked" });
  const views = new Map();
  const idle = make("span", "phinb-dim");
  const spoken = make("div", "phinb-aside", { role: "status", "aria-live": "polite" });
  panel.append(head, form, compare, going.node, turns, make("div", "phinb-strip", {}, idle), spoken);
  el.replaceChildren(panel);

  // What is sent is answered by a change of the state: where none comes, nobody may be there.
  function tell(content) {
    const before = heard;
    model.send(content);
    clearTimeout(timer);
    timer = setTimeout(() => { lost = heard === before; drawState(); }, SILENCE_MS);
  }

  function submit() {
    if (send.getAttribute("aria-disabled") === "true") return;
    tell({ action: "send", values: values(), settings: settings.read() });
  }

  function drawState() {
    const { form: { fields: rows = [] } = {}, busy, columns: variants = [], problem: told = {}, ...now } = state();
    if (!now.run_id) return;
    panel.setAttribute("aria-label", `Chat with ${now.name}`);
    write(name, `Chat with ${now.name}`);
    const [words, tone] = pills[busy] ?? (now.rests ? ["resting", "dim"] : ["ready", "ok"]);
    write(pill, lost ? "the kernel is silent" : words);
    pill.className = `phinb-pill phinb-${lost ? "warn" : tone}`;
    write(run_id, now.run_id);
    enable(rest, !now.rests);
    keep(columns, variants, () => createColumn(choose), changeColumn);
    note.hidden = !now.note;
    write(note.lastElementChild, now.note ?? "");
    keep(fields, rows, () => createField(changed, submit), (field, { key, label }) => {
      field.children[1].dataset.key = key;
      write(field.children[0], label);
    });
    if (!filled) settings.fill(now.settings);
    filled = true;
    enable(send, busy !== "answering");
    enable(stop, Boolean(busy));
    const silent = "The kernel does not answer: it is busy with a cell, or gone. If it is gone, run the cell again.";
    write(problem, lost ? silent : [told.text, told.hint].filter(Boolean).join(" "));
    write(idle, now.idle ?? "");
  }

  function drawPrompt() {
    const { text: as_sent = "", told = "", problem: wrong = "" } = model.get("prompt");
    write(text, as_sent || wrong);
    text.classList.toggle("phinb-dim", !as_sent);
    write(count, told);
  }

  function drawGoing() {
    const turn = model.get("going");
    going.node.hidden = !turn.number;
    if (!turn.number) return;
    going.fill({ ...turn, addable: false }, state(), diff);
    const done = turn.replies.filter((reply) => !reply.running).map((reply) => `${reply.name}: ${reply.text}. ${reply.figures}`);
    write(spoken, done.at(-1) ?? "");
  }

  // Each turn keeps its nodes, and with them what is being typed into them.
  function drawTurns() {
    const rows = model.get("turns");
    const wanted = new Set(rows.map((row) => row.number));
    for (const [number, view] of views) if (!wanted.has(number)) { view.node.remove(); views.delete(number); }
    [...rows].reverse().forEach((row) => {
      if (!views.has(row.number)) {
        views.set(row.number, new TurnView(tell));
        turns.prepend(views.get(row.number).node);
      }
      views.get(row.number).fill(row, state(), diff);
    });
    compare.hidden = !rows.length;
  }

  const hear = () => { heard += 1; lost = false; };
  const leave = follow(model, {
    "change:state": () => { hear(); drawState(); },
    "change:prompt": drawPrompt,
    "change:going": () => { hear(); drawGoing(); },
    "change:turns": () => { hear(); drawTurns(); },
  });
  return () => { clearTimeout(timer); leave(); };
}

export default { render };
