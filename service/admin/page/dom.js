// What every part of the page does to the document. Everything from outside goes in as text, never as markup.

export const byId = (id) => document.getElementById(id);

export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// An element with attributes and children; a child that is no element becomes text.
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== "" && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== undefined));
  return element;
}

// Cells: {text, label, class, title}, or with `node` in place of the text. `label` is the column's name, which narrow
// screens show beside the value.
function fill(cell, { text = "", node, label, title = "", class: style = "" }) {
  if (cell.className !== style) cell.className = style;
  if (cell.dataset.label !== label) cell.dataset.label = label;
  if (cell.title !== title) cell.title = title;
  if (node === undefined) {
    setText(cell, text);
  } else if (cell.textContent !== node.textContent || cell.firstElementChild?.className !== node.className) {
    cell.replaceChildren(node);
  }
}

export function row(cells, style = "") {
  const made = make("tr", { class: style });
  for (const cell of cells) fill(made.appendChild(document.createElement("td")), cell);
  return made;
}

// Makes `body` hold a row for each of `items`, keeping those that are there: what is selected or focused stays.
export function syncRows(body, items, keyOf, cellsOf, styleOf = () => "") {
  const old = new Map([...body.children].map((each) => [each.dataset.key, each]));
  let place = body.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    const cells = cellsOf(item);
    let kept = old.get(key);
    if (kept === undefined) {
      kept = row(cells);
      kept.dataset.key = key;
    } else {
      old.delete(key);
      cells.forEach((cell, index) => fill(kept.children[index], cell));
    }
    const style = styleOf(item);
    if (kept.className !== style) kept.className = style;
    if (kept === place) {
      place = place.nextElementSibling;
    } else {
      body.insertBefore(kept, place);
    }
  }
  for (const gone of old.values()) gone.remove();
}

// Facts: [name, value, class].
export function syncFacts(list, facts) {
  const made = facts.map(([name, value, style]) => make("div", { class: style }, make("dt", {}, name), make("dd", {}, value)));
  const same = list.children.length === made.length && made.every((each, i) => each.isEqualNode(list.children[i]));
  if (!same) list.replaceChildren(...made);
}

export function pill(text, style) {
  return make("span", { class: `pill ${style}` }, text);
}
