// Pictures come in: dropped, pasted, chosen, or taken from the examples.
import { $, el } from "./dom.js";

/** `take(file)` and `example(name)` are called with what the visitor brings. */
export function accept(about, take, example) {
  const { megapixels, megabytes } = about.limits;
  $("limits").textContent = `PNG, JPEG, WebP, TIFF, GIF, AVIF. Up to ${megapixels} megapixels and ${megabytes} MB.`;
  const choose = () => $("file").click();
  $("choose").onclick = $("another").onclick = choose;
  $("file").onchange = () => {
    const [file] = $("file").files;
    $("file").value = "";
    if (file) take(file);
  };
  addEventListener("paste", (event) => {
    const file = [...(event.clipboardData?.files ?? [])].find((one) => one.type.startsWith("image/"));
    if (file) take(file);
  });
  dropping(take);
  $("examples").replaceChildren(...about.examples.map(({ name, title, credit }) => {
    const image = el("img", { src: `/api/examples/${name}.jpg`, alt: "", loading: "lazy" });
    const button = el("button", { type: "button" }, image, el("span", {}, title, el("small", {}, credit)));
    button.onclick = () => example(name);
    return el("li", {}, button);
  }));
}

function dropping(take) {
  let depth = 0;
  const mark = (change) => {
    depth = Math.max(0, depth + change);
    document.body.classList.toggle("dropping", depth > 0);
  };
  addEventListener("dragenter", () => mark(1));
  addEventListener("dragleave", () => mark(-1));
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", (event) => {
    event.preventDefault();
    mark(-depth);
    const [file] = event.dataTransfer.files;
    if (file) take(file);
  });
}
