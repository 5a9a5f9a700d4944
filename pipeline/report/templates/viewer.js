// Two visits side by side. Nothing is started before the viewer is opened, and nothing is fetched: library and images lie in the page.

const VIEWER_COLORS = { R: [0, 255, 230, 86], G: [0, 255, 159, 180], B: [0, 255, 0, 233], A: [0, 255, 255, 255], I: [0, 1, 2, 3] };
const VIEWER_OPTIONS = {
  isRadiologicalConvention: true,
  showAllOrientationMarkers: true,
  multiplanarShowRender: 0,
  dragAndDropEnabled: false,
  logLevel: "silent",
  loadingText: "",
  crosshairColor: [0.97, 0.89, 0.39, 0.9],
  multiplanarPadPixels: 8,
  fontColor: [1, 1, 1, 1],
  fontMinPx: 15,
  backColor: [0, 0, 0, 1],
};

class Viewer {
  constructor(root) {
    this.root = root;
    this.data = JSON.parse(document.getElementById("viewer-data").textContent);
    this.sides = {};
    this.find = (selector) => root.querySelector(selector);
  }

  async start() {
    const script = document.createElement("script");
    script.textContent = document.getElementById("viewer-library").textContent;
    document.head.append(script);
    this.find("#viewer-panel").hidden = false;
    for (const pane of this.root.querySelectorAll("[data-side]")) await this.begin(pane);
    this.listen();
    const { prior, current } = this.data.first;
    await this.show("prior", prior);
    await this.show("current", current);
    const lesion = this.data.lesions.findIndex(({ at }) => at[current].center || at[prior].center);
    if (lesion >= 0) this.goTo(lesion);
    this.tell();
  }

  async begin(pane) {
    const nv = new globalThis.niivue.Niivue(VIEWER_OPTIONS);
    const side = { nv, pane, visit: 0, turn: 0, slider: pane.querySelector("input"), canvas: pane.querySelector("canvas") };
    this.sides[pane.dataset.side] = side;
    await nv.attachToCanvas(side.canvas, false);
    nv.setSliceType(Number(this.find("[data-plane]").value));
    nv.onLocationChange = () => this.moved(side);
    side.slider.addEventListener("input", () => this.slide(side, Number(side.slider.value)));
    // The library's own keys turn, cut and rename things that are not here.
    pane.addEventListener("keydown", (event) => this.key(side, event), { capture: true });
    side.canvas.addEventListener("keyup", (event) => event.stopImmediatePropagation(), { capture: true });
  }

  listen() {
    const on = (selector, react) => this.find(selector)?.addEventListener("change", (event) => react(event.target.value));
    on('[data-visit="prior"]', (value) => this.show("prior", Number(value)));
    on('[data-visit="current"]', (value) => this.show("current", Number(value)));
    on("[data-plane]", (value) => this.each((side) => (side.nv.setSliceType(Number(value)), this.outline(side), this.scale(side))));
    on("[data-window]", () => this.each((side) => this.windowed(side)));
    on("[data-zoom]", () => this.each((side) => this.zoom(side)));
    for (const box of this.root.querySelectorAll("[data-outline]")) {
      box.addEventListener("change", () => this.each((side) => this.outline(side)));
    }
    for (const button of this.root.querySelectorAll("[data-lesion]")) {
      button.addEventListener("click", () => this.goTo(Number(button.dataset.lesion)));
    }
  }

  each(act) {
    for (const side of Object.values(this.sides)) if (side.codes) act(side);
  }

  other(side) {
    return Object.values(this.sides).find((one) => one !== side);
  }

  isLinked() {
    return Object.values(this.sides).every(({ visit }) => this.data.volumes[visit].notLinked === "");
  }

  // Puts a visit into a pane; what was asked for later wins.
  async show(name, visit) {
    const side = this.sides[name];
    const turn = (side.turn += 1);
    const volume = this.data.volumes[visit];
    const load = (kind, options) =>
      globalThis.niivue.NVImage.loadFromBase64({
        base64: document.getElementById(`viewer-${kind}-${visit}`).textContent,
        name: `${kind}-${visit}.nii.gz`,
        colormap: "gray",
        ...options,
      });
    const [low, high] = this.windowOf(volume);
    const [image, outlines] = await Promise.all([load("image", { cal_min: low, cal_max: high }), load("outlined", { opacity: 0.9 })]);
    if (turn !== side.turn) return;
    const { nv } = side;
    // Where the crosshair was stays in the middle of attention, if that place exists in the frame of what comes.
    const known = volume.notLinked === "" ? [side, this.other(side)].find((one) => one.codes && this.data.volumes[one.visit].notLinked === "") : undefined;
    const mm = known && this.mm(known);
    for (const old of [...nv.volumes]) nv.removeVolume(old);
    side.visit = visit;
    side.codes = outlines.img.slice();
    outlines.setColormapLabel(VIEWER_COLORS);
    outlines.img = this.edges(side, outlines.hdr.dims);
    nv.addVolume(image);
    nv.addVolume(outlines);
    if (mm) nv.scene.crosshairPos = nv.mm2frac(mm, 0, true);
    this.caption(side);
    this.scale(side);
    this.zoom(side);
    this.moved(side);
    if (this.sides.prior.codes && this.sides.current.codes) this.tell();
  }

