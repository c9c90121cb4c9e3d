// Copyright 2026 The Clara Authors
// SPDX-License-Identifier: Apache-2.0
// Markdown as elements of the page: what a model writes in a chat, not all of CommonMark.
// Elements are made here and texts are set as text, so no HTML of a reply is ever read; a picture
// becomes a link. Each pass is linear in the text, for it runs again while a reply grows.

import { element } from "./api.js";

const DEEPEST = 12; // quotes and lists in each other
const MOST_OPEN = 40; // marks that wait for their partner
const FENCE = /^ {0,3}(`{3,}|~{3,})\s*([^\s`]*)[^`]*$/;
const HEADING = /^ {0,3}(#{1,6})(?:\s+(.*))?$/;
const RULE = /^ {0,3}([-*_])(?:\s*\1){2,}\s*$/;
const QUOTE = /^ {0,3}> ?/;
const ITEM = /^( {0,3})([-*+]|(\d{1,9})[.)])(?: {1,4}(?=\S)|\s*$)/;
const TABLE_LINE = /^\|?(?:\s*:?-+:?\s*\|)*(?:\s*:?-+:?)?$/;
const URL = /https?:\/\/[^\s<>"`]*[^\s<>"`.,;:!?'*_~)\]]/y;
const TARGET = /\(\s*<?([^\s<>()]*(?:\([^\s<>()]*\)[^\s<>()]*)?)>?(?:\s+(?:"[^"]*"|'[^']*'))?\s*\)/y;
const SAFE = /^(?:https?:\/\/|mailto:)/i;
const PUNCTUATION = /[!-/:-@[-`{-~]/;
const WORD = /[\p{L}\p{N}]/u;
const MARKS = { "*": "em", "**": "strong", _: "em", __: "strong", "~~": "s" };

// Returns a fragment with the elements of a text.
export function markdown(text) {
  const made = document.createDocumentFragment();
  blocks(text.replaceAll("\r\n", "\n").replaceAll("\t", "    ").split("\n"), made, 0);
  return made;
}

function blocks(lines, parent, depth) {
  let at = 0;
  while (at < lines.length) {
    const line = lines[at];
    const fence = FENCE.exec(line);
    const heading = HEADING.exec(line);
    if (!line.trim()) {
      at += 1;
    } else if (fence) {
      at = code(lines, at, fence, parent);
    } else if (heading) {
      const words = (heading[2] ?? "").trim().replace(/(?:^|\s)#+$/, "").trim();
      inline(words, parent.appendChild(element(`h${heading[1].length}`)));
      at += 1;
    } else if (RULE.test(line)) {
      parent.append(element("hr"));
      at += 1;
    } else if (QUOTE.test(line) && depth < DEEPEST) {
      at = quote(lines, at, parent, depth);
    } else if (ITEM.test(line) && depth < DEEPEST) {
      at = list(lines, at, parent, depth);
    } else if (line.includes("|") && isTable(line, lines[at + 1])) {
      at = table(lines, at, parent);
    } else {
      at = paragraph(lines, at, parent);
    }
  }
}

function startsBlock(line) {
  return !line.trim() || FENCE.test(line) || HEADING.test(line) || RULE.test(line) || QUOTE.test(line);
}

// A list interrupts a paragraph only with something in its item, and a numbered one only from 1.
function startsList(line) {
  const item = ITEM.exec(line);
  return item && line.length > item[0].length && (item[3] === undefined || Number(item[3]) === 1);
}

function paragraph(lines, start, parent) {
  let at = start + 1;
  while (at < lines.length && !startsBlock(lines[at]) && !startsList(lines[at])) at += 1;
  const words = lines.slice(start, at).map((line) => line.trim()).join("\n");
  inline(words, parent.appendChild(element("p")));
  return at;
}

function code(lines, start, [, mark, language], parent) {
  const end = new RegExp(`^ {0,3}${mark[0]}{${mark.length},}\\s*$`);
  let at = start + 1;
  while (at < lines.length && !end.test(lines[at])) at += 1;
  const words = lines.slice(start + 1, at).map((line) => `${line}\n`).join("");
  const inner = element("code", language ? `language-${language}` : "", words);
  parent.appendChild(element("pre")).append(inner);
  return at + 1; // also past the end: a reply that still grows has not closed its fence yet
}

function quote(lines, start, parent, depth) {
  let at = start;
  const inside = [];
  while (at < lines.length && (QUOTE.test(lines[at]) || !startsBlock(lines[at]))) {
    inside.push(lines[at].replace(QUOTE, ""));
    at += 1;
  }
  blocks(inside, parent.appendChild(element("blockquote")), depth + 1);
  return at;
}

function list(lines, start, parent, depth) {
  const first = ITEM.exec(lines[start]);
  const kind = first[2].at(-1); // "-", "*", "+", "." or ")"
  const items = [];
  let isLoose = false;
  let at = start;
  while (at < lines.length) {
    const item = ITEM.exec(lines[at]);
    if (!item || item[2].at(-1) !== kind || RULE.test(lines[at])) break;
    const width = item[0].length < lines[at].length ? item[0].length : item[1].length + item[2].length + 1;
    const inside = [lines[at].slice(width)];
    at += 1;
    let wasBlank = false;
    while (at < lines.length) {
      const line = lines[at];
      const isInside = line.length - line.trimStart().length >= width;
      const isBlank = !line.trim();
      // A lazy line goes on with the paragraph above it.
      if (!isBlank && !isInside && (wasBlank || startsBlock(line) || ITEM.test(line))) break;
      inside.push(isInside ? line.slice(width) : line.trimStart());
      wasBlank = isBlank;
      at += 1;
    }
    const isLast = at >= lines.length || ITEM.exec(lines[at])?.[2].at(-1) !== kind;
    while (inside.length && !inside.at(-1).trim()) {
      inside.pop();
      isLoose ||= !isLast;
    }
    isLoose ||= inside.some((line, number) => number && !line.trim());
    items.push(inside);
  }
  const made = parent.appendChild(element(first[3] === undefined ? "ul" : "ol"));
  if (first[3] !== undefined && Number(first[3]) !== 1) made.start = Number(first[3]);
  for (const inside of items) {
    const item = made.appendChild(element("li"));
    blocks(inside, item, depth + 1);
    if (!isLoose) for (const words of [...item.children]) if (words.tagName === "P") words.replaceWith(...words.childNodes);
  }
  return at;
}

function cells(line) {
  const inner = line.trim().replace(/^\|/, "").replace(/\|$/, "");
  return inner.split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll("\\|", "|"));
}

function isTable(head, below) {
  return below !== undefined && below.includes("-") && TABLE_LINE.test(below.trim()) && cells(head).length === cells(below).length;
}

function table(lines, start, parent) {
  const made = parent.appendChild(element("table"));
  const heads = cells(lines[start]);
  const row = (place, tag, texts) => {
    const line = place.appendChild(element("tr"));
    heads.forEach((_, column) => inline(texts[column] ?? "", line.appendChild(element(tag))));
  };
  row(made.appendChild(element("thead")), "th", heads);
  let at = start + 2;
  const body = element("tbody");
  while (at < lines.length && !startsBlock(lines[at])) {
    row(body, "td", cells(lines[at]));
    at += 1;
  }
  if (body.childElementCount) made.append(body);
  return at;
}

function inline(text, parent) {
  const open = [{ mark: "", node: parent }]; // marks that wait for their partner, innermost last
  let plain = "";
  let at = 0;

  const put = (node) => {
    if (plain) open.at(-1).node.append(plain);
    plain = "";
    if (node) open.at(-1).node.append(node);
  };
  const asText = () => {
    put();
    const { mark, node } = open.pop();
    open.at(-1).node.append(mark, ...node.childNodes);
  };
  const wait = (mark, node) => {
    if (open.length >= MOST_OPEN) return false;
    put();
    open.push({ mark, node });
    return true;
  };
  const partner = (mark) => open.findLastIndex((one) => one.mark === mark);
  const close = (index) => {
    put();
    while (open.length - 1 > index) asText();
    const { node } = open.pop();
    put(node);
  };

  while (at < text.length) {
    const sign = text[at];
    if (sign === "\\" && PUNCTUATION.test(text[at + 1] ?? "")) {
      plain += text[at + 1];
      at += 2;
    } else if (sign === "\n") {
      plain = plain.trimEnd();
      put(element("br"));
      at += 1;
    } else if (sign === "`") {
      const ticks = /`+/y;
      ticks.lastIndex = at;
      const run = ticks.exec(text)[0];
      const end = endOfCode(text, at + run.length, run.length);
      if (end < 0) {
        plain += run;
        at += run.length;
      } else {
        let inner = text.slice(at + run.length, end).replaceAll("\n", " ");
        if (inner.trim() && inner.startsWith(" ") && inner.endsWith(" ")) inner = inner.slice(1, -1);
        put(element("code", "", inner));
        at = end + run.length;
      }
    } else if (sign === "*" || sign === "_" || (sign === "~" && text[at + 1] === "~")) {
      const isDouble = text[at + 1] === sign;
      let mark = isDouble ? sign + sign : sign;
      const before = text[at - 1] ?? " ";
      let after = text[at + mark.length] ?? " ";
      // Of three, the inner partner is closed first.
      if (isDouble && after === sign && sign !== "~" && partner(sign) > partner(mark)) {
        mark = sign;
        after = text[at + 1];
      }
      const isInWord = sign === "_" && WORD.test(before) && WORD.test(after);
      const index = partner(mark);
      const hasInside = index > 0 && (plain || open[index].node.childNodes.length || open.length - 1 > index);
      if (hasInside && before.trim() && !isInWord) close(index);
      else if (!after.trim() || isInWord || !wait(mark, element(MARKS[mark]))) plain += mark;
      at += mark.length;
    } else if (sign === "[" || (sign === "!" && text[at + 1] === "[")) {
      const mark = sign === "[" ? "[" : "![";
      if (!wait("[", element("a"))) plain += mark;
      at += mark.length;
    } else if (sign === "]" && partner("[") > 0) {
      TARGET.lastIndex = at + 1;
      const target = TARGET.exec(text);
      const index = partner("[");
      if (target && SAFE.test(target[1])) {
        lead(open[index].node, target[1]);
        close(index);
        at += 1 + target[0].length;
      } else {
        put();
        while (open.length > index) asText();
        plain += "]";
        at += 1;
      }
    } else if (sign === "h" && !WORD.test(text[at - 1] ?? " ") && partner("[") < 0) {
      URL.lastIndex = at;
      const found = URL.exec(text)?.[0];
      if (found) put(lead(element("a", "", found), found));
      else plain += sign;
      at += found?.length ?? 1;
    } else {
      plain += sign;
      at += 1;
    }
  }
  while (open.length > 1) asText();
  put();
  parent.normalize();
}

function endOfCode(text, from, length) {
  const ticks = /`+/g;
  ticks.lastIndex = from;
  for (let run = ticks.exec(text); run; run = ticks.exec(text)) if (run[0].length === length) return run.index;
  return -1;
}

function lead(link, url) {
  Object.assign(link, { href: url, target: "_blank", rel: "noopener noreferrer", title: url });
  return link;
}
