// A result: before and after, candidates, the map of uncertainty, what is said of it.
import { $, alertLine, announce, el } from "./dom.js";

const VIEWS = { compare: "Compare", before: "Before", after: "After", map: "Uncertainty" };

export class Result {
  constructor(api, viewport, compare) {
    this.api = api;
    this.viewport = viewport;
    this.compare = compare;
    $("copy").onclick = () => this.copy();
  }

  /** Show what a job made of a picture (its item), beside that picture. */
  async open(job, picture) {
    this.job = job;
    this.item = job.items[0];
    const [height, width] = this.item.size;
    $("before").src = this.api.view(picture.id);
    this.choose(0);
    await $("after").decode().catch(() => {});
    this.viewport.show(width, height);
    this.viewport.fit();
    this.tell();
    this.drawCandidates();
    this.views();
    this.show("compare");
    $("outcome").hidden = false;
  }

  close() {
    $("outcome").hidden = $("candidates").hidden = $("legend").hidden = true;
    $("after").hidden = $("map").hidden = true;
    $("views").replaceChildren();
    this.compare.enable(false);
    this.job = null;
  }

  tell() {
    const { item, job } = this;
    $("verdict").textContent = item.verdict;
    $("notes").replaceChildren(...item.notes.map((text) => el("li", {}, text)));
    $("command").textContent = job.command;
    announce(`Done. ${item.verdict}`);
  }

  choose(number) {
    this.number = number;
    $("after").src = this.api.shown(this.job.id, 0, number);
    $("download").href = this.api.result(this.job.id, 0, number);
    $("download").download = this.item.results[number];
    for (const [i, button] of [...$("candidates").children].entries()) button.setAttribute("aria-pressed", i === number);
  }

  drawCandidates() {
    const { job, item } = this;
    $("candidates").hidden = item.results.length < 2;
    $("candidates").replaceChildren(...item.results.map((_, i) => {
      const name = i ? `Candidate ${i + 1}` : "Best on average";
      const image = el("img", { src: this.api.small(job.id, 0, i), alt: "" });
      const button = el("button", { type: "button", "aria-pressed": i === 0 }, image, name);
      button.onclick = () => { this.choose(i); announce(name); };
      return button;
    }));
  }

  views() {
    const names = Object.keys(VIEWS).filter((name) => name !== "map" || this.item.map);
    $("views").replaceChildren(...names.map((name) => {
      const button = el("button", { type: "button", "aria-pressed": false }, VIEWS[name]);
      button.dataset.view = name;
      button.onclick = () => this.show(name);
      return button;
    }));
  }

  show(view) {
    for (const button of $("views").children) button.setAttribute("aria-pressed", button.dataset.view === view);
    this.viewport.tool = null;
    this.compare.enable(view === "compare");
    $("after").hidden = view === "before";
    $("map").hidden = $("legend").hidden = view !== "map";
    if (view === "map") this.drawMap();
  }

  drawMap() {
    $("map").src = this.api.map(this.job.id, 0);
    const top = this.item.scale * 255;
    $("legend-text").textContent =
      "How far each pixel may be off (standard deviation), in steps of brightness from 0 to 255.";
    $("legend-top").textContent = `${top.toFixed(top < 10 ? 1 : 0)} or more, a guess`;
  }

  async copy() {
    try {
      await navigator.clipboard.writeText($("command").textContent);
      announce("Copied");
      $("copy").textContent = "Copied";
      setTimeout(() => { $("copy").textContent = "Copy"; }, 2000);
    } catch {
      getSelection().selectAllChildren($("command"));
      alertLine("The browser does not allow copying here; the command is selected, press Ctrl+C.", "note");
    }
  }
}
