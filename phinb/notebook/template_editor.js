// What makes a row's text, to be edited: a template (template_text.js), columns, the turns of a chat, or a function. It draws
// what template_view.py describes and sends what was changed; an answer to an older text than the user's is let pass.
// Joined behind elements.js and template_text.js.

class TemplateEditor {
  // `send(content)` takes a message to the kernel. `fill(state)` takes what describe_editor gives.
  constructor(send) {
    this.view = newId();
    this.version = 0;
    this.pending = {};
    this.send = send;
    this.flush = throttle(() => this.deliver());
    this.kind = this.createSelect("Text from", (value) => this.switchTo(value));
    this.text = new TemplateText("Text template", (text) => this.type(text), () => this.settle(), (begun) => this.look(begun, true));
    this.problems = make("div", "phinb-template-problems", { id: newId() });
    this.text.area.setAttribute("aria-describedby", this.problems.id);
    this.order = make("ol", "phinb-chosen", { "aria-label": "Columns in their order" });
    this.chips = make("div", "phinb-chips", { role: "group", "aria-label": "Columns" });
    this.chipsRow = make("div", "phinb-row", {}, make("span", "phinb-dim", {}, "Columns"), this.chips);
    // Where there are more columns than are sent, the others are asked for by a part of their name.
    this.find = make("input", "", { type: "search", id: newId(), spellcheck: "false", autocomplete: "off" });
    this.find.addEventListener("input", () => this.look(this.find.value));
    this.more = make("span", "phinb-dim", { role: "status" });
    this.finder = make("div", "phinb-row phinb-finder", {}, make("label", "phinb-dim", { for: this.find.id }, "Find a column"), this.find, this.more);
    this.createFields();
    this.notes = make("div", "phinb-template-notes phinb-dim");
    this.node = make("div", "phinb-editor", {}, this.kind.row, this.text.node, this.order, this.problems, this.chipsRow, this.finder, this.turns, this.chat.row, this.messages.row, this.function, this.special, this.notes);
  }

  createFields() {
    this.roles = {};
    this.turns = make("div", "phinb-row phinb-turns");
    for (const role of ["system", "user", "assistant"]) {
      this.roles[role] = this.createSelect(role, (value) => this.change({ turns: { ...this.state.turns, [role]: value } }));
      this.turns.append(this.roles[role].row);
    }
    this.chat = this.createSelect("Chat template", (value) => this.change({ chat: value }));
    this.messages = this.createSelect("Column of chats", (value) => this.change({ message_col: value }));
    this.name = this.createInput("Function", (value) => this.change({ function: value }));
    this.script = this.createInput("Script", (value) => this.change({ script: value }));
    this.function = make("div", "phinb-row", {}, this.name.row, this.script.row);
    this.tick = make("input", "", { type: "checkbox", id: newId() });
    this.tick.addEventListener("change", () => this.change({ special_tokens: this.tick.checked }));
    this.around = make("span", "phinb-mono");
    this.special = make("div", "phinb-row phinb-tick", {}, this.tick, make("label", "", { for: this.tick.id }, "Olive puts special tokens around it: ", this.around));
  }

  createSelect(label, choose) {
    const select = make("select", "", { id: newId() });
    select.addEventListener("change", () => choose(select.value));
    return { select, row: make("div", "phinb-row", {}, make("label", "phinb-dim", { for: select.id }, label), select) };
  }

  createInput(label, commit) {
    const input = make("input", "phinb-mono", { id: newId(), type: "text", spellcheck: "false", autocomplete: "off" });
    input.addEventListener("change", () => commit(input.value));
    return { input, row: make("div", "phinb-row", {}, make("label", "phinb-dim", { for: input.id }, label), input) };
  }

  // ------------------------------------------------------------------------------------------------------ to the kernel

  type(text) {
    // Without a text there is no chat template, and the text area would be gone before a new one is typed.
    if (text.trim() || this.shown !== "chat_template") return this.change({ text });
    this.version += 1;
    delete this.pending.text;
    return undefined;
  }

  change(parts) {
    this.version += 1;
    // A text that is typed on is no longer the one that a chat template writes.
    const kind = parts.text !== undefined && this.shown === "turns" ? "text_template" : this.shown;
    Object.assign(this.pending, { kind }, parts);
    // What is chosen next builds on this, whether it is answered by then or not.
    Object.assign(this.state, parts);
    this.flush();
  }

