// Draws a View (workflow/view.py) and says which button was pressed. It computes nothing: words, fractions and places
// come from the kernel. Joined behind elements.js, cards.js and chart.js.

const SILENCE_MS = 8000;

function createLine() {
  const name = make("span", "phinb-name", {}, make("b", ""), " ", make("span", "phinb-dim"));
  const bar = make("div", "phinb-bar", { role: "progressbar", "aria-valuemin": "0", "aria-valuemax": "100" }, make("i", ""));
  const symbol = make("span", "phinb-symbol", { role: "img" });
  return make("div", "phinb-line", { role: "listitem" }, symbol, name, bar, make("span", "phinb-text"));
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

// A notice has no place in a text: its title takes the weight, and what it says more stands with the remedy.
function changeNotice(card, row) {
  const more = [row.text, row.hint].filter(Boolean).join("\n");
  const fix = row.fix ? { title: row.fix, number: [...card.parentNode.children].indexOf(card) } : null;
  changeCard(card, { ...row, place: row.place || row.title, title: row.place ? row.title : "", hint: more, fix });
}

function createFact() {
  return make("span", "", {}, make("b", ""), " ", make("span", "phinb-dim"));
}

function changeFact(fact, row) {
  write(fact.children[0], row.value);
  write(fact.children[1], row.label);
}

function createAnswers() {
  return make("div", "phinb-answers", {}, make("div", "phinb-prompt"), make("div", "phinb-given"));
}

function changeAnswers(node, row) {
  write(node.children[0], row.prompt);
  const createAnswer = () => make("div", "", {}, make("span", "phinb-step"), " ", make("span", "phinb-answer"));
  keep(node.children[1], row.given, createAnswer, (pair, answer) => {
    write(pair.children[0], answer.step);
    write(pair.children[1], answer.text);
  });
}

function render({ model, el }) {
  const panel = make("div", "phinb phinb-live", { role: "group" });
  const [name, pill, run_id] = [make("b", ""), make("span", "phinb-pill"), make("span", "phinb-dim phinb-mono")];
  const buttons = make("div", "phinb-buttons", { role: "toolbar", "aria-label": "Actions" });
  const head = make("div", "phinb-head", {}, name, pill, run_id, buttons);
  const lines = make("div", "phinb-lines", { role: "list", "aria-label": "Passes" });
  const cards = make("div", "");
  const charts = new Charts(model);
  const body = make("div", "phinb-body", {}, make("div", "", {}, lines, cards), charts.node);
  const samples = make("div", "phinb-samples", { role: "group", "aria-label": "Samples", tabindex: "0" });
  const log = make("pre", "phinb-log", { tabindex: "0", role: "log", "aria-live": "off", "aria-label": "Log" });
  const [facts, note] = [make("span", "phinb-facts"), make("span", "phinb-note")];
  const strip = make("div", "phinb-strip", {}, facts, note);
  // Only a change of the status is spoken; a bar that moves ten times a second must not be.
  const spoken = make("div", "phinb-aside", { role: "status", "aria-live": "polite" });
  panel.append(head, body, samples, log, strip, spoken);
  el.replaceChildren(panel);
  keepKeys(panel);
  let connected = true;

  function createButton() {
    const node = button("", "", () => {
      if (node.dataset.action === "log") {
        model.set("log_open", !model.get("log_open"));
        model.save_changes();
      } else model.send({ action: node.dataset.action });
    });
    return node;
  }

  function changeButton(node, row) {
    node.dataset.action = row.action;
    write(node, row.label);
    node.title = row.title;
    enable(node, row.enabled && connected);
    if (row.action === "log") node.setAttribute("aria-expanded", String(model.get("log_open")));
    else node.removeAttribute("aria-expanded");
  }

  function drawView() {
    const view = model.get("view");
    if (!view.status_text) return;
    panel.setAttribute("aria-label", `Run ${view.name}`);
    write(name, view.name);
    write(pill, connected ? view.status_text : `was ${view.status_text}`);
    pill.className = `phinb-pill phinb-${connected ? view.tone : "dim"}`;
    write(run_id, view.run_id);
    keep(buttons, view.buttons, createButton, changeButton);
    keep(lines, view.lines, createLine, changeLine);
    keep(cards, view.cards, () => createCard((content) => model.send(content), () => {}), changeNotice);
    keep(samples, view.answers, createAnswers, changeAnswers);
    samples.hidden = !view.answers.length;
    keep(facts, view.facts, createFact, changeFact);
    write(note, connected ? view.note : view.lost_note);
    strip.hidden = !view.facts.length && !note.textContent;
    write(spoken, `${view.name} ${pill.textContent}. ${view.tone === "bad" && view.cards.length ? view.cards[0].title : ""}`);
  }

  function drawLog() {
    const atEnd = log.scrollTop + log.clientHeight >= log.scrollHeight - 4;
    const opening = log.hidden;
    log.hidden = !model.get("log_open");
    write(log, model.get("log_text") || "Nothing has been printed yet.");
    if (atEnd || opening) log.scrollTop = log.scrollHeight;
  }

  // JupyterLab does not tell a panel that its kernel was restarted: it is gone where it is silent. What is shown then stays
  // as it was, says so, and offers nothing that nobody would hear, until the kernel speaks again.
  let heard = Date.now();
  function listen() {
    const silent = model.get("beat") >= 0 && Date.now() - heard > SILENCE_MS;
    if (silent === connected) {
      connected = !silent;
      drawView();
    }
  }
  const hear = () => { heard = Date.now(); listen(); };
  const timer = setInterval(listen, 1000);
  model.on("change:beat", hear);
  const end = follow(model, {
    "change:view": drawView,
    "change:charts": () => charts.draw(),
    "change:chart_key": () => charts.draw(),
    "change:log_text": drawLog,
    "change:log_open": () => { drawLog(); drawView(); },
  });
  return () => { clearInterval(timer); model.off("change:beat", hear); end(); };
}

export default { render };
