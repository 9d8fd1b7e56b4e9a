// A problem with its place, its remedy and the button that carries it out. `press` gets {action: "fix", number, of};
// `reveal`, where there is a form, shows the field of a path. Joined behind elements.js.

function createCard(press, reveal) {
  const card = make("div", "phinb-card");
  const texts = make("div", "");
  const place = button("", "phinb-place", () => reveal(place.dataset.field));
  texts.append(place, make("b", ""), " ", make("span", ""), make("span", "phinb-dim"));
  const fix = button("", "phinb-fix", () => press({ action: "fix", number: Number(fix.dataset.number), of: fix.dataset.of }));
  card.append(make("span", "phinb-symbol", { role: "img" }), texts, fix);
  return card;
}

function changeCard(card, row) {
  const [symbol, texts, fix] = card.children;
  const [link, place, title, hint] = texts.children;
  card.dataset.severity = row.severity;
  write(symbol, row.symbol);
  symbol.setAttribute("aria-label", row.severity);
  // A place whose field is in the form leads there.
  link.hidden = !row.place || !row.field;
  link.dataset.field = row.field;
  link.title = "Show it in the form";
  write(link, row.place);
  place.hidden = !row.place || Boolean(row.field);
  write(place, row.place);
  write(title, row.title);
  write(hint, row.hint);
  hint.hidden = !row.hint;
  fix.hidden = !row.fix;
  write(fix, row.fix?.title ?? "");
  fix.dataset.number = row.fix?.number ?? "";
  fix.dataset.of = row.title;
}
