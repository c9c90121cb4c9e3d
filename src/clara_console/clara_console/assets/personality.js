// Copyright 2026 The Clara Authors
// SPDX-License-Identifier: Apache-2.0
// The sliders, presets and adapters. A move acts while it is made; what others move shows here too.

import { element, get, post, show } from "./api.js";

const GROUPS = ["How she speaks", "What she knows"]; // by Trait.kind
const PAUSE_MS = 100; // between two requests while a slider is dragged
const REFRESH_MS = 1000;
const SPEC = "spec"; // the preset of what the personality file says
const sliders = document.getElementById("sliders");
const adapters = document.getElementById("adapters");
const presets = document.getElementById("preset");
const rows = new Map(); // name of a trait -> its row
const scales = new Map(); // name of an adapter -> its row
let waiting = null;
let gliding = null; // the timer until a fade that was begun here is over

// Says what the sliders glide to, for these seconds; without an argument, that they no longer do.
function showGlide(where = "", seconds = 0) {
  clearTimeout(gliding);
  gliding = seconds ? setTimeout(showGlide, 1000 * seconds) : null;
  show("gliding", seconds ? `On the way: ${where}` : "");
}

// One labelled slider; `move` is called with its value while it is dragged.
function slider(name, id, least, most, move) {
  const row = element("div", "slider");
  const label = element("label", "", name);
  const output = element("output");
  const input = element("input");
  Object.assign(input, { type: "range", min: least, max: most, step: 0.05, id });
  label.htmlFor = input.id;
  output.setAttribute("for", input.id);
  input.addEventListener("input", () => {
    output.textContent = input.valueAsNumber.toFixed(2);
    move(input.valueAsNumber);
  });
  row.append(label, output, input);
  return { row, input, output };
}

function set({ input, output }, value) {
  if (input.matches(":active")) return; // never pull a slider out of somebody's hand
  input.value = value;
  output.textContent = value.toFixed(2);
}

// Sends the latest values, one request at a time; `busy` names those still under way.
function sender(send, done, fault) {
  let pending = {};
  let sent = {};
  let isSending = false;
  const work = async () => {
    isSending = true;
    while (Object.keys(pending).length) {
      [sent, pending] = [pending, {}];
      try {
        await send(sent);
        show(fault, "");
      } catch (error) {
        pending = {};
        show(fault, error.message);
      }
      sent = {};
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
    isSending = false;
    done();
  };
  return {
    move(name, value) {
      pending[name] = value;
      if (!isSending) work();
    },
    busy: (name) => name in pending || name in sent,
  };
}

async function moveTraits(values) {
  await post("/api/personality", { values });
  showGlide(); // a move ends a fade
}

const traitMoves = sender(moveTraits, refreshPersonality, "personality-fault");
const scaleMoves = sender((values) => post("/api/adapters", { scales: values }), refreshAdapters, "adapter-fault");

function build(traits) {
  rows.clear();
  sliders.replaceChildren();
  GROUPS.forEach((title, kind) => {
    const members = traits.filter((trait) => trait.kind === kind);
    if (!members.length) return;
    const group = sliders.appendChild(element("div"));
    const head = group.appendChild(element("h3", "", title));
    head.id = `group-${kind}`;
    group.setAttribute("role", "group");
    group.setAttribute("aria-labelledby", head.id);
    for (const { name } of members) {
      const made = slider(name, `slider-${name}`, 0, 1, (value) => traitMoves.move(name, value));
      rows.set(name, made);
      group.append(made.row);
    }
  });
}

function fillPresets(names) {
  if (presets.length - 1 === names.length) return;
  presets.replaceChildren(new Option("Presets", ""));
  for (const name of names) presets.append(new Option(name === SPEC ? "as her file says" : name, name));
}

export async function refreshPersonality() {
  let isUp = true;
  try {
    const { traits, system_prompt: prompt, presets: names } = await get("/api/personality");
    if (traits.length !== rows.size || traits.some(({ name }) => !rows.has(name))) build(traits);
    for (const { name, value, default_value: standard } of traits) {
      if (!traitMoves.busy(name)) set(rows.get(name), value);
      rows.get(name).row.classList.toggle("moved", Math.abs(value - standard) > 0.004);
    }
    fillPresets(names);
    document.getElementById("system-prompt").textContent = prompt;
    show("personality-away", "");
  } catch (error) {
    isUp = false;
    showGlide();
    show("personality-away", error.message);
  }
  document.getElementById("personality-controls").disabled = !isUp;
  refreshAdapters();
}

export async function refreshAdapters() {
  let known = [];
  try {
    known = (await get("/api/adapters")).adapters;
  } catch {
    // The brain is away, which this panel says already.
  }
  document.getElementById("adapters-part").hidden = !known.length;
  if (known.length !== scales.size || known.some(({ name }) => !scales.has(name))) {
    scales.clear();
    adapters.replaceChildren();
    for (const { name } of known) {
      const made = slider(name, `adapter-${name}`, -4, 4, (value) => scaleMoves.move(name, value));
      scales.set(name, made);
      adapters.append(made.row);
    }
  }
  for (const { name, scale, path, follows_slider: follows } of known) {
    const one = scales.get(name);
    if (!scaleMoves.busy(name)) set(one, scale);
    one.input.disabled = follows;
    one.row.title = follows ? `${path}: follows the slider ${name}` : path;
    one.row.classList.toggle("moved", scale !== 0);
  }
}

// Shows what was moved, here or elsewhere; what follows from it is asked for now and then, for a
// fade tells of moves five times a second.
export function showMoved(values) {
  for (const [name, value] of Object.entries(values)) {
    if (rows.has(name) && !traitMoves.busy(name)) set(rows.get(name), value);
  }
  waiting ??= setTimeout(() => {
    waiting = null;
    refreshPersonality();
  }, REFRESH_MS);
}

export function startPersonality() {
  document.getElementById("presets").addEventListener("submit", async (event) => {
    event.preventDefault();
    if (!presets.value) return;
    const fade = document.getElementById("fade");
    const seconds = Number(fade.value);
    try {
      await post("/api/personality", { preset: presets.value, fade: seconds });
      showGlide(`${presets.selectedOptions[0].text}, ${fade.selectedOptions[0].text}`, seconds);
      show("personality-fault", "");
    } catch (error) {
      show("personality-fault", error.message);
    }
    presets.value = "";
    refreshPersonality();
  });
}
