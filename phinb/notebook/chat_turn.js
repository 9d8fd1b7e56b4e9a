// One prompt with its replies side by side, their words against the first's, and the form that makes a test row of it.
// Texts are written as text, never as HTML. Joined behind elements.js.

function dress(node, { colour, dark }) {
  node.style.setProperty("--look", colour);
  node.style.setProperty("--look-dark", dark);
}

function createReply() {
  const mark = make("span", "phinb-mark", { "aria-hidden": "true" });
  const heading = make("div", "", {}, mark, " ", make("b", ""), " ", make("span", "phinb-caret phinb-dim"));
  return make("div", "phinb-reply", { role: "group" }, heading, make("div", "phinb-reply-text"), make("div", "phinb-dim phinb-figures"), make("div", "phinb-dim phinb-figures"));
}

// What is long enough to scroll can be reached by the keyboard; what is not is no stop on the way.
function reachable(node, label) {
  requestAnimationFrame(() => {
    const scrolls = node.scrollHeight > node.clientHeight + 1;
    for (const [name, value] of [["tabindex", "0"], ["role", "group"], ["aria-label", label]]) {
      if (scrolls && value) node.setAttribute(name, value);
      else node.removeAttribute(name);
    }
  });
}

// `diff` says whether words are shown against the first reply's.
function changeReply(node, row, looks, diff) {
  const [heading, text, figures, against] = node.children;
  dress(node, looks[row.key] ?? {});
  node.setAttribute("aria-label", row.name);
  write(heading.children[0], row.mark);
  write(heading.children[1], row.name);
  write(heading.children[2], row.running ? "…" : "");
  text.className = `phinb-reply-text${row.tone === "bad" ? " phinb-bad" : ""}`;
  if (diff && row.diff.length) {
    const names = { removed: "del", added: "ins", same: "span" };
    text.replaceChildren(...row.diff.map(([kind, piece]) => make(names[kind], "", {}, piece)));
  } else write(text, row.text || (row.running ? "" : "(nothing)"));
  reachable(text, `Reply of ${row.name}`);
  write(figures, row.figures);
  figures.classList.toggle("phinb-warn", row.tone === "warn");
  write(against, row.against);
  against.hidden = !row.against || !diff;
}

// The right answer, and the file that the row is added to.
class RowForm {
  constructor(send) {
    this.send = send;
    this.inputs = make("div", "phinb-fields");
    this.path = make("input", "phinb-mono", { id: newId(), spellcheck: "false", autocomplete: "off" });
    const file = make("div", "phinb-field", {}, make("label", "", { for: this.path.id }, "File"), this.path);
    this.add = button("Add the row", "phinb-fix", () => this.submit(false));
    this.anyway = button("Add it to the training data", "phinb-fix", () => this.submit(true));
    this.told = make("span", "phinb-told", { role: "status" });
    this.hint = make("code", "phinb-mono");
    const foot = make("div", "phinb-row phinb-buttons phinb-row-foot", {}, this.add, this.anyway, this.told, this.hint);
    this.node = make("details", "phinb-details", {}, make("summary", "", {}, "Add as a test row"), this.inputs, file, foot);
    this.node.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && event.target.matches("input") && !event.isComposing) this.submit(false);
    });
  }

  submit(anyway) {
    const values = Object.fromEntries([...this.inputs.querySelectorAll("input")].map((input) => [input.dataset.key, input.value]));
    this.send({ action: "add_row", number: this.number, values, path: this.path.value, anyway });
  }

  fill(turn, state) {
    this.number = turn.number;
    this.node.hidden = !turn.addable;
    const create = () => {
      const input = make("input", "", { id: newId(), autocomplete: "off" });
      return make("div", "phinb-field", {}, make("label", "", { for: input.id }), input);
    };
    keep(this.inputs, state.form?.row_fields ?? [], create, (field, { key, label }, index) => {
      field.children[1].dataset.key = key;
      write(field.children[0], `The right ${label}`);
    });
    if (!this.path.value) this.path.value = state.rows_file ?? "";
    this.anyway.hidden = !turn.row.anyway;
    write(this.told, turn.row.text ?? "");
    this.told.className = `phinb-told ${turn.row.tone ? `phinb-${turn.row.tone}` : ""}`;
    write(this.hint, turn.row.hint ?? "");
    this.hint.className = turn.row.tone === "ok" ? "phinb-mono" : "phinb-dim";
  }
}

class TurnView {
  constructor(send) {
    this.asked = make("dl", "phinb-asked");
    this.told = make("div", "phinb-dim phinb-figures");
    this.replies = make("div", "phinb-replies");
    this.row = new RowForm(send);
    this.node = make("div", "phinb-turn", { role: "article" }, this.asked, this.told, this.replies, this.row.node);
  }

  fill(turn, state, diff) {
    const looks = Object.fromEntries((state.columns ?? []).map((column) => [column.key, column]));
    this.node.setAttribute("aria-label", `Prompt ${turn.number}`);
    this.node.dataset.number = turn.number;
    keep(this.asked, turn.values, () => make("div", "", {}, make("dt", ""), make("dd", "")), (pair, [name, value]) => {
      write(pair.children[0], name);
      write(pair.children[1], value);
      reachable(pair.children[1]);
    });
    write(this.told, turn.told);
    keep(this.replies, turn.replies, createReply, (node, row) => changeReply(node, row, looks, diff));
    this.row.fill(turn, state);
  }
}