  // Asks for the columns whose names hold this; what was typed into the text for it is forgotten once one is chosen.
  look(wanted, typed = false) {
    this.typed = typed && wanted !== "";
    if (wanted === (this.pending.looking_for ?? this.state.looking_for)) return;
    this.version += 1;
    this.pending.looking_for = wanted;
    this.state.looking_for = wanted;
    this.flush();
  }

  settle() {
    if (this.typed) this.look("");
    this.drawProblems();
  }

  switchTo(kind) {
    this.deliver();
    // The turns of a chat are a template as well, to be seen as one or the other: the text is the same.
    this.plain = kind === "text_template";
    this.version += 1;
    this.pending = { kind };
    this.flush();
  }

  deliver() {
    const { pending } = this;
    this.pending = {};
    if (!Object.keys(pending).length) return;
    this.send({ action: "template", name: this.state.name, view: this.view, version: this.version, ...pending });
  }

  // ---------------------------------------------------------------------------------------------------- from the kernel

  fill(state) {
    if (!state?.kind) return;
    // The answer to what was typed last is still under way.
    if (this.state && (state.answers[this.view] ?? 0) < this.version) return;
    this.state = { ...state };
    this.shown = state.kind === "turns" && this.plain ? "text_template" : state.kind;
    if (state.kind !== "turns" && state.kind !== "text_template") this.plain = false;
    this.text.columns = state.columns;
    const own = this.shown === "chat_template" && state.chat !== "model";
    const isTemplate = this.shown === "text_template" || this.shown === "turns";
    this.text.node.hidden = !own && !isTemplate;
    this.text.area.setAttribute("aria-label", own ? "Chat template (Jinja)" : "Text template");
    this.text.more = state.more;
    this.text.partial = Boolean(state.more || state.looking_for);
    if (own) [this.text.columns, this.text.partial] = [[], false];
    if (own || isTemplate) this.text.fill(state);
    if (isTemplate) this.text.renew();
    options(this.kind.select, state.kinds, this.shown);
    this.drawProblems();
    this.drawOrder();
    this.drawChips(isTemplate);
    this.drawFields();
    keep(this.notes, state.locked ? [state.locked, ...state.notes] : state.notes, () => make("p", ""), write);
  }

  drawProblems() {
    const { problems } = this.state;
    keep(this.problems, problems, () => this.createProblem(), (node, problem) => {
      const [symbol, texts] = node.children;
      const [message, hint, fix] = texts.children;
      node.dataset.severity = problem.severity;
      // A brace behind which a column is just being chosen.
      node.hidden = problem.start !== undefined && this.text.open?.start === problem.start;
      write(symbol, symbols[problem.severity]);
      symbol.setAttribute("aria-label", problem.severity);
      write(message, problem.message);
      write(hint, problem.hint ?? "");
      fix.hidden = !problem.replace;
      write(fix, `Use ${problem.replace}`);
      Object.assign(fix.dataset, { start: problem.start, end: problem.end, text: problem.replace ?? "" });
    });
    // Under a text there is room for one, so that nothing jumps.
    this.problems.hidden = !problems.length && this.text.node.hidden;
    const wrong = problems.some(({ severity }) => severity === "error");
    if (wrong) this.text.area.setAttribute("aria-invalid", "true");
    else this.text.area.removeAttribute("aria-invalid");
  }

  createProblem() {
    const fix = button("", "phinb-fix", () => this.text.insert(fix.dataset.text, Number(fix.dataset.start), Number(fix.dataset.end)));
    const texts = make("span", "phinb-row", {}, make("span", ""), make("span", "phinb-dim"), fix);
    return make("div", "phinb-template-problem", {}, make("span", "phinb-symbol", { role: "img" }), texts);
  }

  // The columns that are joined, each to be moved and taken out.
  drawOrder() {
    const names = this.shown === "text_cols" ? this.state.text_cols : [];
    this.order.hidden = !names.length;
    keep(this.order, names, () => this.createChosen(), (node, name) => {
      const index = [...this.order.children].indexOf(node);
      node.dataset.index = String(index);
      const [label, up, down, out] = node.children;
      const known = this.state.columns.find((column) => column.name === name);
      write(label, known?.label ?? name);
      node.classList.toggle("phinb-unknown-column", this.state.gone.includes(name));
      for (const [one, words] of [[up, "Move to the front"], [down, "Move to the back"], [out, "Take out"]]) one.setAttribute("aria-label", `${words}: ${name}`);
      enable(up, index > 0);
      enable(down, index < names.length - 1);
      enable(out, names.length > 1);
    });
  }

