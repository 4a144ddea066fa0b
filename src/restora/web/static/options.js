// Findings, tasks and their options: controls built from what the server says there is.
import { $, el } from "./dom.js";

export class Settings {
  constructor(about) {
    this.about = about;
    this.onChange = () => {};
    this.chosen = new Map(); // task -> { option: value }
    this.alpha = false;
    this.build();
    $("faces-row").hidden = !about.faces;
    $("count").oninput = $("faces").onchange = $("uncertainty").onchange = () => this.changed();
  }

  build() {
    for (const task of this.about.tasks) $("tasks").append(this.task(task));
    const entry = (value, text = value) => el("option", { value }, text);
    $("method").append(entry("auto", "auto"), ...this.about.methods.map(({ name, summary }) => entry(name, `${name}: ${summary}`)));
    $("prior").append(entry("", "auto"), ...this.about.priors.map((name) => entry(name)));
    $("method").onchange = $("prior").onchange = $("seed").oninput = () => this.changed();
  }

  task(task) {
    const input = el("input", { type: "checkbox", name: "task", value: task.name });
    input.onchange = () => this.toggle(task.name, input.checked);
    const options = el("div", { className: "options" });
    return el("div", { className: "task", id: `task-${task.name}` }, el("label", {}, input, task.purpose), options);
  }

  /** Begin anew for a picture: what was found and is suggested is switched on. */
  open(picture) {
    this.picture = picture;
    this.chosen.clear();
    this.alpha = false;
    for (const finding of picture.findings) {
      if (finding.step && finding.suggested) this.set(finding.step);
    }
    if (picture.has_mask) this.set({ task: "inpaint", options: {} });
    this.drawFindings();
    this.draw();
  }

  /** As an earlier request had them. */
  restoreFrom(request) {
    this.chosen.clear();
    request.steps.forEach((step) => this.set(step));
    this.alpha = request.mask === "alpha";
    $("count").value = request.candidates;
    $("uncertainty").checked = request.uncertainty;
    $("faces").checked = request.faces;
    $("method").value = request.method;
    $("prior").value = request.prior ?? "";
    $("seed").value = request.seed;
    this.draw();
  }

  set(step) {
    this.chosen.set(step.task, { ...step.options });
  }

  toggle(name, on, options = {}) {
    if (on) this.set({ task: name, options });
    else this.chosen.delete(name);
    if (name === "inpaint" && !on) this.alpha = false;
    this.draw();
    this.changed();
  }

  drawFindings() {
    const found = this.picture.findings;
    const nothing = "Nothing wrong was found. If you see something, choose it below, or paint over it.";
    const none = el("p", { className: "hint" }, nothing);
    $("findings").replaceChildren(...(found.length ? found.map((f) => this.finding(f)) : [none]));
  }

  finding(finding) {
    const sure = finding.confidence ? el("small", {}, finding.confidence) : null;
    const text = el("span", {}, finding.text, sure);
    if (!finding.step) return el("div", { className: "finding" }, text);
    const input = el("input", { type: "checkbox", role: "switch" });
    input.dataset.task = finding.step.task;
    input.onchange = () => {
      if (finding.mask === "alpha") this.alpha = input.checked;
      this.toggle(finding.step.task, input.checked, finding.step.options);
      if (finding.mask === "proposed" && input.checked) this.onProposed?.();
    };
    return el("label", { className: "finding switch" }, input, text);
  }

  draw() {
    for (const task of this.about.tasks) {
      const box = $(`task-${task.name}`), on = this.chosen.has(task.name);
      box.querySelector("input").checked = on;
      const options = box.querySelector(".options");
      if (!on) options.replaceChildren();
      else if (!options.childElementCount) options.append(...this.controls(task));
    }
    for (const input of $("findings").querySelectorAll("input")) input.checked = this.chosen.has(input.dataset.task);
  }

  controls(task) {
    const plain = task.options.filter((option) => option.plain);
    const rest = task.options.filter((option) => !option.plain);
    const made = plain.map((option) => this.control(task, option));
    if (rest.length) {
      made.push(el("details", {}, el("summary", {}, "For experts"), ...rest.map((o) => this.control(task, o))));
    }
    return made.flat();
  }

  control(task, option) {
    const values = this.chosen.get(task.name);
    const value = String(values[option.name] ?? option.default);
    const keep = (text) => {
      if (text === String(option.default)) delete values[option.name];
      else values[option.name] = text;
      this.changed();
    };
    const label = el("label", { className: "row", title: `${option.help} (${option.expects})` }, option.label);
    if (option.kind === "choice" || option.kind === "switch") {
      const choices = option.kind === "switch" ? ["true", "false"] : option.choices;
      const select = el("select", {}, ...choices.map((word) => el("option", { value: word }, word)));
      select.value = value;
      select.onchange = () => keep(select.value);
      label.append(select);
    } else {
      label.append(this.number(option, value, keep));
    }
    return label;
  }

  /** A number, beside a choice to find it in the picture where that can be. */
  number(option, value, keep) {
    const step = option.kind === "whole" ? 1 : "any";
    const input = el("input", { type: "number", step, value: value === "auto" ? "" : value, "aria-label": option.label });
    if (option.low !== undefined) input.min = option.low;
    if (option.high !== undefined) input.max = option.high;
    input.oninput = () => keep(input.value);
    if (!option.auto) return input;
    const select = el("select", { "aria-label": `${option.label}: found or given` },
      el("option", { value: "auto" }, "find it"), el("option", { value: "given" }, "set it"));
    select.value = value === "auto" ? "auto" : "given";
    input.hidden = select.value === "auto";
    select.onchange = () => {
      input.hidden = select.value === "auto";
      input.value ||= option.usual;
      keep(select.value === "auto" ? "auto" : input.value);
    };
    return el("span", { className: "pair" }, select, input);
  }

  changed() {
    $("cost").hidden = Number($("count").value) < 2 && !$("uncertainty").checked;
    this.onChange();
  }

  get isPainting() { return this.chosen.has("inpaint") && !this.alpha; }

  /** What to ask the server for, of these pictures. */
  request(pictures, maskOf) {
    const names = this.about.tasks.filter((task) => this.chosen.has(task.name)).sort((a, b) => a.stage - b.stage);
    return {
      pictures,
      steps: names.map(({ name }) => ({ task: name, options: this.chosen.get(name) })),
      mask: this.chosen.has("inpaint") ? (this.alpha ? "alpha" : maskOf) : null,
      candidates: Math.max(1, Math.round(Number($("count").value)) || 1),
      uncertainty: $("uncertainty").checked,
      faces: $("faces").checked,
      seed: Math.max(0, Math.round(Number($("seed").value)) || 0),
      method: $("method").value,
      prior: $("prior").value || null,
    };
  }

  /** In a few words. */
  summary(request) {
    const purpose = (name) => this.about.tasks.find((task) => task.name === name)?.purpose ?? name;
    return request.steps.map((step) => purpose(step.task).split(/[:,]/)[0]).join(" + ");
  }
}
