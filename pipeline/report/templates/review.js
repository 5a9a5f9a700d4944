// Review: a reader decides about lesions, visits and calipers, and saves the decisions as a file. Nothing leaves the page but that
// file; identifiers are only ever set as text.

const CHOICES = {
  finding: [["accept", "a lesion"], ["reject", "no lesion"]],
  role: [["program", "as chosen"], ["target", "target"], ["non_target", "non-target"], ["not_recorded", "not recorded"]],
  kind: [["program", "as found"], ["lesion", "lesion"], ["node", "lymph node"]],
  evaluable: [["program", "as found"], ["not_evaluable", "not evaluable"]],
  call: [["program", "none"], ["progression", "unequivocal progression"], ["equivocal", "equivocal"], ["no_progression", "no progression"]],
};

function make(tag, attributes, ...children) {
  const element = tag.startsWith("svg:") ? document.createElementNS(document.querySelector("svg").namespaceURI, tag.slice(4)) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== false && value !== undefined) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}

function startReview(panel) {
  const data = JSON.parse(panel.dataset.review);
  const decisions = new Map();
  const status = make("output", { class: "review-status", "aria-live": "polite" });
  const key = (lesion, item, visit) => JSON.stringify([lesion, item, visit]);

  // What is in force now: the program's word where no reader decided otherwise.
  function inForce(lesion, item, visit) {
    const read = data.review.reads.find(
      (row) => row.outcome === "applied" && row.lesion_id === lesion && row.item === item && row.visit === visit,
    );
    return read ? read.value : item === "finding" ? "accept" : "program";
  }

  function decide(lesion, item, visit, value, seen, comment) {
    const at = key(lesion.lesion_id, item, visit);
    if (value === inForce(lesion.lesion_id, item, visit)) decisions.delete(at);
    else decisions.set(at, { lesion, item, visit, value, seen, comment });
    tell(`${decisions.size} ${decisions.size === 1 ? "decision" : "decisions"} not saved yet`);
  }

  function tell(text) {
    status.textContent = text;
  }

  function choice(label, lesion, item, visit, seen, options, comment) {
    const select = make("select", {
      "aria-label": `${label} of ${lesion.lesion_id}${visit && ` on ${visit}`}`,
      "data-item": item,
      onchange: (event) => decide(lesion, item, visit, event.target.value, seen, comment),
    });
    for (const [value, text] of options) select.append(make("option", { value }, text));
    select.value = inForce(lesion.lesion_id, item, visit);
    return select;
  }

  function lesionPart(lesion, index) {
    const comment = make("input", { type: "text", maxlength: 400, "aria-label": `Comment on ${lesion.lesion_id}` });
    const words = () => comment.value.trim();
    const whole = { based_on: lesion.based_on };
    const [first] = lesion.visits;
    const earlier = data.review.lesions.filter(
      (other, at) => at !== index && other.visits[0].visit <= first.visit && (at < index || other.visits[0].visit < first.visit),
    );
    const same = [["program", "its own"], ...earlier.map((other) => [other.lesion_id, other.lesion_id])];
    const named = (options, program) => options.map(([value, text]) => [value, value === "program" ? `${text}: ${program.replaceAll("_", " ")}` : text]);
    const field = (text, control) => make("label", {}, make("span", {}, text), control);
    return make(
      "details",
      { class: "review-lesion", "data-lesion": lesion.lesion_id },
      make("summary", {}, `${lesion.lesion_id}: ${lesion.role.replaceAll("_", " ")}, first seen ${first.visit}`),
      make(
        "div",
        { class: "review-fields" },
        field("Finding", choice("Finding", lesion, "finding", "", whole, CHOICES.finding, words)),
        field("Role", choice("Role", lesion, "role", "", whole, named(CHOICES.role, lesion.role), words)),
        field("Kind", choice("Kind", lesion, "kind", "", whole, named(CHOICES.kind, lesion.kind), words)),
        field("Is the same as", choice("Same lesion as that", lesion, "same_as", "", whole, same, words)),
        field("Comment", comment),
      ),
      make(
        "div",
        { class: "scroll", tabindex: 0, role: "group", "aria-label": `Visits of ${lesion.lesion_id}` },
        make(
          "table",
          { class: "plain" },
          make("thead", {}, make("tr", {}, ...["Visit", "Found", "Evaluable", "Call", "From here on", "Calipers"].map((text) => make("th", { scope: "col" }, text)))),
          make("tbody", {}, ...lesion.visits.map((visit, at) => visitRow(lesion, visit, at, words))),
        ),
      ),
    );
  }

  function visitRow(lesion, visit, at, words) {
    const reason = make("input", { type: "text", maxlength: 400, placeholder: "reason", "aria-label": `Why ${lesion.lesion_id} is not evaluable on ${visit.visit}` });
    const why = () => reason.value.trim();
    const split = make("input", {
      type: "checkbox",
      "data-item": "split",
      "aria-label": `${lesion.lesion_id} is another lesion from ${visit.visit} on`,
      onchange: (event) => decide(lesion, "split", visit.visit, event.target.checked ? "split" : "program", visit, words),
    });
    split.checked = inForce(lesion.lesion_id, "split", visit.visit) === "split";
    const isWhole = lesion.tracking_uid !== "";
    const sizes = [visit.long_axis, visit.short_axis].filter(Boolean).map((text) => text.split(" (")[0]).join(" × ");
    return make(
      "tr",
      {},
      make("th", { scope: "row" }, visit.visit),
      make("td", {}, visit.state.replaceAll("_", " "), sizes && ` ${sizes}`),
      make("td", {}, choice("Evaluable", lesion, "evaluable", visit.visit, visit, CHOICES.evaluable, why), reason),
      make("td", {}, choice("Call", lesion, "call", visit.visit, visit, CHOICES.call, words)),
      make("td", {}, ...(at > 0 && visit.is_seen && isWhole ? [make("label", {}, split, " another lesion")] : [])),
      make("td", {}, ...caliperButton(lesion, visit, words)),
    );
  }

  function caliperButton(lesion, visit, words) {
    const picture = data.pictures[`${lesion.lesion_id}|${visit.visit}`];
    const image = [...document.querySelectorAll("img[data-picture]")].find(
      (img) => img.dataset.picture === `${lesion.lesion_id}|${visit.visit}`,
    );
    if (!visit.is_seen || !picture || !image) return [];
    const drawn = make("span", { class: "quiet" });
    const done = (axes) => {
      for (const [item, text] of Object.entries(axes.changed)) decide(lesion, item, visit.visit, text, visit, words);
      drawn.textContent = axes.words;
    };
    return [
      make("button", { type: "button", "data-item": "caliper", onclick: () => drawCalipers(lesion, visit, picture, image, done) }, `Draw calipers of ${lesion.lesion_id} on ${visit.visit}`),
      " ",
      drawn,
    ];
  }

  function save() {
    const reader = panel.querySelector("[data-reader]").value.trim();
    if (reader === "") return tell("Not saved: write the reader's name first");
    if (decisions.size === 0) return tell("Not saved: nothing was decided");
    const read_at = new Date().toISOString();
    const adjudicator = panel.querySelector("[data-adjudicator]").checked;
    const reads = [];
    for (const { lesion, item, visit, value, seen, comment } of decisions.values()) {
      if (item === "evaluable" && value === "not_evaluable" && comment() === "") {
        return tell(`Not saved: say why ${lesion.lesion_id} is not evaluable on ${visit}`);
      }
      reads.push({
        patient_id: data.patient_id,
        lesion_id: lesion.lesion_id,
        tracking_uid: lesion.tracking_uid,
        visit,
        item,
        value,
        reader,
        read_at,
        comment: comment(),
        adjudicator,
        old: oldOf(lesion, item, seen),
        based_on: seen.based_on,
      });
    }
    const text = JSON.stringify({ schema_version: data.schema_version, reads }, null, 1);
    const address = URL.createObjectURL(new Blob([text], { type: "application/json" }));
    make("a", { href: address, download: "reads.json" }).click();
    setTimeout(() => URL.revokeObjectURL(address), 10000);
    tell(`${reads.length} ${reads.length === 1 ? "decision" : "decisions"} saved as reads.json: lesiontrace review apply OUT --reads reads.json`);
  }

  function oldOf(lesion, item, seen) {
    if (item === "long_axis" || item === "short_axis") return seen[item];
    return { finding: "accept", role: lesion.role, kind: lesion.kind }[item] ?? seen.state ?? "";
  }

  panel.append(
    make(
      "details",
      { id: "review-form" },
      make("summary", {}, "Decide about lesions, visits and calipers"),
      make("p", { class: "quiet" }, "Decisions are saved as a file, which is put into force with: lesiontrace review apply OUT --reads reads.json"),
      make(
        "div",
        { class: "review-fields" },
        make("label", {}, make("span", {}, "Reader's name"), make("input", { type: "text", "data-reader": true, maxlength: 100, autocomplete: "name" })),
        make("label", { class: "tick" }, make("input", { type: "checkbox", "data-adjudicator": true }), " decides where readers disagree (adjudicator)"),
      ),
      ...data.review.lesions.map(lesionPart),
      make("p", {}, make("button", { type: "button", id: "save-reads", onclick: save }, "Save reads.json"), " ", status),
    ),
  );
}