  createChosen() {
    const act = (step) => () => {
      const index = Number(node.dataset.index);
      const names = [...this.state.text_cols];
      const [taken] = names.splice(index, 1);
      if (step) names.splice(index + step, 0, taken);
      this.change({ text_cols: names });
      this.drawOrder();
      // The keyboard stays with the column that is moved.
      if (step) this.order.children[index + step].children[step < 0 ? 1 : 2].focus();
    };
    const node = make("li", "");
    node.append(make("span", "phinb-mono"), button("◀", "phinb-small", act(-1)), button("▶", "phinb-small", act(1)), button("✕", "phinb-small", act(0)));
    return node;
  }

  drawChips(isTemplate) {
    const { more, looking_for } = this.state;
    const wanted = looking_for.toLowerCase();
    const columns = this.state.columns.filter(({ name }) => name.toLowerCase().includes(wanted));
    const insertable = isTemplate || this.shown === "text_cols";
    this.chipsRow.hidden = !columns.length || !insertable;
    this.finder.hidden = !more && !looking_for;
    if (this.find.getRootNode().activeElement !== this.find) this.find.value = looking_for;
    write(this.more, more || (columns.length ? "" : "No column is called so."));
    keep(this.chips, columns, () => this.createChip(), (chip, column) => {
      const inserted = isTemplate ? column.insert : column.name;
      write(chip, column.label);
      chip.dataset.insert = inserted;
      chip.draggable = isTemplate && Boolean(inserted);
      chip.classList.toggle("phinb-unused", !column.used);
      enable(chip, Boolean(inserted) && (isTemplate || !column.used));
      const use = column.used ? "In the text." : "Not in the text.";
      chip.title = [column.why || (isTemplate ? "Click or drag it into the text." : ""), use, column.example && `For example: ${column.example}`].filter(Boolean).join("\n");
      chip.setAttribute("aria-label", `${isTemplate ? "Insert" : "Add"} ${column.label}. ${use} ${column.why}`.trim());
    });
  }

  createChip() {
    const chip = button("", "phinb-chip phinb-mono", () => {
      if (this.shown === "text_cols") this.change({ text_cols: [...this.state.text_cols, chip.dataset.insert] });
      else this.text.insert(chip.dataset.insert);
    });
    chip.addEventListener("dragstart", (event) => {
      event.dataTransfer.setData("text/plain", chip.dataset.insert);
      event.dataTransfer.effectAllowed = "copy";
    });
    return chip;
  }

  drawFields() {
    const { state, shown } = this;
    const named = (column) => ({ value: column.name, label: column.label, why: column.insert ? "" : "no template can name it" });
    this.turns.hidden = shown !== "turns";
    for (const [role, { select }] of Object.entries(this.roles)) {
      const none = role === "system" ? [{ value: "", label: "none" }] : [];
      if (shown === "turns") options(select, [...none, ...state.columns.map(named)], state.turns[role]);
    }
    this.chat.row.hidden = !["turns", "chat_template"].includes(shown);
    options(this.chat.select, state.chats, state.chat);
    this.messages.row.hidden = shown !== "chat_template";
    if (shown === "chat_template") options(this.messages.select, state.columns.map(({ name, label }) => ({ value: name, label })), state.message_col);
    this.function.hidden = shown !== "text_formatting_func";
    for (const [key, { input }] of [["function", this.name], ["script", this.script]]) if (document.activeElement !== input) input.value = state[key];
    this.special.hidden = ["turns", "chat_template"].includes(shown);
    this.tick.checked = state.special_tokens;
    write(this.around, state.special);
  }
}

// Fills a select with {value, label, why}; a value that is none of them stands there all the same, and says so.
function options(select, choices, value) {
  const known = choices.some((choice) => choice.value === value);
  const wanted = known ? choices : [...choices, { value, label: value ? `${value} (not there)` : "choose one" }];
  keep(select, wanted, () => make("option", ""), (option, choice) => {
    write(option, choice.why ? `${choice.label} (${choice.why})` : choice.label);
    option.value = choice.value;
    option.disabled = Boolean(choice.why) && choice.value !== value;
  });
  if (select.value !== value) select.value = value;
}
