// Elements from code. Text is only ever put in as text, so nothing in a trace can become markup.

const SVG = "http://www.w3.org/2000/svg";

export function byId(id) {
  return document.getElementById(id);
}

/** An element; `attributes` are strings (absent where null or false), children are nodes or text (absent where null). */
export function element(name, attributes, ...children) {
  return filled(document.createElement(name), attributes, children);
}

/** The same, of SVG. */
export function svg(name, attributes, ...children) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

function filled(node, attributes, children) {
  for (const [key, value] of Object.entries(attributes ?? {})) {
    if (value !== null && value !== undefined && value !== false) node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}
