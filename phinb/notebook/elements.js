// What every panel is made of: nodes that are made once and changed in place, so that focus and selection stay where they
// are. Text is written as text, never as HTML. Joined before the files that use it.

// Each panel runs its own copy of this file in one page: its ids must differ from those of the others.
const page = Math.random().toString(36).slice(2, 8);
let counted = 0;

function newId() {
  counted += 1;
  return `phinb-${page}-${counted}`;
}

function make(name, className, attributes = {}, ...children) {
  const node = document.createElement(name);
  if (className) node.className = className;
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

const symbols = { error: "■", warning: "▲", info: "●" };

function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// Keeps one child a row of `rows`: `create(row)` makes what is missing, `change(child, row)` updates it.
function keep(parent, rows, create, change) {
  while (parent.children.length > rows.length) parent.lastElementChild.remove();
  rows.forEach((row, index) => {
    if (!parent.children[index]) parent.append(create(row));
    change(parent.children[index], row);
  });
}

// A name that may be broken behind its underscores and dots, and not within a word.
function breakable(text) {
  return text.split(/(?<=[._])/).flatMap((piece, index) => (index ? [document.createElement("wbr"), piece] : [piece]));
}

function button(label, className, press) {
  const node = make("button", className, { type: "button" });
  if (label) node.append(label);
  // Not `disabled`: a button that has just been pressed must keep the keyboard's focus.
  node.addEventListener("click", () => { if (node.getAttribute("aria-disabled") !== "true") press(); });
  return node;
}

function enable(node, on) {
  node.setAttribute("aria-disabled", String(!on));
}

// Calls `send` at once, and then at most ten times a second; what was asked for last is never lost.
function throttle(send, pause = 100) {
  let [timer, waiting] = [0, null];
  const next = () => {
    timer = 0;
    if (!waiting) return;
    send(...waiting);
    waiting = null;
    timer = setTimeout(next, pause);
  };
  return (...given) => {
    waiting = given;
    if (!timer) next();
  };
}

// JupyterLab's shortcuts of one letter (A, B, D D, X) must not hear what is typed at a list or a button; those with Ctrl
// (save) still do. Its listener asks the element that has the focus.
function keepKeys(panel) {
  const suppress = (event) => event.target.toggleAttribute("data-lm-suppress-shortcuts", !(event.ctrlKey || event.metaKey));
  for (const kind of ["focusin", "keydown", "keyup"]) panel.addEventListener(kind, suppress);
}

// Draws each trait once and whenever it changes; what is returned ends that.
function follow(model, drawings) {
  for (const [event, draw] of Object.entries(drawings)) {
    model.on(event, draw);
    draw();
  }
  return () => Object.entries(drawings).forEach(([event, draw]) => model.off(event, draw));
}
