// A text with columns in braces, as it is typed: a text area over a layer that draws the kernel's marks where they stand,
// and a list of columns to choose from behind an opening brace. Joined behind elements.js.
//
// The text area keeps its own role: HTML gives it no other, and a list that it controls is allowed to a text box as well.

class TemplateText {
  // `change(text)` hears of every change that the user makes, once it is no longer being composed; `settle()` of the end
  // of a choice of columns; `search(begun)` of the name that is begun, where `columns` are not all there are (`partial`).
  constructor(label, change, settle, search = () => {}) {
    this.change = change;
    this.settle = settle;
    this.search = search;
    this.partial = false;
    this.more = "";
    this.asked = false;
    this.marks = [];
    this.columns = [];
    this.open = null;
    this.composing = false;
    this.layer = make("div", "phinb-template-layer", { "aria-hidden": "true" });
    this.list = make("div", "phinb-completion", { role: "listbox", id: newId(), "aria-label": "Columns to insert" });
    this.list.hidden = true;
    this.said = make("span", "phinb-aside", { role: "status" });
    this.area = make("textarea", "phinb-template-area", {
      "aria-label": label, "aria-autocomplete": "list", "aria-controls": this.list.id, spellcheck: "false", autocomplete: "off", autocapitalize: "off", rows: "1",
    });
    this.scroller = make("div", "phinb-template-scroller", {}, this.layer, this.area);
    this.node = make("div", "phinb-template", {}, this.scroller, this.list, this.said);
    this.listen();
  }

  listen() {
    const { area } = this;
    area.addEventListener("compositionstart", () => { this.composing = true; this.close(); });
    area.addEventListener("compositionend", () => { this.composing = false; this.take(); });
    area.addEventListener("input", () => this.take());
    area.addEventListener("keydown", (event) => this.press(event));
    area.addEventListener("blur", () => this.close());
    // Where the caret goes by itself, what was offered at its old place is over.
    area.addEventListener("click", () => this.follow());
    area.addEventListener("keyup", (event) => { if (["ArrowLeft", "ArrowRight", "Home", "End"].includes(event.key)) this.follow(); });
    this.list.addEventListener("mousedown", (event) => event.preventDefault());
    this.list.addEventListener("click", (event) => {
      const option = event.target.closest("[role=option]");
      if (option) this.choose(Number(option.dataset.index));
    });
  }

  get text() {
    return this.area.value;
  }

  // Takes over what the kernel holds. The caret stays with the signs that it stands between.
  fill({ text, marks, locked }) {
    if (this.composing) return;
    const { area } = this;
    if (area.value !== text) {
      const move = mover(area.value, text);
      const [start, end, direction] = [area.selectionStart, area.selectionEnd, area.selectionDirection];
      area.value = text;
      area.setSelectionRange(move(start), move(end), direction);
      this.close();
    }
    area.readOnly = Boolean(locked);
    this.marks = marks;
    this.seen = text;
    this.draw();
  }

  // What was typed: the marks of the text before move along until the kernel has looked at the new one.
  take() {
    const move = mover(this.seen ?? "", this.text);
    this.marks = this.marks.map(([start, end, kind]) => [move(start), move(end, true), kind]).filter(([start, end]) => start < end);
    this.seen = this.text;
    this.draw();
    if (this.composing) return;
    this.offer();
    this.change(this.text);
  }

  draw() {
    const { text } = this;
    const pieces = [];
    let at = 0;
    for (const [start, end, kind] of this.marks) {
      if (start < at || end > text.length) continue;
      // A field that is still being chosen is no mistake yet.
      const shown = kind === "brace" && this.open?.start === start ? "field" : kind;
      pieces.push(text.slice(at, start), make("span", `phinb-mark-${shown}`, {}, text.slice(start, end)));
      at = end;
    }
    // A last line that is empty has a height, too.
    this.layer.replaceChildren(...pieces, text.slice(at), "\u200b");
  }

  // Puts text in the place of the selection, or of [start, end), as if it were typed: it can be undone.
  insert(text, start = this.area.selectionStart, end = this.area.selectionEnd) {
    if (this.area.readOnly) return;
    this.area.focus();
    this.area.setSelectionRange(start, end);
    if (!document.execCommand?.("insertText", false, text)) {
      this.area.setRangeText(text, start, end, "end");
      this.take();
    }
  }

  // --------------------------------------------------------------------------------------------- columns to choose from

