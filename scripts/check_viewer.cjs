// Uses the viewer of reports in a headless browser and prints what it finds; see scripts/check_viewer. Exit code 1: something is wrong.
"use strict";
const fs = require("node:fs");
const path = require("node:path");
const { chromium } = require("playwright-core");

const axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
// How far the two crosshairs may lie apart, mm: the rounding of single precision.
const APART_MM = 0.01;
// Share of an image's pixels that another window or an outline changes at least.
const CHANGED = { window: 0.05, outline: 0.001 };

async function main(reports) {
  const software = ["--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"];
  const quiet = ["--no-sandbox", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: [...quiet, ...software] });
  let failures = 0;
  for (const report of reports) failures += await check(browser, path.resolve(report));
  await browser.close();
  console.log(failures === 0 ? `${reports.length} viewers: nothing wrong` : `${failures} things wrong`);
  process.exit(failures === 0 ? 0 : 1);
}

async function check(browser, report) {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  const wrong = [];
  page.on("request", (request) => {
    if (!/^(data:|blob:)/.test(request.url()) && request.url() !== `file://${report}`) wrong.push(`asks for ${request.url()}`);
  });
  page.on("pageerror", (error) => wrong.push(`script: ${error.message}`));
  page.on("console", (message) => message.type() === "error" && wrong.push(`console: ${message.text()}`));
  await page.goto(`file://${report}`, { waitUntil: "load" });
  await closed(page, wrong);
  const began = performance.now();
  await page.locator("#viewer > summary").focus();
  await page.keyboard.press("Enter");
  const ended = () => "started" in document.getElementById("viewer").dataset || document.getElementById("viewer-panel").hidden;
  await page.waitForFunction(() => document.getElementById("viewer").viewer, null, { timeout: 60_000 });
  await page.waitForFunction(ended, null, { timeout: 180_000 });
  const took = performance.now() - began;
  const state = await page.locator("#viewer-state").innerText();
  if (await page.locator("#viewer-panel").isHidden()) wrong.push(`did not start: ${state}`);
  else await use(page, wrong);
  await accessible(page, wrong);
  await fits(page, report, wrong);
  await page.emulateMedia({ media: "print" });
  if (await page.locator("section.viewer").isVisible()) wrong.push("is printed");
  await page.close();
  const size = (fs.statSync(report).size / 2 ** 20).toFixed(2);
  console.log(`${report}: ${size} MiB, started in ${took.toFixed(0)} ms: ${state}`);
  for (const text of wrong) console.log(`  wrong: ${text}`);
  return wrong.length;
}

// Nothing of the viewer runs before it is opened, nor when the page is printed.
async function closed(page, wrong) {
  await page.evaluate(() => dispatchEvent(new Event("beforeprint")));
  await page.waitForTimeout(300);
  await page.evaluate(() => dispatchEvent(new Event("afterprint")));
  await page.waitForTimeout(300);
  if (await page.evaluate(() => "niivue" in globalThis || document.getElementById("viewer").open)) wrong.push("started before it was opened");
}

async function use(page, wrong) {
  const canvas = (side) => page.locator(`[data-side="${side}"] canvas`);
  for (const side of ["prior", "current"]) {
    const { mean, spread } = await look(page, canvas(side));
    if (mean < 5 || spread < 10) wrong.push(`the ${side} image is blank (mean ${mean.toFixed(1)}, spread ${spread.toFixed(1)})`);
  }
  await linked(page, canvas, wrong);
  await rightIsLeft(page, canvas("current"), wrong);
  const windows = page.locator("[data-window]");
  if ((await windows.count()) > 0) {
    const values = await windows.locator("option").evaluateAll((options) => options.map(({ value }) => value));
    for (const value of [...values.slice(1), values[0]]) {
      const share = await changed(page, canvas("current"), () => windows.selectOption(value));
      if (share < CHANGED.window) wrong.push(`the window ${value || "from the image"} changes ${(100 * share).toFixed(1)} % of the image`);
    }
  }
  await outlines(page, canvas("current"), wrong);
  for (const plane of ["1", "2", "3", "0"]) {
    const share = await changed(page, canvas("prior"), () => page.locator("[data-plane]").selectOption(plane));
    if (share < CHANGED.window) wrong.push(`plane ${plane} changes ${(100 * share).toFixed(1)} % of the image`);
  }
  await unlinked(page, wrong);
}

