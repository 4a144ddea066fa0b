// A mask: opaque on the canvas where the picture is missing, with undo. What a change covers is kept in bits.

const MOST = 60;

export class Mask {
  constructor(width, height) {
    this.canvas = new OffscreenCanvas(width, height);
    this.context = this.canvas.getContext("2d", { willReadFrequently: true });
    this.width = width;
    this.height = height;
    this.done = [];
    this.undone = [];
  }

  /** Change it by `draw(context)` within a rectangle, so that it can be undone. */
  change(draw, box = this.all()) {
    const area = this.clip(box);
    const before = this.bits(area);
    draw(this.context);
    this.harden(area);
    this.keep({ area, before, after: this.bits(area) });
  }

  /** A stroke is drawn as it goes; `begin` remembers the mask, `end` makes it one change. */
  begin(colour, erase) {
    this.context.globalCompositeOperation = erase ? "destination-out" : "source-over";
    this.context.strokeStyle = this.context.fillStyle = colour;
    this.context.lineCap = this.context.lineJoin = "round";
    this.stroke = { before: this.bits(this.all()), box: null };
  }

  line(from, to, size) {
    const context = this.context;
    context.lineWidth = size;
    context.beginPath();
    context.moveTo(from.x, from.y);
    context.lineTo(to.x + 0.001, to.y);
    context.stroke();
    const half = size / 2 + 2;
    const xs = [from.x, to.x], ys = [from.y, to.y];
    const box = [Math.min(...xs) - half, Math.min(...ys) - half, Math.max(...xs) + half, Math.max(...ys) + half];
    const old = this.stroke.box ?? box;
    this.stroke.box = [Math.min(old[0], box[0]), Math.min(old[1], box[1]), Math.max(old[2], box[2]), Math.max(old[3], box[3])];
  }

  end() {
    const { before, box } = this.stroke;
    this.context.globalCompositeOperation = "source-over";
    if (!box) return;
    const [x, y, right, bottom] = box;
    this.harden(this.clip({ x, y, width: right - x, height: bottom - y }));
    const area = this.all();
    this.keep({ area, before, after: this.bits(area) });
  }

  abort() {
    this.context.globalCompositeOperation = "source-over";
    this.put(this.all(), this.stroke.before);
  }

  keep(change) {
    this.done.push(change);
    if (this.done.length > MOST) this.done.shift();
    this.undone = [];
  }

  undo() { return this.step(this.done, this.undone, "before"); }
  redo() { return this.step(this.undone, this.done, "after"); }

  step(from, to, side) {
    const change = from.pop();
    if (!change) return false;
    this.put(change.area, change[side]);
    to.push(change);
    return true;
  }

  clear() { this.change((context) => context.clearRect(0, 0, this.width, this.height)); }

  invert(colour) {
    this.change((context) => {
      context.globalCompositeOperation = "xor";
      context.fillStyle = colour;
      context.fillRect(0, 0, this.width, this.height);
      context.globalCompositeOperation = "source-over";
    });
  }

  /** Take the white parts of a picture of a mask. */
  take(image) {
    const sheet = new OffscreenCanvas(this.width, this.height).getContext("2d");
    sheet.drawImage(image, 0, 0, this.width, this.height);
    const data = sheet.getImageData(0, 0, this.width, this.height);
    for (let i = 0; i < data.data.length; i += 4) data.data[i + 3] = data.data[i] > 127 ? 255 : 0;
    this.tint(data);
    this.change((context) => context.putImageData(data, 0, 0));
  }

  get isEmpty() { return this.share === 0; }

  get share() {
    const bits = this.bits(this.all());
    let count = 0;
    for (let byte of bits) for (; byte; byte &= byte - 1) count += 1;
    return count / (this.width * this.height);
  }

  /** White on black, as files of masks are. */
  async blob() {
    const sheet = new OffscreenCanvas(this.width, this.height);
    const context = sheet.getContext("2d");
    const data = this.context.getImageData(0, 0, this.width, this.height);
    for (let i = 0; i < data.data.length; i += 4) {
      data.data.fill(data.data[i + 3] > 127 ? 255 : 0, i, i + 3);
      data.data[i + 3] = 255;
    }
    context.putImageData(data, 0, 0);
    return sheet.convertToBlob({ type: "image/png" });
  }

  all() { return { x: 0, y: 0, width: this.width, height: this.height }; }

  clip({ x, y, width, height }) {
    const left = Math.max(0, Math.floor(x)), top = Math.max(0, Math.floor(y));
    const right = Math.min(this.width, Math.ceil(x + width)), bottom = Math.min(this.height, Math.ceil(y + height));
    return { x: left, y: top, width: Math.max(1, right - left), height: Math.max(1, bottom - top) };
  }

  /** No half-missing pixels: what is seen is what is sent. */
  harden(area) {
    const data = this.context.getImageData(area.x, area.y, area.width, area.height);
    for (let i = 3; i < data.data.length; i += 4) data.data[i] = data.data[i] > 127 ? 255 : 0;
    this.tint(data);
    this.context.putImageData(data, area.x, area.y);
  }

  tint(data) {
    for (let i = 0; i < data.data.length; i += 4) {
      if (data.data[i + 3]) data.data.set(Mask.paint, i);
    }
  }

  bits(area) {
    const { data } = this.context.getImageData(area.x, area.y, area.width, area.height);
    const bits = new Uint8Array(Math.ceil(data.length / 32));
    for (let i = 3, n = 0; i < data.length; i += 4, n += 1) if (data[i] > 127) bits[n >> 3] |= 1 << (n & 7);
    return bits;
  }

  put(area, bits) {
    const image = new ImageData(area.width, area.height);
    for (let n = 0; n < area.width * area.height; n += 1) {
      if (bits[n >> 3] & (1 << (n & 7))) {
        image.data.set(Mask.paint, 4 * n);
        image.data[4 * n + 3] = 255;
      }
    }
    this.context.putImageData(image, area.x, area.y);
  }
}

Mask.paint = [224, 33, 138];
