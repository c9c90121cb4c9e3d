// Copyright 2026 The Clara Authors
// SPDX-License-Identifier: Apache-2.0
// How the nodes are, as they say each second, and which model is loaded.

import { element, fillList, get, show } from "./api.js";

const LEVELS = ["good", "warn", "bad", "bad"];
const SILENT_S = 4; // the nodes report once a second
const IN_THE_LIST = ["general.name", "general.architecture", "general.file_type", "general.type", "general.alignment"];

function isSilent(status) {
  return status.age > SILENT_S;
}

// Tells whether a node that says its lifecycle state is active; others are at work while they speak.
function isAtWork(status) {
  return status.values.every(({ key, value }) => key !== "state" || value === "active");
}

function stateOf(status) {
  if (isSilent(status)) return "bad";
  return status.level === 0 && !isAtWork(status) ? "warn" : LEVELS[status.level];
}

function pill(name, up, status) {
  const place = document.getElementById(`pill-${name}`);
  const title = name[0].toUpperCase() + name.slice(1);
  let state = "bad";
  let words = "not running";
  if (status && !isSilent(status)) {
    state = stateOf(status);
    words = status.level >= 2 ? "fault" : status.message;
  } else if (up) {
    state = "warn";
    words = "silent";
  }
  place.dataset.state = state;
  place.textContent = `${title}: ${words}`;
}

function statusBox(status) {
  const box = element("div", "status");
  box.dataset.state = stateOf(status);
  const line = element("p");
  const said = isSilent(status) ? `silent for ${Math.round(status.age)} s` : status.message;
  line.append(element("b", "", status.name.split("/").pop().split(":")[0]), element("span", "level", said));
  const list = element("dl");
  // The state is in the line above already.
  const pairs = status.values.filter(({ key, value }) => value !== said && key !== "state");
  fillList(list, pairs.map(({ key, value }) => [key.replaceAll("_", " "), value]));
  box.append(line, list);
  return box;
}

export function showHealth({ namespace, up, statuses }) {
  document.getElementById("namespace").textContent = namespace;
  for (const name of ["brain", "memory"]) {
    pill(name, up[name], statuses.find((status) => status.name.endsWith(`: ${name}`)));
  }
  const place = document.getElementById("statuses");
  if (statuses.length) {
    place.replaceChildren(...statuses.map(statusBox));
  } else {
    place.replaceChildren(element("p", "note", "No node has said how it is yet."));
  }
}

// Tells whether each node takes requests now: it is discovered, and not known to be idle or gone.
export function whoIsUp({ up, statuses }) {
  const works = (name) => {
    const status = statuses.find((one) => one.name.endsWith(`: ${name}`));
    return up[name] && (!status || (!isSilent(status) && isAtWork(status)));
  };
  return { brain: works("brain"), memory: works("memory") };
}

function size(bytes) {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(2)} GB` : `${(bytes / 1e6).toFixed(0)} MB`;
}

// Where a model came from is in its file, under these names; training adds those of its manifest.
function isLineage({ key }) {
  return key.startsWith("clara.") || (key.startsWith("general.") && !IN_THE_LIST.includes(key));
}

export async function refreshModel() {
  const list = document.getElementById("model");
  try {
    const model = await get("/api/model");
    fillList(list, [
      ["name", model.name],
      ["file", model.path.split("/").pop()],
      ["size", size(model.bytes)],
      ["kind", [model.architecture, model.quantization].filter(Boolean).join(", ")],
      ["weights", model.parameters.toLocaleString()],
      ["context", `${model.context_length.toLocaleString()} of ${model.trained_context_length.toLocaleString()} tokens`],
      ["backend", model.backend],
      ["adapters", model.adapters.map((one) => `${one.name} × ${one.scale.toFixed(2)}`).join(", ")],
      ["SHA-256", model.sha256],
      ["heads", model.governance_heads.join(", ")],
      ["heads not run", model.governance_unused.join(", ")],
      ["heads run unproven", model.governance_unproven.join(", ")],
      ["no read-outs", model.governance_error],
    ]);
    const pairs = (some) => some.map(({ key, value }) => [key.replace(/^(general|clara)\./, "").replaceAll("_", " "), value]);
    fillList(document.getElementById("lineage"), pairs(model.metadata.filter(isLineage)));
    fillList(document.getElementById("metadata"), model.metadata.map(({ key, value }) => [key, value]));
    show("model-fault", "");
  } catch (error) {
    for (const id of ["model", "lineage", "metadata"]) document.getElementById(id).replaceChildren();
    show("model-fault", error.message);
  }
}
