// A sequence as its tokens. Where lines end is worked out by measuring every piece once, and only the lines in view are in
// the page: 8,000 tokens scroll as 80 do. The kernel says what a token is (preview_tokens.py); all text is set as text.
// Joined behind elements.js.

const LINE = 25; // px, as in token_view.css
const SPARE = 6; // lines above and below those in view
const lanes = { t: "trained on", c: "in context only", p: "padding", x: "cut off: not in training" };

function textOf(piece) {
  return typeof piece === "string" ? piece : piece.join("");
}

// A line of the text ends with a token that ends in a line end, unless further line ends follow; preview_html.py has the same rule.
function endsLine(pieces, at) {
  const [piece, next] = [pieces[at], pieces[at + 1]];
  if (next === undefined || typeof piece === "string" || piece.length % 2 || !piece.at(-1).endsWith("⏎")) return false;
  return typeof next === "string" || next[0] !== "" || !next[1].startsWith("⏎");
}

// How wide tokens are: the text on a canvas, in the font that the page has for it, and what the sheet puts around it.
class Ruler {
  constructor(node) {
    this.node = node;
    this.context = document.createElement("canvas").getContext("2d");
    this.known = new Map();
  }

  // Reads fonts and paddings from tokens of each kind in the page, since themes and users set them.
  read() {
    this.kinds = {};
    for (const lane of ["t", "p", "C", "P", "begin"]) {
      const sample = lane === "begin" ? make("span", "phinb-begin", {}, "x") : make("span", classOf(lane), {}, "x");
      sample.style.visibility = "hidden";
      this.node.append(sample);
      const style = getComputedStyle(sample);
      const sides = ["paddingLeft", "paddingRight", "borderLeftWidth", "borderRightWidth"];
      this.kinds[lane] = {
        font: `${style.fontWeight} ${style.fontSize} ${style.fontFamily}`,
        around: sides.reduce((sum, side) => sum + parseFloat(style[side]), 0),
        gap: parseFloat(style.marginLeft) + parseFloat(style.marginRight),
      };
      sample.remove();
    }
    this.known.clear();
  }

  // [width, gap behind it] in px
  measure(text, lane) {
    const kind = this.kinds[lane === "begin" ? lane : lane === "p" ? "p" : lane === "P" ? "P" : lane < "a" ? "C" : "t"];
    const key = `${kind.font} ${text}`;
    let width = this.known.get(key);
    if (width === undefined) {
      this.context.font = kind.font;
      width = Math.ceil(this.context.measureText(text).width * 8) / 8;
      this.known.set(key, width);
    }
    return [width + kind.around, kind.gap];
  }
}

function classOf(lane) {
  return `phinb-token phinb-lane-${lane.toLowerCase()}${lane < "a" ? " phinb-special" : ""}`;
}

class TokenView {
  constructor() {
    this.id = newId();
    this.sequence = null;
    this.active = -1;
    this.lines = [];
    this.drawn = new Map();
    this.node = make("div", "phinb-reader");
    this.caption = make("div", "phinb-dim phinb-caption", { id: `${this.id}-caption` });
    this.view = make("div", "phinb-view", { tabindex: "0", role: "listbox", "aria-labelledby": `${this.id}-caption` });
    this.sheet = make("div", "", { role: "presentation" });
    this.view.append(this.sheet);
    this.about = make("div", "phinb-token-about");
    this.notes = make("div", "phinb-dim phinb-caption");
    this.node.append(this.caption, this.view, this.about, this.notes);
    this.ruler = new Ruler(this.sheet);
    this.view.addEventListener("scroll", () => this.ask());
    this.view.addEventListener("keydown", (event) => this.move(event));
    this.view.addEventListener("pointerover", (event) => this.tell(this.tokenAt(event)));
    this.view.addEventListener("pointerleave", () => this.tell(this.active));
    this.view.addEventListener("pointerdown", (event) => { const at = this.tokenAt(event); if (at >= 0) this.choose(at); });
    this.watcher = new ResizeObserver(() => this.resize());
    this.watcher.observe(this.view);
    document.fonts?.ready.then(() => this.layOut(true));
  }

  close() {
    this.watcher.disconnect();
  }

