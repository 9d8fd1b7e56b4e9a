// One row in full: its prompt, each variant's probabilities or texts side by side, its tokens. It draws what
// changes_details.py describes. Joined behind elements.js and changes_table.js (paint).

function variantHead(tag, { name, mark, colours }) {
  const node = make(tag, "", tag === "th" ? { scope: "col" } : {}, make("span", "phinb-mark", { "aria-hidden": "true" }, mark), " ", name);
  paint(node, colours);
  return node;
}

function shareBar(share, colours) {
  const bar = make("span", "phinb-changes-bar", { "aria-hidden": "true" }, make("i", ""));
  bar.firstElementChild.style.width = `${(100 * (share ?? 0)).toFixed(1)}%`;
  paint(bar, colours);
  return bar;
}

// A line a label, a bar a variant; what a variant answers is marked.
function labelTable({ labels, names }) {
  const head = make("tr", "", {}, make("th", "", { scope: "col" }, "label"), ...names.map((name) => variantHead("th", name)));
  const lines = labels.map(({ label, right, bars }) => {
    const title = make("th", "", { scope: "row" }, label, ...(right ? [" ", make("span", "phinb-pill phinb-ok", {}, "right answer")] : []));
    const cells = bars.map((bar, place) => {
      const text = make("span", bar.predicted ? "phinb-changes-said" : "", {}, bar.text);
      const chosen = make("span", "phinb-changes-chosen", bar.predicted ? { role: "img", "aria-label": "its answer" } : {}, bar.predicted ? "◀" : "");
      return make("td", "", { title: bar.about }, make("div", "phinb-changes-share", {}, shareBar(bar.share, names[place].colours), text, chosen));
    });
    return make("tr", right ? "phinb-changes-right" : "", {}, title, ...cells);
  });
  return make("table", "phinb-changes-labels", { "aria-label": "Probabilities of the labels" }, make("thead", "", {}, head), make("tbody", "", {}, ...lines));
}

function textTable({ texts, names }) {
  const lines = texts.map(({ text, right, cut }, place) => {
    const sign = make("span", right ? "phinb-ok" : "phinb-bad", { role: "img", "aria-label": right ? "right" : "wrong" }, right ? "✓" : "✗");
    const name = variantHead("th", names[place]);
    name.scope = "row";
    return make("tr", "", {}, name, make("td", "", {}, sign, " ", make("span", "phinb-prompt", {}, text), ...(cut ? [make("div", "phinb-dim", {}, cut)] : [])));
  });
  return make("table", "phinb-changes-texts", { "aria-label": "Answers" }, make("tbody", "", {}, ...lines));
}

function wordDiff({ diff, diff_of: [before, after] }) {
  const tags = { same: "span", removed: "del", added: "ins" };
  const pieces = diff.map(([kind, text]) => make(tags[kind], "", {}, text));
  const told = make("div", "phinb-dim", {}, "Word by word, ", make("del", "", {}, `only ${before}`), " ", make("ins", "", {}, `only ${after}`));
  return make("div", "", {}, told, make("div", "phinb-changes-diff", {}, ...pieces));
}

function tokenTable({ names, tokens, first, left_out, sums }) {
  const head = make("tr", "", {}, make("th", "phinb-number", { scope: "col" }, "no."), make("th", "", { scope: "col" }, "token"), ...names.map((name) => variantHead("th", name)));
  const lines = tokens.map(([text, id, part, shares], at) => {
    const token = make("th", "", { scope: "row", title: `id ${id}` }, make("span", "phinb-mono phinb-changes-token", {}, text));
    if (part === "answer") token.append(" ", make("span", "phinb-dim", {}, "answer"));
    const cells = shares.map(([share, written], place) => make("td", "", {}, make("div", "phinb-changes-share", {}, shareBar(share, names[place].colours), make("span", "", {}, written))));
    return make("tr", part === "answer" ? "phinb-changes-right" : "", {}, make("td", "phinb-number phinb-dim", {}, String(first + at + 1)), token, ...cells);
  });
  const foot = make("tr", "", {}, make("td", ""), make("th", "", { scope: "row" }, "log-likelihood of the answer, nats"), ...sums.map((text) => make("td", "", {}, text)));
  const table = make("table", "phinb-changes-tokens", { "aria-label": "Tokens" }, make("thead", "", {}, head), make("tbody", "", {}, ...lines), make("tfoot", "", {}, foot));
  const scroller = make("div", "phinb-rows-scroller", { tabindex: "0", role: "region", "aria-label": "Tokens" }, table);
  return make("div", "", {}, ...(left_out ? [make("div", "phinb-dim", {}, left_out)] : []), scroller);
}

