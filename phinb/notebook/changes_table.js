// What each variant answered, a row a line: which two variants are held against each other, which rows are shown, by what
// they are sorted. It draws what changes_view.py describes. Joined behind elements.js and rows_table.js.

// The colours of a variant, light and dark; the style chooses.
function paint(node, colours) {
  for (const [name, value] of [["--phinb-light", colours[0]], ["--phinb-dark", colours[1]]]) {
    if (value) node.style.setProperty(name, value);
    else node.style.removeProperty(name);
  }
}

class ChangesTable extends RowsTable {
  constructor(send) {
    super(send);
    this.about.remove();
    this.before = make("select", "", { "aria-label": "From variant" });
    this.after = make("select", "", { "aria-label": "To variant" });
    for (const select of [this.before, this.after]) select.addEventListener("change", () => this.choosePair(select));
    this.kinds = make("div", "phinb-choice", { role: "group", "aria-label": "Rows to show" });
    const pair = make("span", "phinb-row", {}, make("span", "phinb-dim", {}, "from"), this.before, make("span", "phinb-dim", {}, "to"), this.after);
    this.filter = make("div", "phinb-row phinb-changes-filter", {}, pair, this.kinds);
    this.node.prepend(this.filter);
    // A click anywhere in a row opens it, unless a text is being selected; the keyboard has its number.
    this.body.addEventListener("click", (event) => {
      const row = event.target.closest("tr");
      if (row && !event.target.closest("button") && getSelection().isCollapsed) row.querySelector("button").click();
    });
  }

  // The other of the two takes the place of the one that was chosen twice.
  choosePair(chosen) {
    const [before, after] = this.state.pair;
    if (this.before.value === this.after.value) (chosen === this.before ? this.after : this.before).value = String(chosen === this.before ? before : after);
    this.send({ action: "pair", before: Number(this.before.value), after: Number(this.after.value) });
  }

  go() {
    const number = Math.trunc(Number(this.jump.value));
    if (!(number >= 1)) return;
    this.jump.value = "";
    this.send({ action: "go", number });
  }

  fill(state) {
    super.fill(state);
    if (!state?.columns) return;
    for (const [place, select] of [this.before, this.after].entries()) {
      keep(select, state.names, () => make("option", ""), (option, name) => write(option, name));
      [...select.children].forEach((option, number) => { option.value = String(number); });
      select.value = String(state.pair[place]);
    }
    keep(this.kinds, state.kinds, () => this.createKind(), (node, [kind, text]) => {
      node.dataset.kind = kind;
      write(node, text);
      node.setAttribute("aria-pressed", String(kind === state.kind));
    });
  }

  createKind() {
    const node = button("", "", () => this.send({ action: "kind", kind: node.dataset.kind }));
    return node;
  }

  fillHead({ columns, sorted, falling }) {
    keep(this.head, [{ name: "row", label: "row", about: "", mark: "", colours: [], kind: "row" }, ...columns], () => this.createHead(), (node, column) => {
      const place = [...this.head.children].indexOf(node);
      const [mark, name, arrow, about] = node.firstElementChild.children;
      const by = place === sorted ? (falling ? "descending" : "ascending") : "none";
      node.setAttribute("aria-sort", by);
      node.dataset.kind = column.kind;
      node.firstElementChild.setAttribute("aria-label", `${column.label}, sort`);
      node.firstElementChild.title = `Sort by ${column.label}`;
      paint(node, column.colours);
      write(mark, column.mark);
      write(name, column.name);
      write(arrow, { ascending: "▲", descending: "▼", none: "" }[by]);
      write(about, column.about);
    });
  }

  createHead() {
    const node = make("th", "", { scope: "col" });
    const parts = ["phinb-mark", "phinb-words", "phinb-arrow", "phinb-dim"].map((name) => make("span", name));
    const sort = button("", "phinb-sort", () => this.send({ action: "sort", column: [...this.head.children].indexOf(node) }));
    sort.append(...parts);
    node.append(sort);
    return node;
  }

  changeRow(node, row) {
    super.changeRow(node, row);
    const choose = node.firstElementChild.firstElementChild;
    const open = row.row === this.state.chosen;
    write(choose, (row.number + 1).toLocaleString("en"));
    choose.setAttribute("aria-label", `${open ? "Close" : "Open"} row ${row.number + 1}`);
    choose.setAttribute("aria-expanded", String(open));
  }

  changeCell(node, cell) {
    const sign = { change: cell.sign, answer: cell.right ? "✓" : "✗" }[cell.kind];
    super.changeCell(node, { ...cell, text: sign ? `${sign} ${cell.text}` : cell.text });
    node.dataset.short = String(cell.text.length <= 20);
    node.dataset.right = String(cell.right ?? "");
    node.dataset.change = cell.kind === "change" ? cell.text : "";
    if (cell.text.length > 40) node.firstElementChild.title = cell.text;
    else node.firstElementChild.removeAttribute("title");
  }
}
