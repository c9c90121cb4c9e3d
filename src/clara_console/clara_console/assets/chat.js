// Copyright 2026 The Clara Authors
// SPDX-License-Identifier: Apache-2.0
// The conversation: what is typed goes out, the reply grows as it is generated, Stop ends it.

import { element, get, post, postForLines } from "./api.js";
import { markdown } from "./markdown.js";
import { markUnsure, readoutChips, unsurePieces } from "./readouts.js";

const FORGETFUL = ""; // the session id of turns that are forgotten at once
const STOPS = ["nothing generated", "", "cut at the longest length", "", "stopped", "out of time", "failed"];
const DECISIONS = ["", "requested", "would request", "refused", "asks", "declined", "stopped", "comes next:"];
const SURE_MS = 5000; // within which a second click forgets a conversation
const REFUSED = 3;
const ASKED = 4;
const talk = document.getElementById("talk");
const text = document.getElementById("text");
const sessions = document.getElementById("session");
let turn = null; // the one under way: { id, canceled }
let sure = null; // the timer while a second click is waited for
let showCited = () => {};

function newName() {
  return `console-${new Date().toISOString().slice(0, 16).replace(/[-:T]/g, "")}-${Math.random().toString(36).slice(2, 5)}`;
}

function remember(name) {
  try {
    sessionStorage.setItem("session", name);
  } catch {
    // a browser without storage: the name lasts as long as the page
  }
}

function remembered() {
  try {
    return sessionStorage.getItem("session");
  } catch {
    return null;
  }
}

let session = remembered() ?? newName();

