// Copyright 2026 The Clara Authors
// SPDX-License-Identifier: Apache-2.0
// Talks to the console's node. Every fault becomes an Error whose message is a sentence for people;
// its name is that of the error code, where a node answered with one.

const AWAY = "The console itself does not answer: is its node still running?";

async function ask(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error(AWAY);
  }
  if (response.ok) return response;
  if (response.status === 401) location.reload(); // the door is shown in its place
  const fault = new Error(`The console answered with ${response.status} ${response.statusText}.`);
  try {
    const { error, name } = await response.json();
    fault.message = error ?? fault.message;
    fault.name = name ?? fault.name;
  } catch {
    // not JSON: the status has to do
  }
  throw fault;
}

function posted(body) {
  return {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  };
}

export async function get(path) {
  return (await ask(path)).json();
}

export async function post(path, body = {}) {
  return (await ask(path, posted(body))).json();
}

// Gives each object of an answer that has one a line, as the lines come.
export async function* postForLines(path, body) {
  const reader = (await ask(path, posted(body))).body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  for (;;) {
    let part;
    try {
      part = await reader.read();
    } catch {
      throw new Error("The connection to the console was lost.");
    }
    rest += decoder.decode(part.value ?? new Uint8Array(), { stream: !part.done });
    const lines = rest.split("\n");
    rest = lines.pop();
    for (const line of lines) yield JSON.parse(line);
    if (part.done) return;
  }
}

// Makes an element. Texts are set as text: nothing that Clara or memory says is ever read as HTML.
export function element(tag, className = "", text = "") {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== "") made.textContent = text;
  return made;
}

export function show(id, text) {
  const place = document.getElementById(id);
  place.textContent = text;
  place.hidden = !text;
}

// Fills a <dl> with names and values; empty values are left out.
export function fillList(list, pairs) {
  list.replaceChildren();
  for (const [name, value] of pairs) {
    if (value === "" || value === null || value === undefined) continue;
    list.append(element("dt", "", name), element("dd", "", String(value)));
  }
}
