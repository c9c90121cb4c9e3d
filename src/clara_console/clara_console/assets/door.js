// Copyright 2026 The Clara Authors
// SPDX-License-Identifier: Apache-2.0
// Signs in with the token of a link as /#token=...: what follows # stays in the browser.

function enter() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (!given) return;
  history.replaceState(null, "", location.pathname);
  document.getElementById("token").value = given;
  document.querySelector("form").requestSubmit();
}

enter();
window.addEventListener("hashchange", enter);
