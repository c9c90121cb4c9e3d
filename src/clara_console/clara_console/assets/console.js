// Copyright 2026 The Clara Authors
// SPDX-License-Identifier: Apache-2.0
// Ties the page together: live news in, each part refreshed when the node behind it comes or goes.

import { get, show } from "./api.js";
import { refreshSessions, startChat } from "./chat.js";
import { refreshModel, showHealth, whoIsUp } from "./health.js";
import { addEpisode, refreshMemory, showCited, startMemory } from "./memory.js";
import { refreshAdapters, refreshPersonality, showMoved, startPersonality } from "./personality.js";

const THEMES = ["auto", "light", "dark"];
const AWAY = "The console does not answer: is its node still running? Trying again.";
const SILENT_MS = 6000;
let was = {};
let live = null;
let heard = 0; // when the last health came
let beats = 0;

function onHealth(health) {
  showHealth(health);
  const now = whoIsUp(health);
  if (now.brain !== was.brain) {
    refreshPersonality();
    refreshModel();
    refreshSessions();
  }
  if (now.memory !== was.memory) refreshMemory();
  was = now;
  beats += 1;
  if (now.brain && beats % 5 === 0) refreshAdapters(); // nobody publishes when one is loaded
}

function connect() {
  live?.close();
  heard = Date.now();
  live = new EventSource("/api/live");
  live.addEventListener("open", () => {
    was = {}; // what was missed meanwhile is read again with the first news
    show("banner", "");
  });
  live.addEventListener("health", (event) => {
    heard = Date.now();
    onHealth(JSON.parse(event.data));
  });
  live.addEventListener("episode", (event) => addEpisode(JSON.parse(event.data)));
  live.addEventListener("personality", (event) => showMoved(JSON.parse(event.data)));
  live.addEventListener("error", () => {
    show("banner", AWAY);
    // A browser gives up for good where the answer was not a stream of events.
    if (live.readyState === EventSource.CLOSED) setTimeout(reconnect, 2000);
  });
}

// Asks for something first: should the token have changed, that shows the door.
async function reconnect() {
  try {
    await get("/api/memory");
  } catch {
    // memory or the console is away: connecting tells which
  }
  if (!document.hidden) connect();
}

// A network can fall silent without an error. Health is told each second, so silence is one.
function watch() {
  if (document.hidden || live.readyState !== EventSource.OPEN || Date.now() - heard < SILENT_MS) return;
  show("banner", AWAY);
  connect();
}

// A link with a token, followed by who is in already: the door is not there to take it away.
function dropToken() {
  if (location.hash.startsWith("#token=")) history.replaceState(null, "", "/");
}

function startTheme() {
  const button = document.getElementById("theme");
  const apply = (theme) => {
    if (theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    button.textContent = `Colours: ${theme}`;
    button.setAttribute("aria-label", `Colours: ${theme === "auto" ? "as the system" : theme}`);
  };
  let theme = "auto";
  try {
    theme = localStorage.getItem("theme") ?? theme;
  } catch {
    // a browser without storage
  }
  apply(theme);
  button.addEventListener("click", () => {
    theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
    apply(theme);
    try {
      localStorage.setItem("theme", theme);
    } catch {
      // it lasts as long as the page
    }
  });
}

dropToken();
window.addEventListener("hashchange", dropToken);
startTheme();
startChat(showCited);
startPersonality();
startMemory();
connect();
setInterval(watch, 1000);
// A browser has six connections to a server, for all its windows: a hidden page needs none.
document.addEventListener("visibilitychange", () => {
  if (document.hidden) live.close();
  else connect();
});
