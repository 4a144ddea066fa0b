// Earlier results, any of which can be looked at again, or be the next starting point.
import { $, el } from "./dom.js";

export class History {
  constructor(api) {
    this.api = api;
    this.entries = [];
  }

  /** An entry is { job, picture, summary }. `open` shows it, `goOn` starts from it. */
  add(entry, { open, goOn }) {
    this.entries.unshift(entry);
    const image = el("img", { src: this.api.small(entry.job.id, 0, 0), alt: "" });
    const show = el("button", { type: "button" }, "Show");
    const next = el("button", { type: "button" }, "Continue");
    show.onclick = () => open(entry);
    next.onclick = () => goOn(entry);
    const about = el("span", {}, entry.summary, el("small", {}, `${Math.round(entry.job.seconds)} s`));
    const row = el("li", {}, image, about, el("span", { className: "pair" }, show, next));
    for (const button of [show, next]) button.setAttribute("aria-label", `${button.textContent}: ${entry.summary}, number ${this.entries.length}`);
    $("results").prepend(row);
    $("history").hidden = false;
  }
}
