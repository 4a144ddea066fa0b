// The HTTP interface of the server, as docs/web.md describes it.

async function call(method, path, body, type) {
  const headers = type ? { "Content-Type": type } : {};
  let answer;
  try {
    answer = await fetch(path, { method, body, headers });
  } catch {
    throw new Error("The server does not answer. Is it still running?");
  }
  if (answer.status === 204) return null;
  const content = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(content.error || `The server answered ${answer.status}.`);
  return content;
}

export class Api {
  /** `onJob` and `onPreview` are called with what the server tells of restorations. */
  constructor({ onJob, onPreview }) {
    this.onJob = onJob;
    this.onPreview = onPreview;
  }

  about() { return call("GET", "/api/about"); }

  async begin() {
    const { visit } = await call("POST", "/api/visits");
    this.root = `/api/visits/${visit}`;
    this.events = new EventSource(`${this.root}/events`);
    this.events.addEventListener("job", (event) => this.onJob(JSON.parse(event.data)));
    this.events.addEventListener("preview", (event) => this.onPreview(JSON.parse(event.data)));
    this.events.addEventListener("error", () => this.lost());
    addEventListener("pagehide", (event) => {
      if (!event.persisted) navigator.sendBeacon(`${this.root}/end`);
    });
  }

  /** The stream broke. It comes back by itself, unless the server no longer knows this visit. */
  async lost() {
    if (this.events.readyState === EventSource.CLOSED && !this.gone) {
      this.gone = true;
      this.onLost?.();
    }
  }

  upload(file) {
    const name = encodeURIComponent(file.name || "pasted.png");
    return call("POST", `${this.root}/pictures?name=${name}`, file, "application/octet-stream");
  }

  example(name) { return call("POST", `${this.root}/examples/${name}`); }
  drop(picture) { return call("DELETE", `${this.root}/pictures/${picture}`); }
  view(picture) { return `${this.root}/pictures/${picture}/view`; }

  putMask(picture, blob, name = "mask.png") {
    const path = `${this.root}/pictures/${picture}/mask?name=${encodeURIComponent(name)}`;
    return call("PUT", path, blob, "application/octet-stream");
  }

  mask(picture, proposed) { return `${this.root}/pictures/${picture}/mask?proposed=${proposed}&${Date.now()}`; }
  submit(request) { return call("POST", `${this.root}/jobs`, JSON.stringify(request), "application/json"); }
  cancel(job) { return call("DELETE", `${this.root}/jobs/${job}`); }
  result(job, item, number) { return `${this.root}/jobs/${job}/items/${item}/results/${number}`; }
  shown(job, item, number) { return `${this.result(job, item, number)}/view`; }
  small(job, item, number) { return `${this.shown(job, item, number)}?side=200`; }
  map(job, item) { return `${this.root}/jobs/${job}/items/${item}/map`; }
  zip(job) { return `${this.root}/jobs/${job}/results.zip`; }
  goOn(job, item, number) { return call("POST", `${this.result(job, item, number)}/picture`); }
}
