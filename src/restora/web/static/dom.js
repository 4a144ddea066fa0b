// Small helpers of the page.

export const $ = (id) => document.getElementById(id);

/** An element with properties and children; attributes with a dash or `role` are set as such. */
export function el(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes("-") || name === "role" || name === "for") made.setAttribute(name, value);
    else made[name] = value;
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** Say something to those who do not see it. */
export function announce(text) {
  $("status").textContent = "";
  requestAnimationFrame(() => { $("status").textContent = text; });
}

/** One line at the top, until it is closed; errors stay, notes go by themselves. */
export function alertLine(text, kind = "error") {
  const close = el("button", { type: "button", "aria-label": "Close" }, "✕");
  const line = el("p", { className: kind === "note" ? "alert note" : "alert" }, text, close);
  close.onclick = () => line.remove();
  $("alerts").replaceChildren(line);
  if (kind === "note") setTimeout(() => line.remove(), 6000);
}

export function clearAlerts() {
  $("alerts").replaceChildren();
}

/** Run what may fail, and say so where it does. */
export async function trying(work) {
  try {
    return await work();
  } catch (error) {
    alertLine(error.message || String(error));
    return undefined;
  }
}

/** Save a blob as a file. */
export function saveAs(blob, name) {
  const link = el("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

export const stem = (name) => name.replace(/\.[^.]*$/, "");
