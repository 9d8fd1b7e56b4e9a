// The form of a configuration: tabs, groups and controls, as config_view.py describes them. Values, words and checks come
// from the kernel; only what the page alone knows (which rows are open, what is half typed) is kept here. Nodes are changed
// in place, so that focus and what is being typed stay. Joined behind elements.js.

// ------------------------------------------------------------------------------------------------------------ controls

// Text of several lines: Enter begins a new one.
function isLong(field) {
  return field.kind === "long" || field.kind === "long_json";
}

function createControl(field, id) {
  if (field.kind === "fixed") return make("output", "phinb-dim", { id });
  if (field.kind === "choice") {
    const select = make("select", "", { id });
    if (field.optional) select.append(make("option", "", { value: "-1" }, field.placeholder ?? "not set"));
    (field.choices ?? []).forEach((text, number) => select.append(make("option", "", { value: String(number) }, text)));
    return select;
  }
  if (isLong(field)) return make("textarea", "phinb-mono", { id, rows: "2", spellcheck: "false" });
  const types = { int: "number", float: "number", bool: "checkbox" };
  const input = make("input", field.kind === "json" ? "phinb-mono" : "", { id, type: types[field.kind] ?? "text", spellcheck: "false", autocomplete: "off" });
  if (field.low !== undefined) input.min = String(field.low);
  if (field.high !== undefined) input.max = String(field.high);
  if (input.type !== "checkbox") input.placeholder = field.placeholder ?? (field.kind === "words" ? "a, b, c" : "not set");
  return input;
}

// What a control was made for: it is made anew where this is another.
function kindOf(field) {
  return JSON.stringify([field.kind, field.choices, field.optional, field.placeholder, field.low, field.high]);
}

function readControl(control, field) {
  if (field.kind === "bool") return control.checked;
  if (field.kind === "choice") return Number(control.value);
  if (control.type === "number") return control.value === "" ? null : Number(control.value);
  return control.value;
}

// An arrow key moves a number by a step of its own size: 0.0005 by 0.0001, 16 by 1.
function stepOf(field, value) {
  if (field.kind === "int" || !value) return field.kind === "float" && field.high !== undefined && field.high <= 1 ? "0.01" : "1";
  const step = 10 ** Math.floor(Math.log10(Math.abs(value)));
  return String(Math.abs(value) >= 1 ? Math.min(step, 1) : Number(step.toPrecision(1)));
}

function fillControl(control, field, value) {
  if (field.kind === "fixed") return write(control, field.placeholder ?? "");
  // What is half typed is the user's.
  if (control.dataset.dirty) return undefined;
  if (field.kind === "bool") control.checked = value === true;
  else {
    if (control.type === "number") control.step = stepOf(field, value);
    const text = value === null ? "" : String(value);
    if (control.value !== text) control.value = text;
    if (isLong(field)) control.rows = Math.min(Math.max(text.split("\n").length, 2), 8);
  }
  return undefined;
}

// ------------------------------------------------------------------------------------------------------------- a field

class Row {
  constructor(field, send) {
    this.field = field;
    this.id = newId();
    this.node = make("div", "phinb-field");
    this.mark = make("span", "phinb-mark");
    const label = make("label", "phinb-label", { for: this.id }, ...breakable(field.label));
    if (field.word) label.append(" ", make("span", "phinb-dim", {}, field.word));
    this.holder = make("span", "phinb-control");
    this.unit = make("span", "phinb-unit phinb-dim");
    this.origin = make("span", "phinb-origin");
    this.reset = button("↺", "phinb-reset", () => { this.release(); send({ action: "reset", path: this.field.path }); this.control.focus(); });
    this.about = make("span", "phinb-aside", { id: `${this.id}-about` });
    this.send = send;
    this.createControl();
    this.node.append(this.mark, label, this.holder, this.origin, this.reset, this.about);
  }

  createControl() {
    const field = this.field;
    this.control = createControl(field, this.id);
    this.control.setAttribute("aria-describedby", `${this.id}-about`);
    this.control.addEventListener("input", () => { this.control.dataset.dirty = "1"; });
    this.control.addEventListener("change", () => this.commit());
    this.control.addEventListener("keydown", (event) => {
      if (event.key === "Escape") { this.release(); fillControl(this.control, this.field, this.value?.value ?? null); }
      if (event.key === "Enter" && (!isLong(field) || event.ctrlKey || event.metaKey)) this.commit();
    });
    this.holder.replaceChildren(this.control, this.unit);
    this.kind = kindOf(field);
  }

  commit() {
    if (!this.control.dataset.dirty) return;
    this.release();
    this.send({ action: "set", path: this.field.path, value: readControl(this.control, this.field) });
  }

  release() {
    delete this.control.dataset.dirty;
  }

