// Zoom and pan of what is in the frame, by mouse, touch, pen, wheel and keys.
import { $ } from "./dom.js";

const MOST = 32;

export class Viewport {
  /** tool(event, phase): takes a drag with one pointer; false leaves it to panning. */
  constructor() {
    this.frame = $("frame");
    this.content = $("content");
    this.size = { width: 1, height: 1 };
    this.tool = null;
    this.onChange = () => {};
    this.pointers = new Map();
    this.isFit = true;
    this.frame.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    for (const kind of ["pointerdown", "pointermove", "pointerup", "pointercancel"]) {
      this.frame.addEventListener(kind, (event) => this[kind](event));
    }
    new ResizeObserver(() => (this.isFit ? this.fit() : this.apply())).observe(this.frame);
    $("zoom-in").onclick = () => this.zoomBy(1.5);
    $("zoom-out").onclick = () => this.zoomBy(1 / 1.5);
    $("fit").onclick = () => this.fit();
    $("actual").onclick = () => this.actual();
  }

  show(width, height) {
    const same = width === this.size.width && height === this.size.height;
    this.size = { width, height };
    this.content.style.width = `${width}px`;
    this.content.style.height = `${height}px`;
    if (!same) this.fit();
  }

  get box() { return this.frame.getBoundingClientRect(); }

  fit() {
    const { width, height } = this.box;
    if (!width || !height) return;
    const room = Math.min((width - 24) / this.size.width, (height - 24) / this.size.height);
    this.scale = Math.min(room, Math.max(1, Math.min(4, room)));
    this.centre();
    this.isFit = true;
    this.apply();
  }

  actual() {
    this.zoomTo(1 / devicePixelRatio);
  }

  centre() {
    const { width, height } = this.box;
    this.x = (width - this.size.width * this.scale) / 2;
    this.y = (height - this.size.height * this.scale) / 2;
  }

  zoomBy(factor, x, y) { this.zoomTo(this.scale * factor, x, y); }

  zoomTo(scale, x = this.box.width / 2, y = this.box.height / 2) {
    const next = Math.min(MOST, Math.max(0.02, scale));
    this.x = x - ((x - this.x) * next) / this.scale;
    this.y = y - ((y - this.y) * next) / this.scale;
    this.scale = next;
    this.isFit = false;
    this.apply();
  }

  pan(x, y) {
    this.x += x;
    this.y += y;
    this.isFit = false;
    this.apply();
  }

  apply() {
    const { width, height } = this.box;
    const keep = 40;
    this.x = Math.min(width - keep, Math.max(keep - this.size.width * this.scale, this.x));
    this.y = Math.min(height - keep, Math.max(keep - this.size.height * this.scale, this.y));
    this.content.style.transform = `translate(${this.x}px, ${this.y}px) scale(${this.scale})`;
    this.content.classList.toggle("large", this.scale * devicePixelRatio >= 4);
    $("zoom").textContent = `${Math.round(this.scale * devicePixelRatio * 100)} %`;
    this.onChange();
  }

  /** Where an event is in the picture, in its pixels. */
  place(event) {
    const { left, top } = this.box;
    return { x: (event.clientX - left - this.x) / this.scale, y: (event.clientY - top - this.y) / this.scale };
  }

  wheel(event) {
    event.preventDefault();
    const { left, top } = this.box;
    this.zoomBy(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.0015)), event.clientX - left, event.clientY - top);
  }

  pointerdown(event) {
    if (event.target.closest("#progress, #slider")) return;
    this.pointers.set(event.pointerId, event);
    try { this.frame.setPointerCapture(event.pointerId); } catch { /* a pointer that is already gone */ }
    if (this.pointers.size === 2) {
      if (this.drawing) this.tool?.(event, "abort");
      this.drawing = false;
    } else if (this.pointers.size === 1 && event.button === 0 && this.tool) {
      this.drawing = this.tool(event, "down") !== false;
    }
  }

  pointermove(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) {
      this.tool?.(event, "hover");
      return;
    }
    if (this.pointers.size === 2) this.pinch(before, event);
    else if (this.drawing) this.tool(event, "move");
    else this.pan(event.clientX - before.clientX, event.clientY - before.clientY);
    this.pointers.set(event.pointerId, event);
  }

  pinch(before, event) {
    const other = [...this.pointers.values()].find((p) => p.pointerId !== event.pointerId);
    const span = (p) => Math.hypot(p.clientX - other.clientX, p.clientY - other.clientY) || 1;
    const { left, top } = this.box;
    const middle = [(event.clientX + other.clientX) / 2 - left, (event.clientY + other.clientY) / 2 - top];
    this.zoomBy(span(event) / span(before), ...middle);
    this.pan((event.clientX - before.clientX) / 2, (event.clientY - before.clientY) / 2);
  }

  pointerup(event) {
    if (this.pointers.delete(event.pointerId) && this.drawing) this.tool?.(event, "up");
    this.drawing = false;
  }

  pointercancel(event) { this.pointerup(event); }
}