  fill(sequence) {
    const other = sequence?.number !== this.sequence?.number;
    this.sequence = sequence?.ids?.length || sequence?.caption ? sequence : null;
    this.node.hidden = !this.sequence;
    if (!this.sequence) return;
    write(this.caption, sequence.caption);
    write(this.notes, sequence.notes.join(" "));
    this.begins = new Map(sequence.begins);
    if (other || this.active >= sequence.ids.length) this.active = -1;
    this.layOut(true);
    if (other) this.view.scrollTop = 0;
    this.tell(this.active);
  }

  // ---------------------------------------------------------------------------------------------------------- layout

  resize() {
    const width = this.view.clientWidth;
    if (!this.sequence || !width) return;
    // What stood at the top stays there, whatever is in the lines above it now.
    const top = this.lines[Math.floor(this.view.scrollTop / LINE)]?.[0] ?? 0;
    if (width === this.width) return this.ask();
    this.layOut(false);
    if (this.view.scrollTop > 0) this.view.scrollTop = this.lineOf(top) * LINE;
  }

  layOut(fresh) {
    const width = this.view.clientWidth;
    if (!this.sequence || !width) return;
    if (fresh || !this.ruler.kinds) this.ruler.read();
    this.width = width;
    const { pieces, lanes: letters } = this.sequence;
    const count = letters.length;
    this.widths = new Float32Array(count);
    this.lefts = new Float32Array(count);
    this.lines = [];
    let [start, left] = [0, 0];
    for (let at = 0; at < count; at += 1) {
      const mark = this.begins.has(at) ? this.ruler.measure(`row ${this.begins.get(at)}`, "begin") : [0, 0];
      const [own, gap] = this.ruler.measure(this.shown(at), letters[at]);
      const room = Math.min(own, width - mark[0] - mark[1] - gap);
      if (left + mark[0] + mark[1] + room > width && at > start) {
        this.lines.push([start, at]);
        [start, left] = [at, 0];
      }
      this.widths[at] = room;
      this.lefts[at] = left + mark[0] + mark[1];
      left = this.lefts[at] + room + gap;
      if (endsLine(pieces, at)) {
        this.lines.push([start, at + 1]);
        [start, left] = [at + 1, 0];
      }
    }
    if (start < count) this.lines.push([start, count]);
    this.sheet.style.height = `${this.lines.length * LINE}px`;
    this.drawn.clear();
    this.sheet.replaceChildren();
    this.draw();
  }

  shown(at) {
    return this.sequence.lanes[at].toLowerCase() === "p" ? "pad" : textOf(this.sequence.pieces[at]);
  }

