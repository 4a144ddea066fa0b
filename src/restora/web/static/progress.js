// Where a restoration stands: its place in the queue, its steps, an intermediate picture.
import { $, announce } from "./dom.js";

export class Progress {
  begin(cancel) {
    this.start = performance.now();
    this.told = "";
    $("progress").hidden = false;
    $("bar").removeAttribute("value");
    $("doing").textContent = "Sending";
    $("cancel").disabled = false;
    $("cancel").onclick = () => { $("cancel").disabled = true; cancel(); };
    clearInterval(this.timer);
    this.timer = setInterval(() => this.tick(), 500);
    this.tick();
  }

  end() {
    clearInterval(this.timer);
    $("progress").hidden = true;
  }

  tick() {
    const seconds = Math.round((performance.now() - this.start) / 1000);
    $("elapsed").textContent = `${seconds} s`;
  }

  job(job) {
    if (job.state === "waiting") {
      const others = job.ahead === 1 ? "one restoration" : `${job.ahead} restorations`;
      this.say(`Waiting for ${others} before yours`);
    } else if (job.state === "running") {
      if (job.done > 0) $("bar").value = job.done;
      const percent = Math.floor(job.done * 4) * 25;
      this.say(job.doing || "Starting", percent ? `${percent} % done` : job.doing);
    }
  }

  say(text, spoken = text) {
    $("doing").textContent = text;
    if (spoken !== this.told) announce(spoken);
    this.told = spoken;
  }
}
