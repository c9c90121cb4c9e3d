// Copyright 2026 The Clara Authors
// SPDX-License-Identifier: Apache-2.0
// What the robot did: the latest episodes as they are recorded, and a search in all of them.

import { element, get, post, show } from "./api.js";
import { carryForm, correctButton, formIn, replaceRows } from "./correct.js";

const OUTCOMES = ["UNKNOWN", "SUCCEEDED", "FAILED", "CANCELED", "TIMED_OUT"];
const READ_AS = ["nothing known is like it", "as it is", "inflected", "spelt alike", "of like meaning", "near in value", "near in space"];
const MOST_SHOWN = 60;
const COUNT_MS = 500; // episodes may come by the hundred
const latest = document.getElementById("episodes");
const found = document.getElementById("found");
const foundList = document.getElementById("found-list");
let since = null; // the episodes that came while the latest were asked for

function roleText(role) {
  const value = role.values.length ? role.values.map((one) => Number(one?.toPrecision(5))).join(", ") : "";
  return `${role.role} ${[value, role.filler].filter(Boolean).join(" ")}`;
}

function row(episode) {
  const outcome = OUTCOMES[episode.outcome] ?? "UNKNOWN";
  const item = element("li");
  item.dataset.outcome = outcome;
  item.dataset.id = episode.episode_id;
  item.title = `${episode.episode_id} from ${episode.source}`;
  const dot = element("span", "dot");
  dot.setAttribute("aria-hidden", "true");
  const what = [episode.subject, episode.action, episode.object].filter(Boolean).join(" ");
  const end = new Date(episode.end * 1000);
  const isToday = end.toDateString() === new Date().toDateString();
  const when = element("time", "when", isToday ? end.toLocaleTimeString() : end.toLocaleString());
  when.dateTime = end.toISOString();
  const more = [
    episode.result || outcome,
    episode.detail,
    ...episode.context.map(roleText),
    ...episode.effects.map((role) => `then ${roleText(role)}`),
  ].filter(Boolean);
  item.append(dot, element("span", "what", what), when, element("span", "more", more.join(" · ")));
  item.append(correctButton(item, episode, addCorrected));
  return item;
}

// An episode as it is now takes the place of what it was, wherever that is shown.
function addCorrected(episode) {
  for (const list of [latest, foundList]) replaceIn(list, episode);
  refreshCount();
}

function replaceIn(list, episode) {
  const before = list.querySelector(`[data-id="${CSS.escape(episode.episode_id)}"]`);
  if (!before) return false;
  const item = row(episode);
  item.classList.add("new");
  item.classList.toggle("cited", before.classList.contains("cited"));
  const focused = before.contains(document.activeElement) && !formIn(before);
  before.after(item);
  carryForm(before, item);
  before.remove();
  if (focused) item.querySelector("button.correct").focus();
  return true;
}

export function addEpisode(episode) {
  since?.push(episode);
  // A late result or a correction changes an episode: it keeps its id, and its place here.
  replaceIn(foundList, episode);
  if (!replaceIn(latest, episode)) {
    const item = row(episode);
    item.classList.add("new");
    latest.prepend(item);
  }
  const idle = [...latest.children].filter((item) => !formIn(item));
  for (const item of idle.slice(MOST_SHOWN)) item.remove();
  refreshCount();
}

export async function refreshMemory() {
  const meanwhile = [];
  since = meanwhile;
  try {
    const { episodes } = await post("/api/memory/query", { text: "" });
    replaceRows(latest, episodes.map((match) => row(match.episode)));
    show("memory-fault", "");
  } catch (error) {
    show("memory-fault", error.message);
  }
  if (since === meanwhile) since = null;
  meanwhile.forEach(addEpisode); // the answer may be older than these
  refreshCount();
}

let counting = null;

function refreshCount() {
  counting ??= setTimeout(async () => {
    counting = null;
    const place = document.getElementById("memory-count");
    try {
      const { episodes, failed, pending } = await get("/api/memory");
      const parts = [`${episodes} ${episodes === 1 ? "episode" : "episodes"}`, `${failed} failed`];
      if (pending) parts.push(`${pending} under way`);
      place.textContent = parts.join(" · ");
    } catch {
      place.textContent = "";
    }
  }, COUNT_MS);
}

// Whether no episode fits all of the text, so that those found lack this role of it.
function isSetAside(answer, role) {
  return !answer.understood.some((filler) => filler.role === role);
}

function readings(answer) {
  return answer.readings.map(({ cue, nearest, by, accepted }) => {
    const asked = roleText(cue);
    if (!accepted) return nearest ? `${asked}: unknown; nearest is ${nearest}` : `${asked}: unknown`;
    const read = by > 1 ? `${asked} read as ${nearest} (${READ_AS[by]})` : asked;
    return isSetAside(answer, cue.role) ? `${read}: not in all of these` : read;
  });
}

function heading(answer) {
  if (answer.abstained) return "Memory does not know";
  const episodes = `${answer.matches} ${answer.matches === 1 ? "episode" : "episodes"}`;
  const lacking = answer.readings.some(({ cue }) => isSetAside(answer, cue.role));
  if (lacking) return `No episode fits all of it; ${episodes} nearest`;
  return `${episodes} ${answer.matches === 1 ? "fits" : "fit"}`;
}

async function search(text) {
  found.hidden = false;
  foundList.replaceChildren();
  const title = document.getElementById("found-title");
  const note = document.getElementById("found-note");
  title.textContent = "Searching";
  note.textContent = "";
  try {
    const answer = await post("/api/memory/query", { text });
    title.textContent = heading(answer);
    note.textContent = readings(answer).join("; ");
    foundList.replaceChildren(...answer.episodes.map((match) => row(match.episode)));
  } catch (error) {
    title.textContent = "The search failed";
    note.textContent = error.message;
  }
}

// Marks the episodes that a reply rests on, and shows the first.
export function showCited(ids) {
  const rows = [...document.querySelectorAll(".episodes li")];
  for (const item of rows) item.classList.toggle("cited", ids.includes(item.dataset.id));
  rows.find((item) => ids.includes(item.dataset.id))?.scrollIntoView({ block: "center", behavior: "smooth" });
}

export function startMemory() {
  document.getElementById("search").addEventListener("submit", (event) => {
    event.preventDefault();
    const text = document.getElementById("query").value.trim();
    if (text) search(text);
  });
  document.getElementById("close-found").addEventListener("click", () => {
    found.hidden = true;
  });
}
