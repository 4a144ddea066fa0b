// Painting the mask: brush, eraser, keys, and the buttons beside them.
import { $, announce, saveAs, stem, trying } from "./dom.js";
import { Mask } from "./mask.js";

const COLOUR = `rgb(${Mask.paint.join(" ")})`;

export class Painter {
  constructor(viewport, api) {
    this.viewport = viewport;
    this.api = api;
    this.canvas = $("mask");
    this.onChange = () => {};
    this.mode = "brush";
    this.key = { x: 0, y: 0, down: false };
    for (const mode of ["brush", "eraser", "hand"]) $(mode).onclick = () => this.choose(mode);
    $("size").oninput = () => this.cursor();
    $("undo").onclick = () => this.after(this.mask.undo(), "Undone");
    $("redo").onclick = () => this.after(this.mask.redo(), "Done again");
    $("clear").onclick = () => this.after(this.mask.clear(), "Mask cleared");
    $("invert").onclick = () => this.after(this.mask.invert(COLOUR), "Mask inverted");
    $("load").onclick = () => $("mask-file").click();
    $("save").onclick = async () => saveAs(await this.mask.blob(), `${stem(this.picture.name)}-mask.png`);
    $("previous").onclick = () => this.takePrevious();
    $("mask-file").onchange = (event) => this.load(event.target);
    this.canvas.onkeydown = (event) => this.keydown(event);
    this.canvas.onkeyup = (event) => this.keyup(event);
    this.canvas.onblur = () => { this.lift(); $("cursor").hidden = true; };
    this.canvas.onfocus = () => { if (this.canvas.matches(":focus-visible")) this.cursor(this.key, true); };
    viewport.frame.addEventListener("pointerleave", () => { $("cursor").hidden = true; });
  }

  /** Paint the mask of this picture, as it was left. `previous`: of the picture that it came from. */
  open(picture, previous) {
    this.picture = picture;
    picture.mask ??= new Mask(picture.width, picture.height);
    this.mask = picture.mask;
    const fits = previous && previous.width === picture.width && previous.height === picture.height;
    this.previous = fits && !previous.isEmpty ? previous : null;
    $("previous").hidden = !this.previous;
    this.canvas.width = picture.width;
    this.canvas.height = picture.height;
    this.key = { x: picture.width / 2, y: picture.height / 2, down: false };
    $("size").max = Math.max(40, Math.round(Math.min(picture.width, picture.height) / 3));
    $("size").value = Math.max(3, Math.round(Math.min(picture.width, picture.height) / 30));
    this.draw();
  }

  enable(on) {
    $("paint").hidden = $("paint-help").hidden = this.canvas.hidden = !on;
    this.viewport.frame.classList.toggle("painting", on);
    this.viewport.tool = on ? (event, phase) => this.drag(event, phase) : null;
    this.choose(this.mode);
  }

  choose(mode) {
    this.mode = mode;
    for (const name of ["brush", "eraser", "hand"]) $(name).setAttribute("aria-pressed", name === mode);
    this.viewport.frame.classList.toggle("hand", mode === "hand");
    if (mode === "hand") $("cursor").hidden = true;
  }

  get size() { return Number($("size").value); }

  drag(event, phase) {
    if (this.mode === "hand") return false;
    const at = this.viewport.place(event);
    if (phase === "down") {
      this.mask.begin(COLOUR, this.mode === "eraser" || event.buttons === 32);
      this.mask.line(at, at, this.size);
    } else if (phase === "move") {
      for (const each of event.getCoalescedEvents?.() ?? []) {
        const next = this.viewport.place(each);
        this.mask.line(this.last, next, this.size);
        this.last = next;
      }
      this.mask.line(this.last, at, this.size);
    } else if (phase === "abort") {
      this.mask.abort();
    } else if (phase === "up") {
      this.mask.end();
      this.after(true);
    }
    this.last = at;
    if (event.pointerType !== "touch") this.cursor(at);
    if (phase !== "hover") this.draw();
    return true;
  }