  describe(field) {
    this.field = field;
    if (this.kind === kindOf(field)) return;
    const focused = this.control.getRootNode().activeElement === this.control;
    this.createControl();
    if (focused) this.control.focus({ preventScroll: true });
  }

  fill(value) {
    this.value = value;
    const { field } = this;
    fillControl(this.control, field, value.value);
    const differs = value.default !== undefined;
    const shown = value.default === "not set" ? "" : value.default;
    write(this.mark, value.problem ? symbols[value.problem] : differs ? "◆" : "");
    this.mark.title = value.told ?? (differs ? `The default is ${value.default}` : "");
    this.node.dataset.severity = value.problem ?? "";
    this.node.classList.toggle("phinb-differs", differs);
    write(this.unit, [field.unit, differs && shown && !isLong(field) ? `default ${shown}` : ""].filter(Boolean).join(" · "));
    write(this.origin, value.origin);
    this.origin.title = value.title ?? "";
    this.origin.className = `phinb-origin phinb-from-${value.tone}`;
    // Its place is kept: nothing moves when it comes.
    this.reset.style.visibility = value.written ? "" : "hidden";
    this.reset.title = "Back to the default";
    this.reset.setAttribute("aria-label", `Back to the default of ${field.label}`);
    if (value.problem === "error") this.control.setAttribute("aria-invalid", "true");
    else this.control.removeAttribute("aria-invalid");
    const about = [value.told, field.help, field.unit && `In ${field.unit}.`, differs && `The default is ${value.default}.`, `From: ${value.origin}.`];
    write(this.about, about.filter(Boolean).join(" "));
    this.node.title = field.help ?? "";
  }

  matches(words) {
    const text = `${this.field.path} ${this.field.word ?? ""} ${this.field.help ?? ""}`.toLowerCase();
    return words.every((word) => text.includes(word));
  }
}

// ------------------------------------------------------------------------------------------------------------- a group

// A pass, a data config or a system: what matters first, and the rest behind a button.
class Group {
  constructor(described, form) {
    this.form = form;
    this.node = make("section", "phinb-group", { role: "group" });
    this.title = make("h4", "", { id: newId() });
    this.node.setAttribute("aria-labelledby", this.title.id);
    this.first = make("div", "phinb-fields");
    this.rest = make("div", "phinb-fields", { id: newId() });
    this.more = button("", "phinb-more", () => { this.open = !this.open; this.draw(); });
    this.more.setAttribute("aria-controls", this.rest.id);
    this.node.append(this.title, this.first, this.more, this.rest);
    this.open = false;
    this.describe(described);
  }

  describe(described) {
    this.described = described;
    this.title.replaceChildren(described.title, " ", make("span", "phinb-dim", {}, described.detail));
    this.draw();
  }

  draw() {
    const words = this.form.words;
    const { fields } = this.described;
    const rest = fields.filter((field) => !field.primary);
    // What was found by its name stands together, wherever it stood.
    const shown = this.place(this.first, words.length ? fields : fields.filter((field) => field.primary), words);
    const opened = this.place(this.rest, this.open && !words.length ? rest : [], words);
    this.rest.hidden = !opened;
    this.more.hidden = !rest.length || words.length > 0;
    write(this.more, this.open ? "▾ less" : `▸ ${rest.length} more`);
    this.more.setAttribute("aria-expanded", String(this.open));
    this.more.setAttribute("aria-label", `${this.open ? "Less" : `${rest.length} more`} of ${this.described.title}`);
    this.node.hidden = words.length > 0 && !shown;
  }

  // Puts the rows of `fields` into `holder`, with a line above those of an inner section; how many there are.
  place(holder, fields, words) {
    const rows = fields.map((field) => this.form.row(field)).filter((row) => row.matches(words));
    const wanted = [];
    let part = "";
    for (const row of rows) {
      if ((row.field.part ?? "") !== part) {
        part = row.field.part ?? "";
        if (part) wanted.push(make("div", "phinb-part phinb-dim", {}, part));
      }
      wanted.push(row.node);
    }
    const same = wanted.length === holder.children.length
      && wanted.every((node, index) => holder.children[index] === node || (!node.parentNode && holder.children[index].textContent === node.textContent));
    if (!same) this.form.keepFocus(() => holder.replaceChildren(...wanted));
    return rows.length;
  }
}

// -------------------------------------------------------------------------------------------------------------- a form

// The tabs and their groups. `values` is read when a row is made or filled.
class Form {
  constructor(model, send) {
    this.model = model;
    this.send = send;
    this.rows = new Map();
    this.groups = new Map();
    this.words = [];
    this.tabs = make("div", "phinb-tabs", { role: "tablist", "aria-label": "Sections" });
    this.node = make("div", "phinb-form");
    this.filter = make("input", "phinb-filter", { type: "search", placeholder: "Filter", "aria-label": "Filter the parameters" });
    this.filter.addEventListener("input", () => { this.words = this.filter.value.toLowerCase().split(/\s+/).filter(Boolean); this.draw(); });
    this.none = make("p", "phinb-dim", {}, "No parameter fits.");
    this.tabs.addEventListener("keydown", (event) => this.moveTab(event));
  }