  // The brace before the caret that is still open, and what stands between: [place, text]; null where there is none.
  begun() {
    const caret = this.area.selectionStart;
    if (caret !== this.area.selectionEnd) return null;
    const found = /(\{+)([^{}\n]*)$/.exec(this.text.slice(0, caret));
    // Two braces are one that is text.
    return found && found[1].length % 2 ? [caret - found[2].length - 1, found[2]] : null;
  }

  offer(ask = true) {
    const begun = this.begun();
    if (!begun) return this.close();
    const [start, typed] = begun;
    if (ask && this.partial) {
      this.asked = true;
      this.search(typed);
    }
    const wanted = typed.toLowerCase();
    const rank = ({ name }) => (name.toLowerCase().startsWith(wanted) ? 0 : 1);
    const found = this.columns.filter(({ name, insert }) => insert && name.toLowerCase().includes(wanted)).sort((one, other) => rank(one) - rank(other));
    if (!found.length) return this.asked ? this.hide() : this.close();
    const before = this.open?.found[this.open.index]?.name;
    this.open = { start, found, index: Math.max(found.findIndex(({ name }) => name === before), 0) };
    return this.drawList(true);
  }

  follow() {
    if (this.open && this.begun()?.[0] !== this.open.start) this.close();
  }

  // Other columns are there: perhaps those that were asked for.
  renew() {
    if (this.asked) this.offer(false);
  }

  close() {
    if (!this.open && !this.asked) return;
    this.asked = false;
    this.hide();
    this.settle();
  }

  hide() {
    if (!this.open) return;
    this.open = null;
    this.list.hidden = true;
    this.area.removeAttribute("aria-activedescendant");
    write(this.said, "");
    this.draw();
  }

  drawList(anew) {
    const { start, found, index } = this.open;
    keep(this.list, found, () => make("div", "", { role: "option", id: newId() }, make("span", "phinb-mono"), make("span", "phinb-dim")), (option, column) => {
      write(option.children[0], column.label);
      write(option.children[1], column.example);
      option.dataset.index = found.indexOf(column);
      option.setAttribute("aria-selected", String(found[index] === column));
    });
    this.list.hidden = false;
    const chosen = this.list.children[index];
    this.area.setAttribute("aria-activedescendant", chosen.id);
    if (anew) {
      this.draw();
      this.place(start);
      const more = this.more ? ` ${this.more}` : "";
      write(this.said, `${found.length} ${found.length === 1 ? "column" : "columns"}${more}: arrow keys choose, Enter inserts`);
    }
    // Not scrollIntoView, which would scroll the page as well.
    const { offsetTop: top, offsetHeight: height } = chosen;
    this.list.scrollTop = Math.min(Math.max(this.list.scrollTop, top + height - this.list.clientHeight), top);
  }

  // Below the sign at `offset`, as far right as it goes.
  place(offset) {
    const range = document.createRange();
    let left = offset;
    const walker = document.createTreeWalker(this.layer, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      if (left < node.length) {
        range.setStart(node, left);
        range.setEnd(node, left + 1);
        break;
      }
      left -= node.length;
    }
    const [sign, box] = [range.getBoundingClientRect(), this.node.getBoundingClientRect()];
    this.list.style.top = `${sign.bottom - box.top + 2}px`;
    this.list.style.left = `${Math.max(Math.min(sign.left - box.left, box.width - this.list.offsetWidth - 2), 0)}px`;
  }

  press(event) {
    if (event.isComposing || event.keyCode === 229) return;
    if (event.key === " " && event.ctrlKey) {
      event.preventDefault();
      this.offer();
      return;
    }
    if (!this.open) {
      if (event.key === "Escape") this.close();
      return;
    }
    const { found, index } = this.open;
    const to = { ArrowDown: (index + 1) % found.length, ArrowUp: (index + found.length - 1) % found.length }[event.key];
    const plain = !(event.shiftKey || event.ctrlKey || event.metaKey || event.altKey);
    if (to !== undefined) {
      this.open.index = to;
      this.drawList(false);
    } else if (plain && ["Enter", "Tab"].includes(event.key)) this.choose(index);
    else if (event.key === "Escape") this.close();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  choose(index) {
    const { start, found } = this.open;
    const caret = this.area.selectionStart;
    this.close();
    // The brace that an editor or a hand has closed already is the field's.
    this.insert(found[index].insert, start, caret + Number(this.text[caret] === "}"));
  }
}

// For places of a text that became another: where they are now. What was between them was typed over.
function mover(before, after) {
  const most = Math.min(before.length, after.length);
  let same = 0;
  while (same < most && before[same] === after[same]) same += 1;
  let behind = 0;
  while (behind < most - same && before[before.length - 1 - behind] === after[after.length - 1 - behind]) behind += 1;
  return (place, isEnd = false) => {
    if (place < same || (place === same && isEnd) || before === after) return place;
    if (place >= before.length - behind) return place + after.length - before.length;
    return Math.min(place, after.length - behind);
  };
}