  caption(side) {
    const volume = this.data.volumes[side.visit];
    const [x, y, z] = volume.spacing.map((mm) => mm.toFixed(1));
    const words = document.createElement("span");
    words.textContent = ` ${volume.role}, shown at ${x} x ${y} x ${z} mm; measured on the original`;
    side.pane.querySelector("figcaption").replaceChildren(volume.name, words);
    const which = side.pane.dataset.side === "prior" ? "Left image" : "Right image";
    side.canvas.setAttribute("aria-label", `${which}: ${volume.name}, ${volume.role}`);
  }

  // Says whether the two crosshairs show the same place.
  tell() {
    const names = Object.values(this.sides).map(({ visit }) => this.data.volumes[visit]);
    const reasons = names.filter(({ notLinked }) => notLinked).map(({ name, notLinked }) => `${name}: ${notLinked}`);
    const doubts = names.filter(({ linkInDoubt }) => linkInDoubt).map(({ name, linkInDoubt }) => `${name}: ${linkInDoubt}`);
    const linked = doubts.length > 0 ? `Linked, but to be doubted: ${[...new Set(doubts)].join("; ")}` : "Linked: both crosshairs show the same place, carried by the registration.";
    this.find("#viewer-state").textContent = this.isLinked() ? linked : `Not linked, because ${[...new Set(reasons)].join("; ")}`;
  }

  windowOf(volume) {
    const preset = this.find("[data-window]")?.value ?? "";
    return volume.unit === "HU" && preset !== "" ? preset.split(" ").map(Number) : volume.window;
  }

  windowed(side) {
    const image = side.nv.volumes[0];
    [image.cal_min, image.cal_max] = this.windowOf(this.data.volumes[side.visit]);
    side.nv.updateGLVolume();
  }

  outline(side) {
    const image = side.nv.volumes[1];
    image.img = this.edges(side, image.hdr.dims);
    side.nv.updateGLVolume();
  }

  // Edges of what is ticked, within the plane shown: lesions over zones over the organ.
  edges(side, [, ni, nj]) {
    const steps = { 0: [1, ni], 1: [1, ni * nj], 2: [ni, ni * nj], 3: [1, ni, ni * nj] }[this.find("[data-plane]").value];
    const kept = new Set(this.data.lesions.flatMap(({ at }) => at[side.visit].numbers));
    const { codes } = side;
    const shown = new codes.constructor(codes.length);
    const inside = { 1: (code) => code & 1, 2: (code) => code & 2, 3: (code) => code >> 2 !== 0 && kept.has(code >> 2) };
    for (const box of this.root.querySelectorAll("[data-outline]:checked")) {
      const color = Number(box.dataset.outline);
      const is = inside[color];
      for (let n = 0; n < codes.length; n += 1) {
        if (codes[n] && is(codes[n]) && steps.some((step) => !is(codes[n - step] ?? 0) || !is(codes[n + step] ?? 0))) {
          shown[n] = Math.max(shown[n], color);
        }
      }
    }
    return shown;
  }

  axis() {
    return [2, 1, 0, 2][Number(this.find("[data-plane]").value)];
  }

  scale(side) {
    side.slider.max = side.nv.volumes[0].dimsRAS[1 + this.axis()] - 1;
    this.say(side);
  }

  slide(side, slice) {
    const position = [...side.nv.scene.crosshairPos];
    position[this.axis()] = (slice + 0.5) / (Number(side.slider.max) + 1);
    this.place(side, position);
  }

  place(side, position) {
    side.nv.scene.crosshairPos = position.map((share) => Math.min(1, Math.max(0, share)));
    side.nv.drawScene();
    this.moved(side);
  }

  mm(side) {
    return side.nv.frac2mm(side.nv.scene.crosshairPos, 0, true).slice(0, 3);
  }

  // After a move: the other crosshair follows where the two visits lie in one frame.
  moved(side) {
    const other = this.other(side);
    if (!side.codes) return;
    if (other?.codes && this.isLinked()) {
      other.nv.scene.crosshairPos = other.nv.mm2frac(this.mm(side), 0, true);
      other.nv.drawScene();
      this.say(other);
    }
    this.say(side);
  }