// Where both crosshairs are, mm, as the library says.
const places = (page) =>
  page.evaluate(() => {
    const { prior, current } = document.getElementById("viewer").viewer.sides;
    return [prior, current].map(({ nv }) => [...nv.frac2mm(nv.scene.crosshairPos, 0, true)].slice(0, 3));
  });
const apart = ([a, b]) => Math.hypot(...a.map((mm, axis) => mm - b[axis]));

// A click, a key, a slider and a lesion's button move both crosshairs to one place.
async function linked(page, canvas, wrong) {
  const state = await page.locator("#viewer-state").innerText();
  if (!state.startsWith("Linked")) return;
  const moves = {
    click: () => canvas("prior").click({ position: { x: 140, y: 170 } }),
    key: () => canvas("current").press("ArrowLeft"),
    page: () => canvas("prior").press("PageUp"),
    slider: () => page.locator('[data-side="current"] input').press("ArrowRight"),
    lesion: () => page.locator(".viewer-lesions button").last().press("Enter"),
  };
  for (const [name, move] of Object.entries(moves)) {
    const before = await places(page);
    await move();
    await page.waitForTimeout(150);
    const after = await places(page);
    if (apart(after) > APART_MM) wrong.push(`${name}: the crosshairs lie ${apart(after).toFixed(2)} mm apart`);
    if (apart([before[0], after[0]]) < 0.1) wrong.push(`${name}: the crosshairs do not move`);
  }
}

// The organ (a liver) lies on the patient's right of the midline: on the screen, left of a crosshair there.
async function rightIsLeft(page, canvas, wrong) {
  const place = await page.evaluate(() => {
    const viewer = document.getElementById("viewer").viewer;
    const { nv, codes } = viewer.sides.current;
    const [, ni, nj] = nv.volumes[0].dimsRAS;
    let [n, sum] = [0, [0, 0, 0]];
    codes.forEach((code, at) => {
      if (code & 1) [n, sum] = [n + 1, [sum[0] + (at % ni), sum[1] + (Math.floor(at / ni) % nj), sum[2] + Math.floor(at / (ni * nj))]];
    });
    if (n === 0) return null;
    const voxel = sum.map((total) => total / n);
    const mm = nv.frac2mm(voxel.map((v, axis) => (v + 0.5) / nv.volumes[0].dimsRAS[1 + axis]), 0, true);
    viewer.place(viewer.sides.current, nv.mm2frac([0, mm[1], mm[2]], 0, true));
    return { right_mm: mm[0], line: nv.frac2canvasPos(nv.scene.crosshairPos)[0] / nv.gl.canvas.width };
  });
  if (!place || place.right_mm < 5) return;
  const organ = await difference(page, canvas, () => page.locator('[data-outline="1"]').click());
  await page.locator('[data-outline="1"]').click();
  if (!(organ.x < place.line)) {
    wrong.push(`the organ, ${place.right_mm.toFixed(0)} mm right of the midline, is shown at ${organ.x.toFixed(2)} of the width, the midline at ${place.line.toFixed(2)}`);
  }
}

// Each outline that the patient has can be hidden and shown.
async function outlines(page, canvas, wrong) {
  for (const box of await page.locator("[data-outline]").all()) {
    const color = Number(await box.getAttribute("data-outline"));
    const there = await page.evaluate((wanted) => {
      const viewer = document.getElementById("viewer").viewer;
      const side = viewer.sides.current;
      const [, ni, nj, nk] = side.nv.volumes[0].dimsRAS;
      const at = side.nv.volumes[1].img.indexOf(wanted);
      if (at < 0) return false;
      const voxel = [at % ni, Math.floor(at / ni) % nj, Math.floor(at / (ni * nj))];
      viewer.place(side, voxel.map((v, axis) => (v + 0.5) / [ni, nj, nk][axis]));
      return true;
    }, color);
    if (!there) continue;
    const share = await changed(page, canvas, () => box.press("Space"));
    if (share < CHANGED.outline / (color === 3 ? 20 : 1)) wrong.push(`outline ${color} changes ${(100 * share).toFixed(2)} % of the image`);
    await box.press("Space");
  }
}