  keydown(event) {
    const step = event.shiftKey ? 1 : Math.max(1, Math.round(this.size / 3));
    const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
    if (event.key === " " || event.key === "Enter") this.press(event.repeat);
    else if (moves[event.key]) this.move(...moves[event.key]);
    else if (event.key === "x" || event.key === "X") this.swap();
    else if (event.key === "[" || event.key === "]") this.resize(event.key === "]" ? 1.25 : 0.8);
    else if (event.key === "+" || event.key === "-") this.viewport.zoomBy(event.key === "+" ? 1.25 : 0.8);
    else return;
    event.preventDefault();
  }

  keyup(event) {
    if (event.key === " " || event.key === "Enter") this.lift();
  }

  press(repeat) {
    if (repeat || this.key.down) return;
    this.key.down = true;
    this.mask.begin(COLOUR, this.mode === "eraser");
    this.mask.line(this.key, this.key, this.size);
    this.draw();
  }

  lift() {
    if (!this.key.down) return;
    this.key.down = false;
    this.mask.end();
    this.after(true, this.mode === "eraser" ? "Erased" : "Painted");
  }

  move(x, y) {
    const from = { ...this.key };
    this.key.x = Math.min(this.picture.width, Math.max(0, this.key.x + x));
    this.key.y = Math.min(this.picture.height, Math.max(0, this.key.y + y));
    if (this.key.down) {
      this.mask.line(from, this.key, this.size);
      this.draw();
    }
    this.cursor(this.key, true);
    announce(`${Math.round(this.key.x)}, ${Math.round(this.key.y)}`);
  }

  swap() {
    this.choose(this.mode === "eraser" ? "brush" : "eraser");
    announce(this.mode === "eraser" ? "Eraser" : "Brush");
  }

  resize(factor) {
    const size = this.size * factor;
    $("size").value = factor > 1 ? Math.ceil(size) : Math.floor(size);
    announce(`Size ${this.size}`);
    this.cursor(this.key, true);
  }

  /** Ctrl+Z and Ctrl+Y, wherever the focus is. */
  shortcut(event) {
    const key = event.key.toLowerCase();
    if (!(event.ctrlKey || event.metaKey) || !["z", "y"].includes(key)) return;
    event.preventDefault();
    (key === "y" || event.shiftKey ? $("redo") : $("undo")).click();
  }

  cursor(at = this.last ?? this.key, byKey = false) {
    const mark = $("cursor"), { scale, x, y } = this.viewport;
    const size = Math.max(4, this.size * scale);
    mark.hidden = this.mode === "hand";
    mark.className = `${this.mode === "eraser" ? "erasing" : ""} ${byKey ? "key" : ""}`;
    mark.style.width = mark.style.height = `${size}px`;
    mark.style.transform = `translate(${at.x * scale + x - size / 2}px, ${at.y * scale + y - size / 2}px)`;
  }

  after(changed, text) {
    this.draw();
    if (text) announce(text);
    if (changed !== false) this.onChange();
  }

  draw() {
    const context = this.canvas.getContext("2d");
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    context.drawImage(this.mask.canvas, 0, 0);
    $("undo").disabled = !this.mask.done.length;
    $("redo").disabled = !this.mask.undone.length;
  }

  takePrevious() {
    const from = this.previous;
    this.after(this.mask.change((context) => context.drawImage(from.canvas, 0, 0)), "Earlier mask taken");
  }

  async load(input) {
    const [file] = input.files;
    input.value = "";
    if (file) await trying(() => this.read(file, file.name));
  }

  /** Let the server read a mask of any kind, and take what it found. */
  async read(file, name, proposed = false) {
    if (file) await this.api.putMask(this.picture.id, file, name);
    const answer = await fetch(this.api.mask(this.picture.id, proposed));
    if (!answer.ok) throw new Error("There is no mask to load.");
    this.mask.take(await createImageBitmap(await answer.blob()));
    this.after(true, "Mask loaded");
  }
}
