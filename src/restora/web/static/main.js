// The page: what is shown when, and who calls whom.
import { Api } from "./api.js";
import { Compare } from "./compare.js";
import { $, alertLine, announce, clearAlerts, trying } from "./dom.js";
import { Folder } from "./folder.js";
import { History } from "./history.js";
import { Settings } from "./options.js";
import { Painter } from "./painter.js";
import { Progress } from "./progress.js";
import { Result } from "./result.js";
import { accept } from "./upload.js";
import { Viewport } from "./viewport.js";

const api = new Api({ onJob: (job) => onJob(job), onPreview: (preview) => onPreview(preview) });
const about = await trying(() => api.about());
await trying(() => api.begin());
const viewport = new Viewport();
const compare = new Compare(viewport);
const painter = new Painter(viewport, api);
const settings = new Settings(about);
const result = new Result(api, viewport, compare);
const progress = new Progress();
const history = new History(api);
const folder = new Folder(api, about);
let picture = null; // of the server, with its mask and the size of what is restored
let running = null; // the id of the job whose progress is shown; "" while it is sent
let asked = null;
let turn = 0; // of what the visitor asked for last: a picture that arrives after it is not shown
const known = new Set(); // jobs whose progress was shown

api.onLost = () => alertLine("The server has ended this visit, or stopped. Reload the page to begin anew.");
accept(about, (file) => bring(() => api.upload(file)), (name) => bring(() => api.example(name)));
settings.onChange = () => ready();
settings.onProposed = () => trying(() => painter.read(null, "", true));
painter.onChange = () => ready();
folder.request = (ids) => settings.request(ids, picture.id);
$("restore").onclick = () => restore();
$("edit").onclick = () => edit();
$("go-on").onclick = () => goOn({ job: result.job, picture }, result.number);
addEventListener("keydown", (event) => {
  if (document.body.dataset.state === "edit" && settings.isPainting) painter.shortcut(event);
});

/** A new picture: uploaded, an example, or a result. */
async function bring(get, previous) {
  if (running !== null) return alertLine("Wait for the restoration that is under way, or cancel it.");
  clearAlerts();
  announce("Reading the picture");
  document.body.classList.add("busy");
  const own = ++turn;
  const found = await trying(get);
  document.body.classList.remove("busy");
  if (!found || own !== turn) return undefined;
  picture = found;
  $("name").textContent = picture.name;
  $("facts").textContent = [picture.facts, ...picture.notes].join(". ");
  settings.open(picture);
  painter.open(picture, previous);
  if (picture.has_mask) await trying(() => painter.read(null));
  if (own !== turn) return undefined;
  edit();
  announce(`${picture.name}, ${picture.facts}. ${picture.findings.map((finding) => finding.text).join(". ")}`);
  return picture;
}

/** Settings and mask, as they were left. */
function edit() {
  document.body.dataset.state = "edit";
  $("welcome").hidden = true;
  $("stage").hidden = $("panel").hidden = $("settings").hidden = false;
  $("restore").hidden = false;
  result.close();
  $("before").src = api.view(picture.id);
  $("before").hidden = false;
  viewport.show(picture.width, picture.height);
  viewport.fit();
  $("restore").textContent = "Restore";
  ready();
}

/** Whether it can begin, and if not, why. */
function ready() {
  const editing = document.body.dataset.state === "edit";
  if (editing && painter.canvas.hidden === settings.isPainting) painter.enable(settings.isPainting);
  let why = "";
  if (!settings.chosen.size) why = "Choose what to repair.";
  else if (settings.isPainting && painter.mask.isEmpty) why = "Paint over what should be replaced.";
  $("why").textContent = running === null ? why : "";
  $("restore").disabled = Boolean(why) || running !== null;
}

async function restore() {
  if (running !== null) return;
  running = "";
  turn += 1;
  clearAlerts();
  const request = settings.request([picture.id], picture.id);
  document.body.dataset.state = "running";
  painter.enable(false);
  result.close();
  $("before").src = api.view(picture.id);
  ready();
  progress.begin(() => cancel());
  try {
    if (request.mask === picture.id) await api.putMask(picture.id, await painter.mask.blob());
    asked = { picture, request };
    const job = await api.submit(request);
    if (running === "") running = job.id;
  } catch (error) {
    stop(error.message);
  }
}

function cancel() {
  if (running) trying(() => api.cancel(running));
  else stop("");
}

function stop(error) {
  running = null;
  progress.end();
  edit();
  if (error) alertLine(error);
}

function onJob(job) {
  if (folder.take(job)) return;
  if (running === "" && !known.has(job.id) && job.request.pictures[0] === asked?.picture.id) running = job.id;
  if (job.id !== running) return;
  known.add(job.id);
  progress.job(job);
  if (job.state === "cancelled") {
    stop("");
    announce("Cancelled");
  } else if (job.state === "failed" || (job.state === "done" && job.items[0].error)) {
    stop(job.error || job.items[0].error);
  } else if (job.state === "done") {
    finish(job);
  }
}

function onPreview(preview) {
  if (preview.id !== running) return;
  $("after").src = preview.picture;
  $("after").hidden = false;
}

async function finish(job) {
  running = null;
  progress.end();
  const entry = { job, picture: asked.picture, request: asked.request, summary: settings.summary(asked.request) };
  history.add(entry, { open: (one) => show(one), goOn: (one) => goOn(one, 0) });
  await show(entry);
  $("outcome-head").focus({ preventScroll: true });
}

/** A result, with the picture and the settings that it is of. */
async function show(entry) {
  if (running !== null) return;
  turn += 1;
  if (picture !== entry.picture) {
    picture = entry.picture;
    $("name").textContent = picture.name;
    settings.open(picture);
    settings.restoreFrom(entry.request);
    painter.open(picture);
  }
  document.body.dataset.state = "result";
  painter.enable(false);
  $("restore").textContent = "Restore again";
  await result.open(entry.job, picture);
  $("panel").scrollTop = 0;
  ready();
}

function goOn(entry, number) {
  bring(() => api.goOn(entry.job.id, 0, number), entry.picture.mask);
}