// The names that this page makes are shown as the time that they have in them.
function title(name) {
  const [, date, hour, minute] = /^console-(\d{8})(\d\d)(\d\d)-/.exec(name) ?? [];
  if (!date) return name;
  const then = new Date(`${date.slice(0, 4)}-${date.slice(4, 6)}-${date.slice(6)}T${hour}:${minute}Z`);
  return then.toLocaleString(undefined, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
}

function option(name, label) {
  const made = element("option", "", label);
  made.value = name;
  return made;
}

function counted(one) {
  return one ? `${one.turns} ${one.turns === 1 ? "turn" : "turns"}` : "new";
}

export async function refreshSessions() {
  let known = [];
  try {
    known = (await get("/api/sessions")).sessions;
  } catch {
    // The brain is away, which the top of the page says already.
  }
  const others = known.filter((one) => one.session_id !== session);
  const mine = known.find((one) => one.session_id === session);
  sessions.replaceChildren(
    ...(session === FORGETFUL ? [] : [option(session, `${title(session)} (${counted(mine)})`)]),
    ...others.map((one) => option(one.session_id, `${title(one.session_id)} (${counted(one)})`)),
    option(FORGETFUL, "nothing: forget each turn"),
  );
  sessions.value = session;
  if (mine?.turns && !talk.childElementCount) showHistory();
}

// Shows what was said in the conversation before this page was there.
async function showHistory() {
  const asked = session;
  try {
    const { exchanges } = await post("/api/sessions/get", { session });
    if (asked !== session || talk.childElementCount) return; // somebody was faster
    for (const { user, assistant } of exchanges) {
      say("me").querySelector(".words").textContent = user;
      say("clara").querySelector(".words").append(markdown(assistant));
    }
    talk.scrollTop = talk.scrollHeight;
  } catch {
    // It can be gone meanwhile; what is said next is shown in any case.
  }
}

function choose(name) {
  session = name;
  remember(name);
  askToForget(false);
  talk.replaceChildren();
  refreshSessions();
}

// Nothing brings a conversation back, and the button lies beside "New": its first click asks.
function askToForget(asks) {
  clearTimeout(sure);
  sure = asks ? setTimeout(askToForget, SURE_MS, false) : null;
  const button = document.getElementById("forget-session");
  button.textContent = asks ? "Forget for good?" : "Forget";
  button.className = asks ? "danger" : "quiet";
}

async function forget(name) {
  try {
    await post("/api/sessions/reset", { session: name });
  } catch (error) {
    // The brain knows none that is new, or forgotten already: that is what was wanted.
    if (error.name !== "SESSION_NOT_FOUND") throw error;
  }
}

function say(who) {
  const item = element("article", `said ${who}`);
  item.append(element("h3", "hidden", who === "me" ? "You" : "Clara"), element("div", "words"));
  talk.append(item);
  talk.scrollTop = talk.scrollHeight;
  return item;
}

function chip(label, title, bad = false) {
  const made = element("span", bad ? "chip bad" : "chip", label);
  made.title = title;
  return made;
}

// Answers "Shall I ...?"; only the next turn decides, so the buttons go when there is one.
function answerButton(answer) {
  const button = element("button", "answer", answer);
  button.type = "button";
  button.addEventListener("click", () => turn ?? takeTurn(answer));
  return button;
}

function addFacts(item, result) {
  const facts = element("div", "facts");
  for (const decision of result.decisions) {
    const { action, object } = decision.request;
    const what = [action || decision.skill, object].filter(Boolean).join(" ");
    facts.append(chip(`${DECISIONS[decision.status]} ${what}`, decision.reason, decision.status === REFUSED));
  }
  if (result.decisions.some((decision) => decision.status === ASKED)) {
    for (const answer of ["Yes", "No"]) facts.append(answerButton(answer));
  }
  if (result.memory_ids.length) {
    const button = element("button", "quiet chip", `rests on ${result.memory_ids.length} in memory`);
    button.type = "button";
    button.title = result.memory_ids.join("\n");
    button.addEventListener("click", () => showCited(result.memory_ids));
    facts.append(button);
  } else if (result.memory_abstained) {
    facts.append(chip("memory does not know", "memory was asked and has nothing that fits"));
  }
  facts.append(...readoutChips(result.text, result.governance));
  if (STOPS[result.stop_reason]) facts.append(element("span", "", STOPS[result.stop_reason]));
  if (result.usage.completion_tokens) {
    const { time_to_first_token: first, tokens_per_second: speed } = result.timing;
    const figures = [`first word after ${first.toFixed(2)} s`];
    if (speed) figures.push(`${speed.toFixed(0)} tokens/s`);
    facts.append(element("span", "", figures.join(" · ")));
  }
  if (result.dropped_turns) {
    facts.append(element("span", "", `the oldest ${result.dropped_turns} turns no longer fit`));
  }
  if (facts.childElementCount) item.append(facts);
}

function addFault(item, sentence) {
  const fault = element("p", "fault", sentence);
  fault.setAttribute("role", "alert");
  item.append(fault);
}

// Shows a growing reply, once a frame at most: each time it is all made anew.
function growing(place) {
  let text = "";
  let frame = 0;
  const draw = () => {
    frame = 0;
    const atEnd = talk.scrollHeight - talk.scrollTop - talk.clientHeight < 80;
    place.replaceChildren(markdown(text));
    if (atEnd) talk.scrollTop = talk.scrollHeight;
  };
  return {
    add(delta) {
      text += delta;
      frame ||= requestAnimationFrame(draw);
    },
    end(whole = text) {
      cancelAnimationFrame(frame);
      text = whole;
      draw();
    },
  };
}

async function takeTurn(words) {
  for (const button of talk.querySelectorAll(".answer")) button.remove();
  say("me").querySelector(".words").textContent = words;
  const item = say("clara");
  const place = item.querySelector(".words");
  const reply = growing(place);
  item.classList.add("streaming");
  item.setAttribute("aria-busy", "true"); // read out when it is whole
  turn = { id: null, canceled: false };
  setBusy(true);
  try {
    let ended = false;
    for await (const line of postForLines("/api/chat", { text: words, session })) {
      if (line.turn) {
        turn.id = line.turn;
        if (turn.canceled) post(`/api/chat/${turn.id}/cancel`).catch(() => {});
      } else if (line.delta) {
        reply.add(line.delta);
      } else if (line.error) {
        throw new Error(line.error);
      } else {
        ended = true;
        reply.end(line.result.text);
        markUnsure(place, line.result.text, unsurePieces(line.result.text, line.result.governance));
        addFacts(item, line.result);
        const { error_code: code, error_name: name, error_msg: why } = line.result;
        if (code && name !== "CANCELED") addFault(item, why || name);
      }
    }
    if (!ended) throw new Error("The connection ended before the reply did.");
  } catch (error) {
    reply.end();
    addFault(item, error.message);
  } finally {
    item.classList.remove("streaming");
    item.removeAttribute("aria-busy");
    place.hidden = !place.hasChildNodes();
    talk.scrollTop = talk.scrollHeight;
    turn = null;
    setBusy(false);
    refreshSessions();
  }
}

function setBusy(busy) {
  askToForget(false);
  document.getElementById("send").hidden = busy;
  document.getElementById("cancel").hidden = !busy;
  document.getElementById("cancel").disabled = false;
  sessions.disabled = busy;
  document.getElementById("new-session").disabled = busy;
  document.getElementById("forget-session").disabled = busy;
}

function fit() {
  text.style.height = "auto";
  text.style.height = `${text.scrollHeight + 2}px`;
}

export function startChat(onCited) {
  showCited = onCited;
  const form = document.getElementById("say");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const words = text.value.trim();
    if (!words || turn) return;
    text.value = "";
    fit();
    takeTurn(words);
  });
  text.addEventListener("input", fit);
  text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      form.requestSubmit();
    }
  });
  document.getElementById("cancel").addEventListener("click", (event) => {
    if (!turn) return;
    turn.canceled = true;
    event.target.disabled = true;
    if (turn.id) post(`/api/chat/${turn.id}/cancel`).catch(() => {});
    text.focus();
  });
  sessions.addEventListener("change", () => choose(sessions.value));
  document.getElementById("new-session").addEventListener("click", () => choose(newName()));
  document.getElementById("forget-session").addEventListener("click", async (event) => {
    const isSure = sure && event.detail < 2; // a double click is one
    askToForget(!isSure);
    if (!isSure) return;
    try {
      if (session !== FORGETFUL) await forget(session);
      talk.replaceChildren();
    } catch (error) {
      const item = say("clara");
      item.querySelector(".words").hidden = true;
      addFault(item, error.message);
    }
    refreshSessions();
  });
  remember(session);
  refreshSessions();
}