class RowDetails {
  constructor(send) {
    this.title = make("b", "");
    this.told = make("span", "phinb-changes-told");
    this.close = button("Close", "phinb-fix", () => send({ action: "row", row: this.row }));
    this.prompt = make("div", "phinb-prompt phinb-changes-prompt", { tabindex: "0", role: "region", "aria-label": "Prompt" });
    this.cut = make("div", "phinb-dim");
    this.answer = make("span", "phinb-changes-answer");
    this.answers = make("div", "phinb-changes-answers");
    this.measure = make("p", "phinb-dim");
    this.begin = button("Read its tokens", "phinb-fix", () => send({ action: "tokens" }));
    this.stop = button("Stop", "phinb-fix", () => send({ action: "stop" }));
    this.cost = make("span", "phinb-dim");
    this.bar = make("div", "phinb-bar", { role: "progressbar", "aria-label": "Reading tokens", "aria-valuemin": "0", "aria-valuemax": "100" }, make("i", ""));
    this.doing = make("span", "phinb-dim", { role: "status" });
    this.work = make("div", "phinb-row phinb-changes-work", {}, this.begin, this.cost, this.bar, this.doing, this.stop);
    this.error = make("div", "phinb-bad", { role: "status" });
    this.tables = make("div", "");
    this.node = make("section", "phinb-changes-details", {},
      make("div", "phinb-row", {}, this.title, this.told, this.close),
      make("div", "phinb-changes-columns", {},
        make("div", "", {}, make("h4", "", {}, "Prompt"), this.prompt, this.cut, make("div", "", {}, make("span", "phinb-dim", {}, "right answer "), this.answer)),
        make("div", "", {}, make("h4", "", {}, "Answers"), this.answers, this.measure)),
      make("h4", "", {}, "Tokens"), this.work, this.error, this.tables);
    this.node.hidden = true;
  }

  // Where it opens it comes into view; the focus stays at the row, so that the arrow keys go on.
  fill(details) {
    const opened = details.row !== undefined && details.row !== this.row;
    this.row = details.row;
    this.node.hidden = details.row === undefined;
    if (this.node.hidden) return;
    this.node.setAttribute("aria-label", details.title);
    write(this.title, details.title);
    write(this.told, `${details.sign} ${details.told}`);
    this.told.dataset.change = details.change;
    write(this.prompt, details.prompt);
    write(this.cut, details.cut);
    write(this.answer, details.answer);
    this.answers.replaceChildren(...(details.labels ? [labelTable(details)] : [textTable(details), wordDiff(details)]));
    write(this.measure, details.labels ? `◀ its answer. ${details.measure} ${details.left_out}`.trim() : "");
    if (opened) requestAnimationFrame(() => this.node.scrollIntoView({ block: "nearest" }));
  }

  fillTokens(tokens) {
    if (!tokens.phase) return;
    const unread = tokens.phase === "unread";
    const hadFocus = this.work.contains(this.node.getRootNode().activeElement);
    this.begin.hidden = !unread || tokens.busy;
    write(this.begin, tokens.tables.length || tokens.errors.length ? "Read the rest" : "Read its tokens");
    write(this.cost, this.begin.hidden ? "" : tokens.cost);
    this.bar.hidden = this.stop.hidden = !tokens.busy;
    write(this.doing, tokens.phase === "looking" ? "looking whether they are kept" : tokens.doing);
    this.work.hidden = this.begin.hidden && this.bar.hidden && !this.doing.textContent;
    const share = Math.round(100 * (tokens.fraction ?? 0));
    this.bar.firstElementChild.style.width = `${share}%`;
    this.bar.setAttribute("aria-valuenow", String(share));
    this.bar.setAttribute("aria-valuetext", tokens.doing);
    if (hadFocus && tokens.busy) this.stop.focus();
    else if (hadFocus && !this.begin.hidden) this.begin.focus();
    write(this.error, [tokens.error, ...tokens.errors.map(([name, text]) => `${name}: ${text}`)].filter(Boolean).join("\n"));
    const key = JSON.stringify(tokens.tables);
    if (key === this.drawn) return;
    this.drawn = key;
    this.tables.replaceChildren(...(tokens.apart ? [make("div", "phinb-dim", {}, tokens.apart)] : []), ...tokens.tables.map(tokenTable));
    // The answer stands at the end, and it is what one wants to see.
    for (const scroller of this.tables.querySelectorAll(".phinb-rows-scroller")) scroller.scrollTop = scroller.scrollHeight;
  }
}
