// Draws the two diameters on the key image, enlarged: ends are dragged, or moved with the arrow keys (with Shift by 1 mm).
function drawCalipers(lesion, visit, picture, image, ends, done) {
  const [dx, dy] = picture.pixel_mm;
  const field = [picture.width * dx, picture.height * dy];
  const toMm = ([x, y]) => [(x + 0.5) * dx, (y + 0.5) * dy];
  const middle = field.map((mm) => mm / 2);
  const guess = [
    [[middle[0] - 10, middle[1]], [middle[0] + 10, middle[1]]],
    [[middle[0], middle[1] - 5], [middle[0], middle[1] + 5]],
  ];
  // The patient, LPS mm, to millimetres of the field.
  const toField = (text) => {
    const points = text.split(";").map((point) => point.trim().split(/\s+/).map(Number));
    if (points.length !== 2 || points.some((point) => point.length !== 3 || point.some(Number.isNaN))) return undefined;
    const along = (point, direction) =>
      [0, 1, 2].reduce((sum, axis) => sum + (point[axis] - picture.origin[axis]) * direction[axis], 0) /
      direction.reduce((sum, value) => sum + value * value, 0);
    return points.map((point) => toMm([along(point, picture.column), along(point, picture.row)]));
  };
  const inForce = ends.map(({ force }, n) => toField(force) ?? picture.calipers[n]?.map(toMm));
  const axes = ends.map(({ now }, n) => (toField(now) ?? inForce[n] ?? guess[n]).map((end) => [...end]));
  const isInForce = (n) => inForce[n] !== undefined && axes[n].every((end, which) => Math.hypot(end[0] - inForce[n][which][0], end[1] - inForce[n][which][1]) < 0.005);
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
    const isTurned = length(axes[1]) > length(axes[0]);
    const off = 90 - angle();
    told.textContent = wordsOf() + (isTurned ? ": the short axis is the longer one, set its ends or those of the long axis" : off > 10 ? `: ${Math.round(90 - off)} degrees to each other, not a right angle` : "");
    useButton.disabled = isTurned;
  }
  function angle() {
    const [a, b] = axes.map(([from, to]) => [to[0] - from[0], to[1] - from[1]]);
    const cosine = Math.abs(a[0] * b[0] + a[1] * b[1]) / (Math.hypot(...a) * Math.hypot(...b) || 1);
    return (Math.acos(Math.min(cosine, 1)) * 180) / Math.PI;
  }
  // Millimetres of the field to the patient, LPS mm.
  function lps([x, y]) {
    const at = [x / dx - 0.5, y / dy - 0.5];
    return [0, 1, 2].map((axis) => (picture.origin[axis] + at[0] * picture.column[axis] + at[1] * picture.row[axis]).toFixed(3)).join(" ");
  }
  const dialog = make("dialog", { class: "caliper-dialog", "aria-label": `Calipers of ${lesion.lesion_id} on ${visit.visit}` });
  const items = ["long_axis", "short_axis"];
  // What is shown is what will be in force: an end that was moved back is no decision.
  const use = () => {
    const decided = Object.fromEntries(items.map((item, n) => [item, isInForce(n) ? undefined : axes[n].map(lps).join("; ")]));
    const kept = items.filter((_, n) => isInForce(n)).map((item) => item.replace("_", " "));
    const words = kept.length === 2 ? "" : `drawn: ${wordsOf()}${kept.length === 1 ? ` (${kept[0]} as it was)` : ""}`;
    done({ decided, words });
    dialog.close();
  };
  const back = () => {
    done({ decided: { long_axis: "program", short_axis: "program" }, words: "as the program measured" });
    dialog.close();
  };
  const useButton = make("button", { type: "button", "data-use": true, onclick: use }, "Use these calipers");
  dialog.append(
    make("p", {}, `${lesion.lesion_id}, ${visit.visit}: drag the ends, or move them with the arrow keys. `, told),
    svg,
    make(
      "p",
      { class: "caliper-buttons" },
      useButton,
      make("button", { type: "button", onclick: back }, "Take the program's"),
      make("button", { type: "button", onclick: () => dialog.close() }, "Cancel"),
    ),
  );
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  show();
  dialog.showModal();
}