  say(side) {
    const { nv, slider } = side;
    const volume = this.data.volumes[side.visit];
    const n = Number(slider.max) + 1;
    slider.value = Math.min(n - 1, Math.floor(nv.scene.crosshairPos[this.axis()] * n));
    slider.setAttribute("aria-valuetext", `slice ${Number(slider.value) + 1} of ${n}`);
    side.pane.querySelector("output").textContent = `${Number(slider.value) + 1} of ${n}`;
    const [x, y, z] = this.mm(side);
    const value = nv.volumes[0].getValue(...nv.volumes[0].mm2vox(this.mm(side)));
    const shown = volume.unit === "HU" ? value.toFixed(0) : value.toPrecision(3);
    const lps = [-x, -y, z].map((mm) => mm.toFixed(1)).join(", ");
    side.pane.querySelector(".viewer-place").textContent = `LPS ${lps} mm: ${shown} ${volume.unit}`;
  }

  // Keeps the crosshair in the middle of a magnified image.
  zoom(side) {
    const { nv } = side;
    const zoom = Number(this.find("[data-zoom]").value);
    const [middle, at] = [nv.frac2mm([0.5, 0.5, 0.5]), nv.frac2mm(nv.scene.crosshairPos)];
    // Given in voxels, which are magnified, too.
    nv.opts.crosshairWidth = 0.5 / zoom;
    nv.opts.crosshairGap = 6 / zoom;
    nv.setPan2Dxyzmm([...[0, 1, 2].map((axis) => (zoom === 1 ? 0 : middle[axis] - zoom * at[axis])), zoom]);
  }

  key(side, event) {
    if (event.target !== side.canvas || event.key === "Tab") return;
    event.stopPropagation();
    const axis = this.axis();
    const [right, up] = { 2: [0, 1], 1: [0, 2], 0: [1, 2] }[axis];
    // The patient's right lies on the left of the screen, but in a sagittal plane, which has no right.
    const leftwards = axis === 0 ? -1 : 1;
    const moves = { ArrowLeft: [right, leftwards], ArrowRight: [right, -leftwards], ArrowUp: [up, 1], ArrowDown: [up, -1], PageUp: [axis, 1], PageDown: [axis, -1] };
    const move = moves[event.key];
    if (!move || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    const position = [...side.nv.scene.crosshairPos];
    position[move[0]] += move[1] / side.nv.volumes[0].dimsRAS[1 + move[0]];
    this.place(side, position);
  }

  // To a lesion's centre in the current image; where it was not seen there, to its place in the other one.
  goTo(lesion) {
    const { at, id } = this.data.lesions[lesion];
    for (const button of this.root.querySelectorAll("[data-lesion]")) {
      button.setAttribute("aria-pressed", String(Number(button.dataset.lesion) === lesion));
    }
    const { prior, current } = this.sides;
    const center = (side) => at[side.visit].center;
    const anywhere = at.find((sighting, visit) => sighting.center && this.data.volumes[visit].notLinked === "")?.center;
    const goal = (side) => {
      const linked = this.data.volumes[side.visit].notLinked === "";
      return center(side) ?? (linked ? anywhere : undefined);
    };
    const both = center(current) ?? center(prior) ?? anywhere;
    for (const side of [prior, current]) {
      const lps = this.isLinked() ? both : goal(side);
      if (!lps) continue;
      const [x, y, z] = lps;
      side.nv.scene.crosshairPos = side.nv.mm2frac([-x, -y, z], 0, true);
      this.zoom(side);
      side.nv.drawScene();
      this.say(side);
    }
    const unseen = [prior, current].filter((side) => !center(side)).map((side) => this.data.volumes[side.visit].name);
    this.tell();
    if (unseen.length > 0) this.find("#viewer-state").append(` ${id} has no outline on ${unseen.join(" and ")}.`);
  }
}

document.getElementById("viewer")?.addEventListener("toggle", async ({ target }) => {
  // Printing opens what is folded; the viewer is not printed and stays as it is.
  if (target.id !== "viewer" || !target.open || target.viewer || "opened" in target.dataset) return;
  const state = document.getElementById("viewer-state");
  state.textContent = "Starting …";
  try {
    target.viewer = new Viewer(target);
    await target.viewer.start();
    target.dataset.started = "";
  } catch (error) {
    document.getElementById("viewer-panel").hidden = true;
    state.textContent = `The viewer cannot be started here (it needs WebGL 2): ${error.message}. The key images above show every lesion.`;
  }
});
