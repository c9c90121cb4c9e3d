// Copyright 2026 The Clara Authors
// SPDX-License-Identifier: Apache-2.0
// What the model's governance heads read in a reply: marks where it is unsure, chips for the rest.

import { element } from "./api.js";

const percent = (share) => `${(100 * share).toFixed(0)} %`;

// The pieces of a reply that its trace is unsure of, as [begin, end, nats], in UTF-16 units.
export function unsurePieces(text, read) {
  const places = [0]; // of each character; the trace counts whole ones, not halves of a pair
  for (const character of text) places.push(places.at(-1) + character.length);
  const { trace_offsets: offsets, trace_nats: nats, trace_unsure: least } = read;
  return offsets
    .map((offset, at) => [places[offset], places[offsets[at + 1] ?? places.length - 1], nats[at]])
    .filter(([begin, end, expected]) => expected >= least && begin < end);
}

// Marks these pieces of the text in the elements that its Markdown became. The signs of the Markdown
// are not in the elements; what is there has the order of the text, so one walk finds all of it.
export function markUnsure(place, text, pieces) {
  const walk = document.createTreeWalker(place, NodeFilter.SHOW_TEXT);
  const nodes = [];
  while (walk.nextNode()) nodes.push(walk.currentNode);
  let at = 0;
  let next = 0;
  for (const node of nodes) {
    const words = node.data;
    const runs = []; // [begin, end, nats] in this node
    for (let here = 0; here < words.length; here += 1) {
      const found = text.indexOf(words[here], at);
      if (found < 0) continue; // the Markdown made this one up, as a break
      at = found + 1;
      while (next < pieces.length && pieces[next][1] <= found) next += 1;
      const piece = pieces[next];
      if (!piece || found < piece[0]) continue;
      const last = runs.at(-1);
      if (last && last[1] === here && last[3] === next) last[1] += 1;
      else runs.push([here, here + 1, piece[2], next]);
    }
    for (const [begin, end, nats] of runs.reverse()) {
      if (!words.slice(begin, end).trim()) continue;
      const range = document.createRange();
      range.setStart(node, begin);
      range.setEnd(node, end);
      const mark = element("mark", "unsure");
      mark.title = `unsure: ${nats.toFixed(1)} nats expected`;
      range.surroundContents(mark);
    }
  }
}

// Chips that say it in short; nothing for a model without heads.
export function readoutChips(text, read) {
  const chips = [];
  const chip = (label, title) => {
    const made = element("span", "chip", label);
    made.title = title;
    chips.push(made);
  };
  if (read.policy_labels.length) {
    const pairs = read.policy_labels.map((label, at) => [label, read.policy_probabilities[at]]);
    pairs.sort(([, one], [, other]) => other - one);
    const likely = read.policy ? `${read.policy} ${percent(pairs[0][1])}` : "class unsure";
    chip(likely, pairs.map(([label, share]) => `${label} ${percent(share)}`).join("\n"));
  }
  if (read.trace_nats.length) {
    const { length: count } = unsurePieces(text, read);
    const all = read.trace_nats.length;
    chip(count ? `unsure of ${count} of ${all} tokens` : "sure of each token", "what the model expected of its own words");
  }
  if (read.hits.length) {
    const again = read.hits.some((hit) => hit.recalled);
    const said = read.hits.map(
      (hit) => `${hit.similarity.toFixed(2)} turn ${hit.turn + 1}, ${hit.by_clara ? "Clara" : "you"}: ${hit.text}`,
    );
    chip(again ? "looked back" : `close to ${read.hits.length} said before`, said.join("\n"));
  }
  return chips;
}
