
"use strict";
// Text gets into the document as text only; no markup is ever made of data.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const { matrix, texts } = data;
  const panel = document.getElementById("panel");
  const buttons = [...document.querySelectorAll(".pair button")];
  const rows = [...document.querySelectorAll("tbody tr")];
  let chosen = null;

  function element(tag, content, properties) {
    const made = Object.assign(document.createElement(tag), properties);
    for (const child of Array.isArray(content) ? content : [content]) {
      if (child !== null && child !== undefined) made.append(child);
    }
    return made;
  }

  function time(seconds) {
    if (seconds === null || seconds === undefined) return null;
    const size = Math.abs(seconds);
    if (size >= 0.9995) return `${Number(seconds.toPrecision(3))} s`;
    return `${size < 0.001 ? (seconds * 1000).toFixed(1) : (seconds * 1000).toFixed(size < 0.1 ? 1 : 0)} ms`;
  }

  function facts(pairs) {
    const list = element("dl", null, { className: "facts" });
    for (const [name, value] of pairs) {
      if (value === null || value === undefined || value === "") continue;
      list.append(element("dt", name), element("dd", String(value)));
    }
    return list;
  }

  function table(className, head, lines) {
    const row = (tag, cells) =>
      element("tr", cells.map((cell) => element(tag, String(cell), {
        className: typeof cell === "number" || /^-?[\d.]+ m?s$/.test(cell) ? "number" : "",
      })));
    return element("table", [
      ...(head ? [element("thead", row("th", head))] : []),
      element("tbody", lines.map((line) => row("td", line))),
    ], { className: `seen ${className}` });
  }

  function timeline(title, events) {
    if (!events || !events.length) return [];
    return [element("h3", title), table("", null, events.map((one) => [`${(one.at * 1000).toFixed(1)} ms`, one.event]))];
  }

  function observed(seen) {
    if (!seen) return [];
    const line = (name, one) => [name, one.sent, one.received, one.let_in];
    return [
      element("h3", "What the lab saw between the two public addresses"),
      table("counts", ["UDP datagrams", "out", "in", "reached the host"], [
        line("caller's side", seen.caller), line("callee's side", seen.callee),
      ]),
      facts([["opened after", seen.opened_after === null ? "never" : `${time(seen.opened_after)} from the first datagram`]]),
      ...timeline("Timeline of the lab, from the caller's start", seen.timeline),
    ];
  }

  function files(run) {
    if (!run.artefacts.length) return [];
    const list = element("ul", null, { className: "files" });
    for (const path of run.artefacts) {
      const name = path.slice(path.lastIndexOf("/") + 1);
      const link = element("a", name, { href: "./" + path.split("/").map(encodeURIComponent).join("/") });
      const body = texts.paths[path];
      if (body === undefined) {
        list.append(element("li", link));
        continue;
      }
      const shown = element("details", element("summary", [name, " ", element("a", "file", { href: link.href })]));
      shown.addEventListener("toggle", () => {
        if (shown.open && shown.children.length < 2) shown.append(element("pre", texts.bodies[body]));
      });
      list.append(element("li", shown));
    }
    return [element("h3", "Artefacts"), list];
  }

  function pathText(path) {
    if (!path) return null;
    return Object.entries(path).map(([key, value]) => `${key} ${worded(value)}`).join(", ");
  }

  function worded(value) {
    return value !== null && typeof value === "object" ? JSON.stringify(value) : value;
  }

  function runView(run, number, isOpen) {
    const words = [`run ${number}: ${run.outcome || "broken"}`, time(run.elapsed), run.verdict];
    const extra = Object.entries(run.further).map(([key, value]) => [key, worded(value)]);
    return element("details", [
      element("summary", words.filter(Boolean).join(", ")),
      facts([
        ["time to path", time(run.elapsed)],
        ["technique", run.technique],
        ["packets sent", run.packets_sent],
        ["path", pathText(run.path)],
        ["reason", run.reason],
        ["error", run.error],
        ["exit code", run.exit_code],
        ["whole run", `${run.seconds.toFixed(1)} s, with the lab`],
        ...extra,
      ]),
      ...timeline("Timeline of the program", run.timeline),
      ...observed(run.observed),
      ...(run.callee ? [element("h3", "Report of the callee"), element("pre", JSON.stringify(run.callee, null, 1))] : []),
      ...files(run),
    ], { className: "run", open: isOpen });
  }

  function show(pairNumber, programNumber, opener) {
    const cell = matrix.cells[pairNumber];
    const program = matrix.programs[programNumber];
    if (!cell || !program) return;
    const result = cell.programs[program.name];
    const runs = result ? result.runs : [];
    const profile = (name) => matrix.profiles.find((one) => one.name === name);
    const close = element("button", "Close", { type: "button" });
    close.addEventListener("click", hide);
    const tabs = element("div", matrix.programs.map((one, number) => {
      const tab = element("button", one.name, { type: "button" });
      tab.setAttribute("aria-pressed", String(number === programNumber));
      tab.addEventListener("click", () => show(pairNumber, number, opener));
      return tab;
    }), { className: "tabs" });
    const spread = result && result.elapsed && runs.length > 1
      ? `median ${time(result.elapsed.median)}, 95th percentile ${time(result.elapsed.p95)}` : null;
    panel.replaceChildren(
      element("div", [element("h2", `${program.name}: ${cell.a} calls ${cell.b}`, { id: "panel-title" }), close], { className: "panel-head" }),
      ...(matrix.programs.length > 1 ? [tabs] : []),
      facts([
        ["physics", { direct: "direct", impossible: "no direct path by plain checks", timing: "timing decides" }[cell.expected]],
        ["note", cell.note],
        ["verdict", result ? result.verdict : "not run"],
        ["times", spread],
        ["caller's NAT", `${cell.a}: ${profile(cell.a).summary}`],
        ["callee's NAT", `${cell.b}: ${profile(cell.b).summary}`],
      ]),
      ...runs.map((run, number) => runView(run, number + 1, number === 0)),
    );
    mark(buttons.find((one) => Number(one.dataset.pair) === pairNumber && Number(one.dataset.program) === programNumber));
    panel.hidden = false;
    panel.scrollTop = 0;
    close.focus();
    history.replaceState(null, "", `#${pairNumber}/${programNumber}`);
  }

  function mark(button) {
    if (chosen) chosen.classList.remove("chosen");
    chosen = button || null;
    if (chosen) chosen.classList.add("chosen");
  }

  function hide() {
    panel.hidden = true;
    const opener = chosen;
    mark(null);
    if (opener) opener.focus();
    history.replaceState(null, "", location.pathname + location.search);
  }

  function filter() {
    const wanted = document.getElementById("find").value.trim().toLowerCase();
    const off = (kind) => new Set([...document.querySelectorAll(`input[data-${kind}]:not(:checked)`)].map((one) => one.dataset[kind]));
    const programs = off("program");
    const verdicts = off("verdict");
    const isFound = (name) => !wanted || (name || "").includes(wanted);
    for (const row of rows) {
      const isWholeRow = isFound(row.dataset.profile);
      let isAnyFound = false;
      for (const pair of row.querySelectorAll(".pair")) {
        const isShown = isWholeRow || isFound(pair.dataset.profile);
        isAnyFound = isAnyFound || isShown;
        for (const button of pair.querySelectorAll("button")) {
          button.hidden = programs.has(button.dataset.program);
          button.classList.toggle("faded", !isShown || verdicts.has(button.dataset.verdict));
        }
      }
      row.hidden = !isAnyFound;
    }
  }

  function move(button, key) {
    const visible = buttons.filter((one) => !one.hidden && !one.closest("tr").hidden);
    if (key === "ArrowLeft" || key === "ArrowRight") {
      return visible[visible.indexOf(button) + (key === "ArrowRight" ? 1 : -1)];
    }
    const td = button.closest("td");
    let row = button.closest("tr");
    do {
      row = key === "ArrowDown" ? row.nextElementSibling : row.previousElementSibling;
    } while (row && (row.hidden || !row.children[td.cellIndex].querySelector("button")));
    return row && row.children[td.cellIndex].querySelectorAll("button")[[...td.querySelectorAll("button")].indexOf(button)];
  }

  document.querySelector("tbody").addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button) show(Number(button.dataset.pair), Number(button.dataset.program), button);
  });
  document.querySelector("tbody").addEventListener("keydown", (event) => {
    if (!event.key.startsWith("Arrow") || !event.target.matches("button")) return;
    const next = move(event.target, event.key);
    event.preventDefault();
    if (next) next.focus();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !panel.hidden) hide();
  });
  document.querySelector(".filters").addEventListener("input", filter);
  document.querySelector(".filters").addEventListener("submit", (event) => event.preventDefault());
  const start = /^#(\d+)\/(\d+)$/.exec(location.hash);
  if (start) show(Number(start[1]), Number(start[2]));
})();
