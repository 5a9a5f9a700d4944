// Review: a reader decides about lesions, visits and calipers, and saves the decisions as a file. Nothing leaves the page but that
// file; identifiers are only ever set as text.

const CHOICES = {
  finding: [["accept", "a lesion"], ["reject", "no lesion"]],
  doubted: [["program", "perhaps none"], ["accept", "a lesion"], ["reject", "no lesion"]],
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
  // What shows the value of an item, by key: a choice of the lesion and one among the open disagreements say the same.
  const shown = new Map();
  const status = make("output", { class: "review-status", "aria-live": "polite" });
  const key = (lesion, item, visit) => JSON.stringify([lesion, item, visit]);

  // What is in force now: the program's word where no reader decided otherwise.
  function inForce(lesion, item, visit) {
    const read = data.review.reads.find(
      (row) => row.outcome === "applied" && row.lesion_id === lesion && row.item === item && row.visit === visit,
    );
    return read ? read.value : asFound(lesion, item);
  }

  // The program's own word: it accepts what it does not doubt.
  function asFound(id, item) {
    const isDoubted = data.review.lesions.some((lesion) => lesion.lesion_id === id && lesion.in_doubt);
    return item === "finding" && !isDoubted ? "accept" : "program";
  }

  // What is in force already is a decision only where the reader confirms it.
  function decide(lesion, item, visit, value, seen, comment, isConfirmed = false) {
    const at = key(lesion.lesion_id, item, visit);
    if (!isConfirmed && value === inForce(lesion.lesion_id, item, visit)) decisions.delete(at);
    else decisions.set(at, { lesion, item, visit, value, seen, comment });
    for (const show of shown.get(at) ?? []) show(value, isConfirmed);
    tellOpen();
  }

  function leave(lesion, item, visit) {
    decisions.delete(key(lesion.lesion_id, item, visit));
    tellOpen();
  }

  function tellOpen() {
    tell(`${decisions.size} ${decisions.size === 1 ? "decision" : "decisions"} not saved yet`);
  }

  function showing(lesion, item, visit, show) {
    const at = key(lesion.lesion_id, item, visit);
    shown.set(at, [...(shown.get(at) ?? []), show]);
  }

  function tell(text) {
    status.textContent = text;
  }

  function choice(label, lesion, item, visit, seen, options, comment) {
    const name = `${label} of ${lesion.lesion_id}${visit && ` on ${visit}`}`;
    const told = () => decide(lesion, item, visit, select.value, seen, comment, confirm.checked);
    const select = make("select", { "aria-label": name, "data-item": item, onchange: told });
    for (const [value, text] of options) select.append(make("option", { value }, text));
    select.value = inForce(lesion.lesion_id, item, visit);
    const confirm = make("input", { type: "checkbox", "data-confirm": item, "aria-label": `Confirm: ${name}`, onchange: told });
    showing(lesion, item, visit, (value, isConfirmed) => {
      select.value = value;
      confirm.checked = isConfirmed;
    });
    return make("span", { class: "review-choice" }, select, make("label", { class: "tick" }, confirm, " confirm"));
  }

  // What readers decided differently, each item once with what may be said of it.
  function disagreements() {
    const open = new Map();
    for (const row of data.review.reads.filter((read) => read.outcome === "disagreement")) {
      const at = key(row.lesion_id, row.item, row.visit);
      open.set(at, [...(open.get(at) ?? []), row]);
    }
    if (open.size === 0) return [];
    return [
      make(
        "section",
        { class: "review-open", "aria-label": "Open disagreements" },
        make("h3", {}, `Open disagreements: ${open.size}`),
        make("p", { class: "quiet" }, "The program's finding stands until one who decides where readers disagree says otherwise; tick that above, or this is one more reader's word."),
        ...[...open.values()].map(disagreement),
      ),
    ];
  }

  function disagreement(rows) {
    const [{ lesion_id, item, visit, old }] = rows;
    const lesion = data.review.lesions.find((other) => other.lesion_id === lesion_id);
    const seen = visit === "" ? lesion && { based_on: lesion.based_on } : lesion?.visits.find((other) => other.visit === visit);
    if (!seen) return "";
    const said = new Map([[asFound(lesion_id, item), []]]);
    for (const row of rows) said.set(row.value, [...(said.get(row.value) ?? []), row.reader]);
    const comment = make("input", { type: "text", maxlength: 400, placeholder: "reason", "aria-label": `Why, ${item} of ${lesion_id}` });
    const words = (value) => {
      const known = Object.values(CHOICES).flat().find(([other]) => other === value && value !== "program");
      return value === "program" ? `as found: ${old.replaceAll("_", " ")}` : known ? known[1] : value;
    };
    const options = [...said].map(([value, readers]) => {
      const radio = make("input", {
        type: "radio",
        name: `open ${key(lesion_id, item, visit)}`,
        "data-open": item,
        value,
        onchange: () => decide(lesion, item, visit, value, seen, () => comment.value.trim(), true),
      });
      showing(lesion, item, visit, (now) => (radio.checked = now === value));
      const who = readers.length > 0 ? readers.join(", ") : "the program";
      return make("label", { class: "tick" }, radio, ` ${words(value)} (${who})`);
    });
    const subject = `${item.replaceAll("_", " ")} of ${lesion_id}${visit && ` on ${visit}`}`;
    return make("fieldset", { "data-disagreement": lesion_id }, make("legend", {}, subject), ...options, comment);
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
    // A choice has a label of its own; the words above it are what is seen.
    const field = (text, control) => make("div", { class: "review-field" }, make("span", {}, text), control);
    return make(
      "details",
      { class: "review-lesion", "data-lesion": lesion.lesion_id },
      make("summary", {}, `${lesion.lesion_id}: ${lesion.role.replaceAll("_", " ")}, first seen ${first.visit}`),
      make(
        "div",
        { class: "review-fields" },
        field("Finding", choice("Finding", lesion, "finding", "", whole, lesion.in_doubt ? CHOICES.doubted : CHOICES.finding, words)),
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
      for (const [item, text] of Object.entries(axes.decided)) {
        if (text === undefined) leave(lesion, item, visit.visit);
        else decide(lesion, item, visit.visit, text, visit, words, true);
      }
      drawn.textContent = axes.words;
    };
    // The ends of a diameter: as decided and not saved yet, as in force, or as the program found them.
    const ends = (item) => {
      const found = visit[item].slice(visit[item].indexOf("(") + 1).replace(")", "");
      const force = inForce(lesion.lesion_id, item, visit.visit);
      const text = decisions.get(key(lesion.lesion_id, item, visit.visit))?.value ?? force;
      return { now: text === "program" ? found : text, force: force === "program" ? found : force };
    };
    const open = () => drawCalipers(lesion, visit, picture, image, ["long_axis", "short_axis"].map(ends), done);
    return [
      make("button", { type: "button", "data-item": "caliper", onclick: open }, `Draw calipers of ${lesion.lesion_id} on ${visit.visit}`),
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
        comment: comment() || (value === inForce(lesion.lesion_id, item, visit) ? "confirmed" : ""),
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
      ...disagreements(),
      ...data.review.lesions.map(lesionPart),
      make("p", {}, make("button", { type: "button", id: "save-reads", onclick: save }, "Save reads.json"), " ", status),
    ),
  );
}

{
  const panel = document.getElementById("review-panel");
  if (panel) startReview(panel);
}
