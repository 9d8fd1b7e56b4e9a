// The panel of what changed between stages: the rows, one of them in full, the export. It draws what the kernel describes and
// computes nothing. Joined behind the files that it is made of.

function render({ model, el }) {
  const send = (content) => model.send(content);
  const panel = make("div", "phinb phinb-live phinb-changes", { role: "group" });
  keepKeys(panel);

  const name = make("b", "");
  const told = make("span", "phinb-told phinb-dim");
  const write_csv = button("Write CSV", "", () => send({ action: "export", as: "csv" }));
  const write_lines = button("Write JSON lines", "", () => send({ action: "export", as: "jsonl" }));
  for (const one of [write_csv, write_lines]) one.title = "Write the rows that are shown into a file beside the notebook";
  const head = make("div", "phinb-head", {}, name, told, make("div", "phinb-buttons", {}, write_csv, write_lines));
  const table = new ChangesTable(send);
  const details = new RowDetails(send);
  const note = make("div", "phinb-note", { role: "status", "aria-live": "polite" });
  const strip = make("div", "phinb-strip", {}, note);
  panel.append(head, make("div", "phinb-changes-body", {}, table.node, details.node), strip);
  el.replaceChildren(panel);

  return follow(model, {
    "change:state": () => {
      const state = model.get("state");
      panel.setAttribute("aria-label", `What changed: ${state.name ?? ""}`);
      write(name, `What changed: ${state.name ?? ""}`);
      write(told, state.told ?? "");
      write(note, state.said?.text ?? "a row's number, or a click on it, opens it; ▲▼ in the head sorts");
      note.className = `phinb-note ${state.said?.tone ? `phinb-${state.said.tone}` : ""}`;
    },
    "change:table": () => table.fill(model.get("table")),
    "change:details": () => details.fill(model.get("details")),
    "change:tokens": () => details.fillTokens(model.get("tokens")),
  });
}

export default { render };
