// The panel of a configuration: its line, its form (config_form.js), its problems with their remedies, and the way back
// into the cell (cell_editor.js). It draws what config_view.py describes and computes nothing.

function createChange() {
  const change = make("div", "phinb-change");
  change.append(make("b", ""), " ", make("span", "phinb-mono"), " ", make("span", "phinb-dim"));
  return change;
}

function changeChange(change, [place, , before, after, why]) {
  write(change.children[0], /^\d/.test(place) ? `line ${place}` : place);
  write(change.children[1], `${before} → ${after}`);
  write(change.children[2], why);
}

function drawDiff(node, text) {
  const kinds = { "+": "phinb-added", "-": "phinb-removed", "@": "phinb-dim" };
  const kind = (line) => (/^(---|\+\+\+) /.test(line) ? "phinb-dim" : (kinds[line[0]] ?? ""));
  node.replaceChildren(...text.split("\n").flatMap((line) => [make("span", kind(line), {}, line), "\n"]));
}

function render({ model, el }) {
  const send = (content) => model.send(content);
  const panel = make("div", "phinb phinb-live phinb-config", { role: "group" });
  const form = new Form(model, send);

  const head = make("div", "phinb-head");
  const [name, pill, told] = [make("b", ""), make("span", "phinb-pill"), make("span", "phinb-told phinb-dim")];
  const actions = make("div", "phinb-buttons", { role: "toolbar", "aria-label": "Actions" });
  const undo = button("Undo", "", () => send({ action: "undo" }));
  const diff = button("Diff", "", () => { open.diff = !open.diff; drawTexts(); });
  const upgrade = button("Upgrade the text", "", () => send({ action: "upgrade" }));
  const copy = button("Copy", "", () => copyAndTell(model.get("texts").copy, "Copied."));
  const put = button("Write to the cell", "phinb-go", writeAndTell);
  actions.append(undo, diff, upgrade, copy, put);
  head.append(name, pill, told, actions);

  const bar = make("div", "phinb-bar-of-tabs", {}, form.tabs, form.filter);
  const difference = make("pre", "phinb-log phinb-diff", { tabindex: "0", role: "region", "aria-label": "Diff" });
  const body = make("div", "phinb-columns");
  const side = make("div", "phinb-side", { tabindex: "0", role: "region", "aria-label": "Problems and changes" });
  const [cards, fine] = [make("div", ""), make("p", "phinb-dim", {}, "No problems.")];
  const changes = make("details", "phinb-details");
  const [title, list] = [make("summary", ""), make("div", "")];
  changes.append(title, list);
  side.append(cards, fine, changes);
  body.append(form.node, side);
  const strip = make("div", "phinb-strip");
  const [standing, note] = [make("span", "phinb-dim"), make("span", "phinb-note", { role: "status", "aria-live": "polite" })];
  strip.append(standing, note);
  const live = make("div", "", {}, bar, difference, body, strip);
  panel.append(head, live);
  el.replaceChildren(panel);
  const open = { diff: false };

  keepKeys(panel);

  function say(text, tone = "") {
    write(note, text);
    note.className = `phinb-note ${tone && `phinb-${tone}`}`;
  }

  async function copyAndTell(text, done) {
    if (await copyText(text, panel)) return say(done);
    open.diff = true;
    drawTexts();
    write(difference, text);
    return say("The clipboard is closed to this page: the text is shown above, to be copied by hand.", "warn");
  }

  async function writeAndTell() {
    const { cells } = model.get("texts");
    const { written, missed } = writeCells(el, cells);
    if (written.length) send({ action: "written", numbers: written });
    const labels = (numbers) => numbers.map((number) => cells[number].label).join(", ");
    if (!missed.length) return say(`Written. Run ${labels(written)} again, and it stays.`, "ok");
    const text = missed.map((number) => cells[number].write).join("\n\n");
    const where = cells.length > 1 ? ` (${labels(missed)})` : "";
    return copyAndTell(text, `The cell's text could not be replaced${where}. Copied: paste it over the cell.`);
  }

  function drawState() {
    const state = model.get("state");
    if (!state.name) return;
    panel.setAttribute("aria-label", `Configuration ${state.name}`);
    write(name, state.name);
    live.hidden = Boolean(state.moved);
    actions.hidden = live.hidden;
    pill.hidden = live.hidden;
    write(pill, state.verdict);
    pill.className = `phinb-pill phinb-${state.tone}`;
    write(told, state.moved || state.told);
    const hadFocus = cards.contains(panel.getRootNode().activeElement);
    keep(cards, state.cards, () => createCard(send, (path) => form.reveal(path)), changeCard);
    if (hadFocus && !cards.contains(panel.getRootNode().activeElement)) side.focus();
    fine.hidden = state.cards.length > 0;
    changes.hidden = !state.changes.length;
    write(title, state.changes_title);
    keep(list, state.changes, createChange, changeChange);
    form.badge(state.badges);
    enable(undo, state.undo);
    undo.title = state.undo ? `Take back the last of ${state.undo}` : "";
    upgrade.hidden = !state.upgradable;
    enable(upgrade, state.changes.length > 0);
    write(standing, state.standing);
    if (state.said) say(state.said.text, state.said.tone);
    // What was said of an earlier text is no longer so once that is changed.
    else if (model.get("texts").edited) say("");
  }

  function drawTexts() {
    const texts = model.get("texts");
    put.hidden = !texts.cells?.length;
    enable(put, texts.edited);
    put.classList.toggle("phinb-go", Boolean(texts.edited));
    diff.setAttribute("aria-expanded", String(open.diff));
    difference.hidden = !open.diff;
    if (open.diff) drawDiff(difference, texts.diff || "The text is as it was read.");
  }

  return follow(model, {
    "change:outline": () => form.draw(),
    "change:values": () => form.fill(),
    "change:tab": () => form.draw(),
    "change:state": drawState,
    "change:texts": drawTexts,
  });
}

export default { render };
