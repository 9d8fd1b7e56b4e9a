// The rows as they were read, a page at a time, under what their columns hold; a row is chosen to see what becomes of it. It
// draws what rows_view.py describes. Joined behind elements.js.

class RowsTable {
  // `send(content)` takes a message to the kernel. `fill(state)` takes what RowsView.describe gives.
  constructor(send) {
    this.send = send;
    this.back = button("◀", "", () => send({ action: "rows", start: Math.max(this.state.start - this.state.page, 0) }));
    this.next = button("▶", "", () => send({ action: "rows", start: this.state.start + this.state.page }));
    this.back.setAttribute("aria-label", "The rows before");
    this.next.setAttribute("aria-label", "The next rows");
    this.place = make("span", "phinb-rows-place phinb-dim", { role: "status" });
    this.jump = make("input", "phinb-rows-jump", { type: "number", min: "1", step: "1", id: newId(), placeholder: "no." });
    this.jump.addEventListener("keydown", (event) => { if (event.key === "Enter") this.go(); });
    this.jump.addEventListener("change", () => this.go());
    this.search = make("input", "", { type: "search", id: newId(), placeholder: "Find a text", "aria-label": "Find rows that hold a text", spellcheck: "false" });
    const look = throttle((query) => send({ action: "rows", query }), 200);
    const typed = () => { if (!this.composing) look(this.search.value); };
    this.search.addEventListener("compositionstart", () => { this.composing = true; });
    this.search.addEventListener("compositionend", () => { this.composing = false; typed(); });
    this.search.addEventListener("input", typed);
    this.told = make("span", "phinb-dim", { role: "status" });
    this.further = button("Look further", "", () => send({ action: "rows", further: true }));
    const buttons = make("div", "phinb-buttons", {}, this.back, this.next);
    const jump = make("span", "phinb-row", {}, make("label", "phinb-dim", { for: this.jump.id }, "Row"), this.jump);
    const further = make("span", "phinb-buttons phinb-further", {}, this.further);
    this.bar = make("div", "phinb-row phinb-rows-bar", {}, buttons, this.place, jump, this.search, this.told, further);
    this.said = make("div", "phinb-card", { "data-severity": "error" }, make("span", "phinb-symbol", { role: "img", "aria-label": "error" }, symbols.error), make("span", ""));
    this.retyped = make("div", "");
    this.head = make("tr", "");
    this.about = make("tr", "phinb-about");
    this.body = make("tbody", "");
    this.table = make("table", "", { "aria-label": "Rows" }, make("thead", "", {}, this.head, this.about), this.body);
    // Where there are more columns than are sent, the others are asked for by a part of their name.
    this.find = make("input", "", { type: "search", id: newId(), spellcheck: "false", autocomplete: "off" });
    const find = throttle((columns) => send({ action: "rows", columns }), 200);
    this.find.addEventListener("input", () => find(this.find.value));
    this.more = make("span", "phinb-dim", { role: "status" });
    this.finder = make("div", "phinb-row phinb-finder", {}, make("label", "phinb-dim", { for: this.find.id }, "Find a column"), this.find, this.more);
    this.scroller = make("div", "phinb-rows-scroller", { tabindex: "0", role: "region", "aria-label": "Rows" }, this.table);
    this.body.addEventListener("keydown", (event) => this.step(event));
    this.among = make("p", "phinb-dim");
    this.node = make("div", "phinb-rows", {}, this.bar, this.said, this.retyped, this.finder, this.scroller, this.among);
  }

  go() {
    const number = Math.trunc(Number(this.jump.value));
    if (!(number >= 1)) return;
    this.jump.value = "";
    if (this.search.value) {
      this.search.value = "";
      this.send({ action: "rows", query: "" });
    }
    this.send({ action: "rows", start: number - 1 });
  }

  // From row to row with the arrow keys.
  step(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const row = event.target.closest("tr");
    if (!step || !row || !event.target.closest("button")) return;
    event.preventDefault();
    (step > 0 ? row.nextElementSibling : row.previousElementSibling)?.querySelector("button").focus();
  }