  row(field) {
    if (!this.rows.has(field.path)) this.rows.set(field.path, new Row(field, this.send));
    const row = this.rows.get(field.path);
    row.describe(field);
    const value = this.model.get("values")[field.path];
    if (value) row.fill(value);
    return row;
  }

  keepFocus(change) {
    const root = this.node.getRootNode();
    const focused = this.node.contains(root.activeElement) ? root.activeElement : null;
    change();
    if (focused && focused !== root.activeElement && this.node.contains(focused)) focused.focus({ preventScroll: true });
  }

  draw() {
    const sections = this.model.get("outline").sections ?? [];
    if (this.tabs.children.length !== sections.length) this.createSections(sections);
    const chosen = Math.max(sections.findIndex((section) => section.title === this.model.get("tab")), 0);
    let found = 0;
    sections.forEach((section, index) => {
      const tab = this.tabs.children[index];
      const panel = this.node.children[index];
      const on = index === chosen;
      tab.setAttribute("aria-selected", String(on));
      tab.tabIndex = on ? 0 : -1;
      if (on || this.words.length) this.drawSection(panel, section);
      const shown = this.words.length ? [...panel.children].some((group) => group.matches(".phinb-group:not([hidden])")) : on;
      panel.hidden = !shown;
      found += Number(shown);
      panel.firstElementChild.hidden = !this.words.length;
    });
    this.none.hidden = found > 0;
  }

  createSections(sections) {
    this.tabs.replaceChildren();
    this.node.replaceChildren();
    for (const section of sections) {
      const id = newId();
      const tab = button("", "", () => this.choose(section.title));
      for (const [key, value] of Object.entries({ role: "tab", id, "aria-controls": `${id}-panel` })) tab.setAttribute(key, value);
      tab.dataset.section = section.title;
      tab.append(section.title, " ", make("span", "phinb-badge"));
      this.tabs.append(tab);
      const panel = make("div", "", { role: "tabpanel", id: `${id}-panel`, "aria-labelledby": id });
      panel.append(make("h3", "", {}, section.title));
      this.node.append(panel);
    }
    this.node.append(this.none);
  }

  drawSection(panel, section) {
    const groups = section.groups.map((described) => {
      const key = `${section.title} ${described.path}`;
      const group = this.groups.get(key) ?? new Group(described, this);
      this.groups.set(key, group);
      group.describe(described);
      return group.node;
    });
    if (!groups.length) groups.push(make("p", "phinb-dim", {}, "Nothing of it is in the text yet."));
    const wanted = [panel.firstElementChild, ...groups];
    const same = wanted.length === panel.children.length && wanted.every((node, index) => panel.children[index] === node);
    if (!same) this.keepFocus(() => panel.replaceChildren(...wanted));
  }

  fill() {
    const values = this.model.get("values");
    for (const [path, row] of this.rows) {
      if (values[path]) row.fill(values[path]);
      else if (!row.node.isConnected) this.rows.delete(path);
    }
  }

  badge(badges) {
    [...this.tabs.children].forEach((tab) => {
      const badge = tab.querySelector(".phinb-badge");
      const found = badges[tab.dataset.section];
      badge.dataset.severity = found?.severity ?? "";
      write(badge, found ? `${symbols[found.severity]}${found.count}` : "");
      tab.setAttribute("aria-label", found ? `${tab.dataset.section}, ${found.text}` : tab.dataset.section);
    });
  }

  choose(title, focus = false) {
    this.model.set("tab", title);
    this.model.save_changes();
    this.filter.value = "";
    this.words = [];
    this.draw();
    if (focus) this.tabs.querySelector('[aria-selected="true"]').focus();
  }

  moveTab(event) {
    const sections = this.model.get("outline").sections;
    const at = sections.findIndex((section) => section.title === this.model.get("tab"));
    const last = sections.length - 1;
    const to = { ArrowRight: at === last ? 0 : at + 1, ArrowLeft: at <= 0 ? last : at - 1, Home: 0, End: last }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    this.choose(sections[to].title, true);
  }

  // Brings the control of a path into view, wherever it is.
  reveal(path) {
    for (const section of this.model.get("outline").sections) {
      for (const described of section.groups) {
        const field = described.fields.find((one) => one.path === path);
        if (!field) continue;
        this.choose(section.title);
        const group = this.groups.get(`${section.title} ${described.path}`);
        if (!field.primary) group.open = true;
        group.draw();
        this.rows.get(path).control.focus();
        return;
      }
    }
  }
}