// A visit that lies in its own frame says so and moves alone.
async function unlinked(page, wrong) {
  const visit = await page.locator('[data-visit="prior"]').inputValue();
  await page.evaluate((n) => (document.getElementById("viewer").viewer.data.volumes[n].notLinked = "the test says so"), visit);
  const other = await page.locator('[data-visit="current"]').inputValue();
  await page.evaluate((n) => document.getElementById("viewer").viewer.show("current", Number(n)), other);
  const state = await page.locator("#viewer-state").innerText();
  if (!/^Not linked, because .*the test says so/.test(state)) wrong.push(`a visit in its own frame is told as: ${state}`);
  const before = await places(page);
  await page.locator('[data-side="current"] input').press("ArrowLeft");
  await page.waitForTimeout(150);
  const after = await places(page);
  if (apart([before[0], after[0]]) > 0 || apart([before[1], after[1]]) === 0) wrong.push("the crosshair of a visit in its own frame does not move alone");
  await page.evaluate((n) => (document.getElementById("viewer").viewer.data.volumes[n].notLinked = ""), visit);
  await page.evaluate((n) => document.getElementById("viewer").viewer.show("current", Number(n)), other);
}

// Grey values of what an element shows, read in the page itself: it may load images from data addresses.
async function pixels(page, element) {
  await page.waitForTimeout(250);
  return (await element.screenshot()).toString("base64");
}

async function look(page, element) {
  return page.evaluate(compare, [await pixels(page, element), null]);
}

async function difference(page, element, act) {
  const before = await pixels(page, element);
  await act();
  return page.evaluate(compare, [before, await pixels(page, element)]);
}

async function changed(page, element, act) {
  return (await difference(page, element, act)).share;
}

// Mean and spread of the first picture; of the second, which share of the pixels differs, and where along the width.
async function compare([first, second]) {
  const read = async (png) => {
    const image = new Image();
    image.src = `data:image/png;base64,${png}`;
    await image.decode();
    const canvas = Object.assign(document.createElement("canvas"), { width: image.width, height: image.height });
    const context = canvas.getContext("2d");
    context.drawImage(image, 0, 0);
    return { width: image.width, data: context.getImageData(0, 0, image.width, image.height).data };
  };
  const [a, b] = [await read(first), second && (await read(second))];
  const n = a.data.length / 4;
  let [sum, squares, differ, x] = [0, 0, 0, 0];
  for (let at = 0; at < n; at += 1) {
    const grey = a.data[4 * at + 1];
    [sum, squares] = [sum + grey, squares + grey * grey];
    if (b && [0, 1, 2].some((channel) => Math.abs(a.data[4 * at + channel] - b.data[4 * at + channel]) > 8)) {
      [differ, x] = [differ + 1, x + ((at % a.width) + 0.5) / a.width];
    }
  }
  return { mean: sum / n, spread: Math.sqrt(squares / n - (sum / n) ** 2), share: differ / n, x: x / differ };
}

async function accessible(page, wrong) {
  const found = await page.evaluate(`${axe}; axe.run(document, { resultTypes: ["violations"] })`);
  for (const violation of found.violations) {
    const where = violation.nodes.slice(0, 3).map((node) => node.target.join(" ")).join("; ");
    const text = `axe ${violation.impact}: ${violation.id} (${violation.nodes.length} times): ${where}`;
    if (["serious", "critical"].includes(violation.impact)) wrong.push(text);
    else console.log(`  remark: ${text}`);
  }
}

async function fits(page, report, wrong) {
  for (const width of [1280, 390]) {
    await page.setViewportSize({ width, height: 900 });
    await page.waitForTimeout(500);
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    if (overflow > 0) wrong.push(`is ${overflow} px wider than a window of ${width} px`);
    if (process.env.REPORT_PICTURES) {
      const name = `${path.basename(path.dirname(report))}-viewer-${width}.png`;
      await page.locator("section.viewer").screenshot({ path: path.join(process.env.REPORT_PICTURES, name) });
    }
  }
}

main(process.argv.slice(2));