  lineOf(at) {
    let [low, high] = [0, this.lines.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.lines[middle][0] <= at) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  // --------------------------------------------------------------------------------------------------------- drawing

  ask() {
    if (this.asked) return;
    this.asked = requestAnimationFrame(() => { this.asked = 0; this.draw(); });
  }

  draw() {
    if (!this.sequence) return;
    const first = Math.max(Math.floor(this.view.scrollTop / LINE) - SPARE, 0);
    const last = Math.min(Math.ceil((this.view.scrollTop + this.view.clientHeight) / LINE) + SPARE, this.lines.length);
    for (const [line, node] of this.drawn) {
      if (line >= first && line < last) continue;
      node.remove();
      this.drawn.delete(line);
    }
    for (let line = first; line < last; line += 1) {
      if (this.drawn.has(line)) continue;
      const node = this.createLine(line);
      this.drawn.set(line, node);
      // In the page as on the screen: a reader that goes through the page meets the tokens in order.
      const next = [...this.drawn.keys()].filter((other) => other > line).sort((a, b) => a - b)[0];
      this.sheet.insertBefore(node, next === undefined ? null : this.drawn.get(next));
    }
    this.mark();
  }

  createLine(line) {
    const node = make("div", "phinb-line-of-tokens", { role: "presentation" });
    node.style.top = `${line * LINE}px`;
    const [start, end] = this.lines[line];
    for (let at = start; at < end; at += 1) {
      if (this.begins.has(at)) node.append(make("span", "phinb-begin", { "aria-hidden": "true" }, `row ${this.begins.get(at)}`));
      node.append(this.createToken(at));
    }
    return node;
  }

  createToken(at) {
    const letter = this.sequence.lanes[at];
    const token = make("span", classOf(letter), {
      role: "option",
      id: `${this.id}-${at}`,
      "aria-posinset": String(at + 1),
      "aria-setsize": String(this.sequence.ids.length),
      "aria-label": this.describe(at).join(", "),
      "aria-selected": "false",
    });
    token.style.width = `${this.widths[at]}px`;
    token.dataset.at = String(at);
    const piece = letter.toLowerCase() === "p" ? "pad" : this.sequence.pieces[at];
    const parts = typeof piece === "string" ? [piece] : piece;
    token.append(...parts.map((part, index) => (index % 2 ? make("i", "", {}, part) : part)));
    return token;
  }

  // Frames the token that is chosen, if it is in the page.
  mark() {
    const node = this.active >= 0 ? this.view.querySelector(`[data-at="${this.active}"]`) : null;
    if (this.marked && this.marked !== node) this.marked.setAttribute("aria-selected", "false");
    if (node) {
      node.setAttribute("aria-selected", "true");
      this.view.setAttribute("aria-activedescendant", node.id);
    } else this.view.removeAttribute("aria-activedescendant");
    this.marked = node;
  }

  // --------------------------------------------------------------------------------------------------------- details

  describe(at) {
    const { pieces, ids, lanes: letters, first, own, sources, source } = this.sequence;
    const letter = letters[at].toLowerCase();
    const place = at - first;
    const parts = [textOf(pieces[at]), `id ${ids[at]}`];
    if (letter !== "x") parts.push(`position ${place + 1} of ${own}`);
    const label = letter === "t" ? ` (label ${ids[at]}${place ? "" : ", but nothing before it to predict it from"})` : letter === "c" || letter === "p" ? " (label −100)" : "";
    parts.push(`${lanes[letter]}${label}`);
    if (letters[at] < "a" && letter !== "p") parts.push("special token");
    const [row, field] = source[at] >= 0 ? sources[source[at]] : [0, ""];
    if (row) parts.push(`row ${row}`, field === "template" ? "the template's own text" : `column ${field}`);
    return parts;
  }

  tell(at) {
    if (at < 0 || !this.sequence) {
      if (this.told !== -1) this.about.replaceChildren(make("span", "phinb-dim", {}, "Hover over a token, or move with the arrow keys: piece, id, position, label, row, column."));
      this.told = -1;
      return;
    }
    const [piece, ...rest] = this.describe(at);
    this.about.replaceChildren(make("b", "", {}, piece), ...rest.map((text) => make("span", "", {}, text)));
    this.told = at;
  }

  // ------------------------------------------------------------------------------------------------ choosing a token

  tokenAt(event) {
    const token = event.target.closest?.(".phinb-token");
    return token && this.view.contains(token) ? Number(token.dataset.at) : this.active;
  }

  choose(at) {
    this.active = Math.min(Math.max(at, 0), this.sequence.ids.length - 1);
    const top = this.lineOf(this.active) * LINE;
    const { scrollTop, clientHeight } = this.view;
    if (top < scrollTop) this.view.scrollTop = top;
    else if (top + LINE > scrollTop + clientHeight) this.view.scrollTop = top + LINE - clientHeight;
    this.draw();
    this.tell(this.active);
  }

  // The token that stands nearest below or above.
  nearest(at, lines) {
    const line = Math.min(Math.max(this.lineOf(at) + lines, 0), this.lines.length - 1);
    const [start, end] = this.lines[line];
    const middle = this.lefts[at] + this.widths[at] / 2;
    let best = start;
    for (let other = start; other < end; other += 1)
      if (Math.abs(this.lefts[other] + this.widths[other] / 2 - middle) < Math.abs(this.lefts[best] + this.widths[best] / 2 - middle)) best = other;
    return best;
  }

  move(event) {
    if (!this.sequence || event.altKey || event.ctrlKey || event.metaKey) return;
    const page = Math.max(Math.floor(this.view.clientHeight / LINE) - 1, 1);
    const at = this.active;
    const begun = at >= 0;
    const to = {
      ArrowRight: () => at + 1,
      ArrowLeft: () => (begun ? at - 1 : 0),
      ArrowDown: () => (begun ? this.nearest(at, 1) : 0),
      ArrowUp: () => (begun ? this.nearest(at, -1) : 0),
      PageDown: () => (begun ? this.nearest(at, page) : 0),
      PageUp: () => (begun ? this.nearest(at, -page) : 0),
      Home: () => 0,
      End: () => this.sequence.ids.length - 1,
    }[event.key];
    if (!to) return;
    event.preventDefault();
    this.choose(to());
  }
}