// Draws the two diameters on the key image, enlarged: ends are dragged, or moved with the arrow keys (with Shift by 1 mm).
function drawCalipers(lesion, visit, picture, image, done) {
  const [dx, dy] = picture.pixel_mm;
  const field = [picture.width * dx, picture.height * dy];
  const toMm = ([x, y]) => [(x + 0.5) * dx, (y + 0.5) * dy];
  const middle = field.map((mm) => mm / 2);
  const guess = [
    [[middle[0] - 10, middle[1]], [middle[0] + 10, middle[1]]],
    [[middle[0], middle[1] - 5], [middle[0], middle[1] + 5]],
  ];
  const found = picture.calipers.map((ends) => ends.map(toMm));
  const axes = [0, 1].map((n) => (found[n] ?? guess[n]).map((end) => [...end]));
  const before = JSON.stringify(axes);
  const length = (ends) => Math.hypot(ends[0][0] - ends[1][0], ends[0][1] - ends[1][1]);
  const half = Math.min(Math.max(1.2 * length(axes[0]), 12), Math.max(...field) / 2);
  const centre = [0, 1].map((axis) => (axes[0][0][axis] + axes[0][1][axis]) / 2);
  const svg = make(
    "svg:svg",
    { class: "caliper-field", viewBox: `${centre[0] - half} ${centre[1] - half} ${2 * half} ${2 * half}`, role: "group", "aria-label": `Calipers of ${lesion.lesion_id} on ${visit.visit}` },
    make("svg:image", { href: image.src, width: field[0], height: field[1], preserveAspectRatio: "none" }),
  );
  const told = make("output", { "aria-live": "polite" });
  const names = ["Long axis", "Short axis"];
  const parts = axes.map((ends, n) => {
    const line = make("svg:line", { class: "caliper-line", "stroke-dasharray": n === 0 ? false : `${half / 40}` });
    svg.append(line);
    return { ends, line, handles: [] };
  });
  parts.forEach((part, n) => {
    part.ends.forEach((end, which) => {
      const handle = make(
        "svg:g",
        { class: "caliper-end", tabindex: 0, role: "slider", "aria-label": `${names[n]}, ${which === 0 ? "first" : "second"} end`, "aria-valuemin": 0, "aria-valuemax": Math.round(Math.max(...field)), "data-end": `${n}${which}` },
        make("svg:circle", { class: "caliper-reach", r: half * 0.075 }),
        make("svg:circle", { class: "caliper-ring", r: half * 0.03 }),
      );
      handle.addEventListener("pointerdown", (event) => {
        handle.setPointerCapture(event.pointerId);
        handle.focus();
        event.preventDefault();
      });
      handle.addEventListener("pointermove", (event) => {
        if (!handle.hasPointerCapture(event.pointerId)) return;
        const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
        move(end, [at.x, at.y]);
      });
      handle.addEventListener("keydown", (event) => {
        const step = event.shiftKey ? 1 : 0.25;
        const by = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[event.key];
        if (!by) return;
        event.preventDefault();
        move(end, [end[0] + by[0], end[1] + by[1]]);
      });
      part.handles.push(handle);
      svg.append(handle);
    });
  });
  function move(end, to) {
    [end[0], end[1]] = to.map((mm, axis) => Math.min(Math.max(mm, 0.5 * picture.pixel_mm[axis]), field[axis] - 0.5 * picture.pixel_mm[axis]));
    show();
  }
  const wordsOf = () => `${length(axes[0]).toFixed(1)} × ${length(axes[1]).toFixed(1)} mm`;
  function show() {
    for (const { ends, line, handles } of parts) {
      ends.forEach(([x, y], which) => {
        line.setAttribute(`x${which + 1}`, x);
        line.setAttribute(`y${which + 1}`, y);
        handles[which].setAttribute("transform", `translate(${x} ${y})`);
        handles[which].setAttribute("aria-valuenow", length(ends).toFixed(1));
        handles[which].setAttribute("aria-valuetext", `${length(ends).toFixed(1)} mm`);
      });
    }
    told.textContent = wordsOf() + (length(axes[1]) > length(axes[0]) ? ": the short axis is the longer one" : "");
  }
  // Millimetres of the field to the patient, LPS mm.
  function lps([x, y]) {
    const at = [x / dx - 0.5, y / dy - 0.5];
    return [0, 1, 2].map((axis) => (picture.origin[axis] + at[0] * picture.column[axis] + at[1] * picture.row[axis]).toFixed(3)).join(" ");
  }
  const dialog = make("dialog", { class: "caliper-dialog", "aria-label": `Calipers of ${lesion.lesion_id} on ${visit.visit}` });
  const use = () => {
    if (length(axes[1]) > length(axes[0])) return;
    const was = JSON.parse(before);
    const changed = {};
    ["long_axis", "short_axis"].forEach((item, n) => {
      if (JSON.stringify(axes[n]) !== JSON.stringify(was[n])) changed[item] = axes[n].map(lps).join("; ");
    });
    done({ changed, words: Object.keys(changed).length === 0 ? "" : `drawn: ${wordsOf()}` });
    dialog.close();
  };
  const back = () => {
    done({ changed: { long_axis: "program", short_axis: "program" }, words: "as the program measured" });
    dialog.close();
  };
  dialog.append(
    make("p", {}, `${lesion.lesion_id}, ${visit.visit}: drag the ends, or move them with the arrow keys. `, told),
    svg,
    make(
      "p",
      { class: "caliper-buttons" },
      make("button", { type: "button", "data-use": true, onclick: use }, "Use these calipers"),
      make("button", { type: "button", onclick: back }, "Take the program's"),
      make("button", { type: "button", onclick: () => dialog.close() }, "Cancel"),
    ),
  );
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  show();
  dialog.showModal();
}

{
  const panel = document.getElementById("review-panel");
  if (panel) startReview(panel);
}
