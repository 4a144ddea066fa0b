// Before and after, with a line that can be dragged, or moved by keys.
import { $ } from "./dom.js";

export class Compare {
  constructor(viewport) {
    this.viewport = viewport;
    this.part = 0.5;
    this.on = false;
    $("slider").oninput = () => this.move(Number($("slider").value) / 100);
    viewport.onChange = () => this.draw();
  }

  enable(on) {
    this.on = on;
    for (const part of [$("split"), $("slider"), ...document.querySelectorAll(".tag")]) part.hidden = !on;
    $("frame").classList.toggle("comparing", on);
    if (on) this.viewport.tool = (event, phase) => this.drag(event, phase);
    this.draw();
  }

  /** The line follows a drag anywhere; where the picture is larger than the frame, only one that begins at it. */
  drag(event, phase) {
    if (phase === "hover") return true;
    const { left, width } = this.viewport.box;
    const at = event.clientX - left;
    if (phase === "down" && !this.viewport.isFit && Math.abs(at - this.line) > 32) return false;
    const { x, scale, size } = this.viewport;
    this.move((Math.min(width, Math.max(0, at)) - x) / (size.width * scale));
    return true;
  }

  move(part) {
    this.part = Math.min(1, Math.max(0, part));
    $("slider").value = Math.round(this.part * 100);
    $("slider").setAttribute("aria-valuetext", `${Math.round(this.part * 100)} % before`);
    this.draw();
  }

  get line() {
    const { x, scale, size } = this.viewport;
    return x + this.part * size.width * scale;
  }

  draw() {
    $("after").style.clipPath = this.on ? `inset(0 0 0 ${this.part * 100}%)` : "";
    $("split").style.left = `${this.line}px`;
  }
}
