// The settings of one picture for many: uploaded one after the other, restored as one job, given as a zip.
import { $, alertLine, announce, clearAlerts, el } from "./dom.js";

export class Folder {
  constructor(api, about) {
    this.api = api;
    this.most = about.limits.pictures;
    this.job = null;
    $("many").onclick = () => $("many-files").click();
    $("whole").onclick = () => $("whole-folder").click();
    for (const id of ["many-files", "whole-folder"]) {
      $(id).onchange = () => {
        const files = [...$(id).files];
        $(id).value = "";
        this.run(files.filter((file) => file.type.startsWith("image/") || /\.(tiff?|heic|jxl)$/i.test(file.name)));
      };
    }
  }

  async run(files) {
    if (!files.length) return alertLine("There is no picture among these files.");
    if (files.length > this.most) return alertLine(`At most ${this.most} pictures at once; these are ${files.length}.`);
    clearAlerts();
    const ids = [], failed = [];
    for (const [i, file] of files.entries()) {
      this.say(`Sending ${i + 1} of ${files.length}`);
      try {
        ids.push((await this.api.upload(file)).id);
      } catch (error) {
        failed.push(`${file.name}: ${error.message}`);
      }
    }
    this.failed = failed;
    if (!ids.length) return this.say("None of them can be used.", failed);
    try {
      this.job = (await this.api.submit(this.request(ids))).id;
      this.ids = ids;
    } catch (error) {
      this.say(error.message, failed);
    }
    return undefined;
  }

  /** What the server tells of a job; true if it is this one. */
  take(job) {
    if (job.id !== this.job) return false;
    if (job.state === "waiting") this.say(`Waiting, ${job.ahead} before it`, [], this.stop());
    if (job.state === "running") this.say(`${job.items.length} of ${this.ids.length} done. ${job.doing}`, [], this.stop());
    if (["done", "failed", "cancelled"].includes(job.state)) this.finish(job);
    return true;
  }

  stop() {
    const button = el("button", { type: "button" }, "Cancel");
    button.onclick = () => this.api.cancel(this.job).catch(() => {});
    return button;
  }

  finish(job) {
    const good = job.items.filter((item) => !item.error);
    const bad = [...this.failed, ...job.items.filter((item) => item.error).map((item) => `${item.name}: ${item.error}`)];
    const link = good.length ? el("a", { className: "button primary", href: this.api.zip(job.id), download: "restored.zip" }, `Download ${good.length} as a zip`) : null;
    const text = job.error || (job.state === "cancelled" ? "Cancelled." : `${good.length} of ${good.length + bad.length} restored.`);
    this.say(text, bad, link);
    announce(text);
    this.job = null;
    for (const id of this.ids) this.api.drop(id).catch(() => {});
  }

  say(text, failed = [], more = null) {
    const list = failed.length ? el("ul", { className: "hint" }, ...failed.map((line) => el("li", {}, line))) : null;
    $("folder-state").replaceChildren(...[el("p", {}, text), list, more].filter(Boolean));
  }
}
