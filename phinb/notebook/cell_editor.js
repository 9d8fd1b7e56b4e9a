// Writes a text into the notebook's own cell, without an extension: through the CodeMirror view that the page's editor
// keeps on its content element. What cannot be found or written is put on the clipboard. Joined before config_panel.js.

// CodeMirror 6 hangs its tree on the content element: `cmTile` since @codemirror/view 6.39, `cmView` before.
function findView(content) {
  const tree = content.cmTile ?? content.cmView;
  const view = tree?.view ?? tree?.root?.view ?? tree?.rootView?.view;
  return view?.state?.doc && typeof view.dispatch === "function" ? view : null;
}

function findViews(el) {
  const notebook = el.closest(".jp-Notebook");
  const own = el.closest(".jp-Cell");
  const contents = [...(notebook?.querySelectorAll(".jp-CodeCell .jp-InputArea .cm-content") ?? [])];
  // The cell that the panel stands under comes first: of two cells with one text, it is the one that is meant.
  contents.sort((a, b) => Number(own?.contains(b) ?? false) - Number(own?.contains(a) ?? false));
  return contents.map(findView).filter((view) => view !== null);
}

function sameText(a, b) {
  return a.replace(/\n+$/, "") === b.replace(/\n+$/, "");
}

// Changes only what differs, in one step that Ctrl+Z takes back; says whether the editor holds `text` then.
function replaceText(view, text) {
  const before = view.state.doc.toString();
  let start = 0;
  while (start < before.length && start < text.length && before[start] === text[start]) start += 1;
  let tail = 0;
  while (tail < before.length - start && tail < text.length - start && before.at(-1 - tail) === text.at(-1 - tail)) tail += 1;
  const changes = { from: start, to: before.length - tail, insert: text.slice(start, text.length - tail) };
  view.dispatch({ changes, userEvent: "input.phinb" });
  return sameText(view.state.doc.toString(), text);
}

// `texts`: {label, read, write} of each cell. Gives the numbers of those that hold what they should, and of the others.
function writeCells(el, texts) {
  const result = { written: [], missed: [] };
  texts.forEach(({ read, write }, number) => {
    const views = findViews(el);
    const view = views.find((one) => sameText(one.state.doc.toString(), read));
    const done = view ? !view.state.readOnly && replaceText(view, write) : views.some((one) => sameText(one.state.doc.toString(), write));
    (done ? result.written : result.missed).push(number);
  });
  return result;
}

async function copyText(text, el) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Pages that are not served over https have the old way only.
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "phinb-aside";
    el.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}
