// Copyright 2026 The Clara Authors
// SPDX-License-Identifier: Apache-2.0
// Corrects an episode where it stands in a list. What was typed stays until it is saved or given up:
// when memory refuses, and when the episode's row is drawn anew meanwhile.

import { element, post } from "./api.js";

const FIELDS = [
  ["subject", "Who", 256],
  ["action", "Did what", 256],
  ["object", "To what", 256],
  ["result", "How it ended", 256],
  ["detail", "In a sentence", 1024],
];

// Gives the button that opens the form of an episode in its row; `corrected` is called with the
// episode as it is then.
export function correctButton(item, episode, corrected) {
  const button = element("button", "quiet correct", "Correct");
  button.type = "button";
  const what = [episode.action, episode.object].filter(Boolean).join(" ");
  button.setAttribute("aria-label", `Correct ${what}`);
  button.setAttribute("aria-expanded", "false");
  button.addEventListener("click", () => {
    const open = formIn(item);
    if (open) close(open);
    else openForm(item, episode, corrected);
  });
  return button;
}

// Draws rows in a list anew; a form that is open in it goes on in the new row of its episode, and
// where there is none any more its old row stays.
export function replaceRows(list, rows) {
  const open = [...list.querySelectorAll(".correction")].map((form) => form.closest("li"));
  const typing = document.activeElement;
  list.replaceChildren(...rows);
  for (const before of open.reverse()) {
    const now = list.querySelector(`[data-id="${CSS.escape(before.dataset.id)}"]`);
    if (now) carryForm(before, now);
    else list.prepend(before);
  }
  if (list.contains(typing)) typing.focus();
}

// Moves an open form from one row of an episode to another; both are on the page where somebody
// types in it, for what leaves the page loses the focus.
export function carryForm(before, now) {
  const form = formIn(before);
  if (!form) return;
  const typing = document.activeElement;
  now.append(form);
  button(now).setAttribute("aria-expanded", "true");
  if (form.contains(typing)) typing.focus();
}

export function formIn(item) {
  return item.querySelector(".correction");
}

function button(item) {
  return item.querySelector("button.correct");
}

function close(form) {
  const opened = button(form.closest("li"));
  form.remove();
  opened.setAttribute("aria-expanded", "false");
  opened.focus();
}

function openForm(item, episode, corrected) {
  const form = element("form", "correction");
  const inputs = FIELDS.map(([name, label, longest]) => {
    const named = element("label", "", label);
    const input = element("input");
    input.name = name;
    input.value = episode[name];
    input.maxLength = longest;
    input.autocomplete = "off";
    input.required = name === "action";
    named.append(input);
    form.append(named);
    return input;
  });
  const fault = element("p", "fault");
  fault.setAttribute("role", "alert");
  fault.hidden = true;
  const save = element("button", "primary", "Save");
  const cancel = element("button", "quiet", "Cancel");
  cancel.type = "button";
  const buttons = element("div", "buttons");
  buttons.append(save, cancel);
  form.append(fault, buttons);
  cancel.addEventListener("click", () => close(form));
  form.addEventListener("keydown", (event) => {
    if (event.key === "Escape") close(form);
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (save.disabled) return; // it is on its way
    const changed = inputs.filter((input) => input.value !== episode[input.name]);
    if (!changed.length) return close(form);
    save.disabled = true;
    fault.hidden = true;
    try {
      const changes = Object.fromEntries(changed.map((input) => [input.name, input.value]));
      const answer = await post("/api/memory/correct", { episode_id: episode.episode_id, changes });
      if (form.isConnected) close(form);
      corrected(answer.episode);
    } catch (error) {
      fault.textContent = error.message;
      fault.hidden = false;
      fault.scrollIntoView({ block: "nearest" });
      save.disabled = false;
    }
  });
  item.append(form);
  button(item).setAttribute("aria-expanded", "true");
  inputs[0].focus();
}