  fill(state) {
    if (!state?.columns) return;
    this.state = state;
    const { start, page, total, rows } = state;
    write(this.place, state.place);
    write(this.told, state.told);
    this.further.parentElement.hidden = !state.further;
    enable(this.back, start > 0);
    enable(this.next, total === null ? rows.length === page : start + rows.length < total);
    if (this.search !== this.search.getRootNode().activeElement) this.search.value = state.query;
    this.said.hidden = !state.said;
    write(this.said.lastElementChild, state.said);
    keep(this.retyped, state.retyped, createRetyped, changeRetyped);
    this.finder.hidden = !state.more_columns && !state.looking_for;
    if (this.find !== this.find.getRootNode().activeElement) this.find.value = state.looking_for;
    write(this.more, state.more_columns);
    this.fillHead(state);
    write(this.among, state.among);
    keep(this.body, rows, () => this.createRow(), (node, row) => this.changeRow(node, row));
    this.scroller.hidden = !state.columns.length;
  }

  // The first column is the number of the row.
  fillHead({ columns }) {
    keep(this.head, ["row", ...columns.map(({ name }) => name)], () => make("th", "", { scope: "col" }), (node, name) => node.replaceChildren(...breakable(name)));
    keep(this.about, [null, ...columns], () => make("td", ""), (node, column) => node.replaceChildren(...(column ? describeColumn(column) : [])));
  }

  createRow() {
    const node = make("tr", "");
    const choose = button("", "phinb-row-number", () => this.send({ action: "row", row: Number(choose.dataset.row) }));
    node.append(make("th", "phinb-number", { scope: "row" }, choose));
    return node;
  }

  changeRow(node, { row, cells }) {
    const choose = node.firstElementChild.firstElementChild;
    write(choose, (row + 1).toLocaleString("en"));
    choose.dataset.row = String(row);
    choose.setAttribute("aria-label", `Show row ${row + 1}`);
    if (row === this.state.chosen) choose.setAttribute("aria-current", "true");
    else choose.removeAttribute("aria-current");
    while (node.children.length > cells.length + 1) node.lastElementChild.remove();
    cells.forEach((cell, index) => {
      if (!node.children[index + 1]) node.append(make("td", "", {}, make("div", "phinb-cell"), make("span", "phinb-dim")));
      this.changeCell(node.children[index + 1], cell);
    });
  }

  changeCell(node, cell) {
    const [text, length] = node.children;
    write(text, cell.text);
    node.dataset.kind = cell.kind;
    write(length, cell.length ? `${cell.length.toLocaleString("en")} characters` : "");
  }
}

function createRetyped() {
  const texts = make("div", "", {}, make("span", ""), make("span", "phinb-dim"));
  return make("div", "phinb-card", { "data-severity": "warning" }, make("span", "phinb-symbol", { role: "img", "aria-label": "warning" }, symbols.warning), texts);
}

function changeRetyped(node, { message, hint }) {
  write(node.lastElementChild.children[0], message);
  write(node.lastElementChild.children[1], hint);
}

// The kinds of a column's values, what is missing, and its classes with how often each comes.
function describeColumn(column) {
  const dim = (text) => make("div", "phinb-dim", {}, text);
  const warn = (text) => make("div", "phinb-warn", {}, `${symbols.warning} ${text}`);
  const parts = [dim(column.types || column.type)];
  if (column.retyped) parts.push(warn("read otherwise than written"));
  if (column.missing) parts.push(warn(`${column.missing.toLocaleString("en")} without a value`));
  if (!column.classes.length) return [...parts, dim(`${column.distinct.toLocaleString("en")} ${column.distinct === 1 ? "value" : "different values"}`)];
  const shares = make("div", "phinb-classes");
  for (const [value, count, share] of column.classes) {
    const bar = make("span", "phinb-share");
    bar.style.width = `${Math.max(share * 56, 1).toFixed(1)}px`;
    const text = `${count.toLocaleString("en")} (${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %)`;
    shares.append(make("span", "phinb-class-name", { title: value }, value), bar, make("span", "phinb-dim", {}, text));
  }
  parts.push(shares);
  if (column.more_classes) parts.push(dim(`and ${column.more_classes} more`));
  if (column.imbalance) parts.push(dim(column.imbalance));
  return parts;
}
