// Reviews a patient in a headless browser and applies what was saved; see scripts/check_review. Exit code 1: something is wrong.
"use strict";
const fs = require("node:fs");
const path = require("node:path");
const { spawnSync } = require("node:child_process");
const { chromium } = require("playwright-core");

const axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const READER = 'Dr. <img src=x onerror=alert(1)> "A"';
const TABLES = ["lesions", "measurements", "margins", "assessments", "events", "endpoints"];
let wrong = 0;

function fail(text) {
  wrong += 1;
  console.log(`  wrong: ${text}`);
}

// Every file below a folder with its bytes, but for what no two runs share.
function filesBelow(folder, below = "") {
  const files = new Map();
  for (const entry of fs.readdirSync(path.join(folder, below), { withFileTypes: true })) {
    const name = path.join(below, entry.name);
    if (entry.isDirectory()) for (const [inner, bytes] of filesBelow(folder, name)) files.set(inner, bytes);
    else if (entry.name !== "status.json" && !entry.name.startsWith("manifest") && !entry.name.startsWith(".")) files.set(name, fs.readFileSync(path.join(folder, name)));
  }
  return files;
}

function changedFiles(before, after) {
  const names = new Set([...before.keys(), ...after.keys()]);
  return [...names].filter((name) => !before.has(name) || !after.has(name) || !before.get(name).equals(after.get(name))).sort();
}

function apply(out, file) {
  const run = spawnSync(process.env.LESIONTRACE, ["review", "apply", out, "--reads", file], { encoding: "utf8" });
  return { code: run.status, text: `${run.stdout}${run.stderr}`.trim() };
}

// The patient to review: one with two lesions, of which one has a caliper at a visit.
function choose(out) {
  for (const patient of fs.readdirSync(path.join(out, "patients")).sort()) {
    const html = fs.readFileSync(path.join(out, "patients", patient, "report.html"), "utf8");
    const data = JSON.parse(html.match(/data-review="([^"]*)"/)[1].replaceAll("&quot;", '"').replaceAll("&#x2f;", "/"));
    const lesions = data.review.lesions;
    const drawn = lesions.find((lesion) => lesion.visits.some((visit) => visit.is_seen && visit.long_axis !== "" && data.pictures[`${lesion.lesion_id}|${visit.visit}`]));
    const rejected = lesions.find((lesion) => lesion !== drawn);
    if (drawn && rejected) {
      const visits = drawn.visits.filter((visit) => visit.is_seen && visit.long_axis !== "" && data.pictures[`${drawn.lesion_id}|${visit.visit}`]);
      return { patient, id: data.patient_id, rejected: rejected.lesion_id, drawn: drawn.lesion_id, visit: visits.at(-1).visit };
    }
  }
  throw new Error("no patient with two lesions: review one with more lesions");
}

async function axeFindings(page, where) {
  const found = await page.evaluate(`${axe}; axe.run(document, { resultTypes: ["violations"] })`);
  for (const violation of found.violations) {
    const text = `${where}: axe ${violation.impact}: ${violation.id}: ${violation.nodes.slice(0, 2).map((node) => node.target.join(" ")).join("; ")}`;
    if (["serious", "critical"].includes(violation.impact)) fail(text);
    else console.log(`  remark: ${text}`);
  }
}

async function picture(page, name) {
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  if (overflow > 0) fail(`${name}: ${overflow} px wider than the window`);
  if (process.env.REPORT_PICTURES) await page.screenshot({ path: path.join(process.env.REPORT_PICTURES, `${name}.png`) });
}

// Does what a reader does, and returns the file that was saved.
async function review(browser, report, chosen, saved) {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 }, acceptDownloads: true });
  page.on("request", (request) => {
    if (!/^(data:|blob:)/.test(request.url()) && request.url() !== `file://${report}`) fail(`asks for ${request.url()}`);
  });
  page.on("pageerror", (error) => fail(`script: ${error.message}`));
  page.on("dialog", (dialog) => {
    fail(`a hostile text was run: ${dialog.message()}`);
    dialog.dismiss();
  });
  await page.goto(`file://${report}`, { waitUntil: "load" });
  if (!(await page.locator(".notice").isVisible())) fail("the research-use notice is gone");
  await page.locator("#review-form > summary").press("Enter");
  const lesion = (id) => page.locator(`details[data-lesion="${id}"]`);
  for (const id of [chosen.rejected, chosen.drawn]) await lesion(id).locator("summary").press("Enter");
  await lesion(chosen.rejected).locator('select[data-item="finding"]').selectOption("reject");
  await page.locator("#save-reads").click();
  if (!(await page.locator(".review-status").innerText()).includes("name")) fail("saving without a reader's name is not refused");
  await page.locator("[data-reader]").fill(READER);
  for (const width of [1280, 390]) {
    await page.setViewportSize({ width, height: 900 });
    await page.locator("#review-form").scrollIntoViewIfNeeded();
    await axeFindings(page, `form at ${width} px`);
    await picture(page, `review-form-${width}`);
  }
  const open = lesion(chosen.drawn).locator("tr", { hasText: chosen.visit }).locator('button[data-item="caliper"]');
  for (const width of [390, 1280]) {
    await page.setViewportSize({ width, height: 900 });
    await open.press("Enter");
    await axeFindings(page, `calipers at ${width} px`);
    await picture(page, `review-calipers-${width}`);
    if (width === 390) await page.keyboard.press("Escape");
  }
  const end = page.locator('dialog [data-end="01"]');
  const box = await end.boundingBox();
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  const before = await end.getAttribute("aria-valuetext");
  const other = await page.locator('dialog [data-end="00"]').boundingBox();
  // Outwards by a tenth, along the axis.
  const out = [x + (x - other.x - other.width / 2) / 10, y + (y - other.y - other.height / 2) / 10];
  await page.mouse.move(x, y);
  await page.mouse.down();
  await page.mouse.move(out[0], out[1], { steps: 5 });
  await page.mouse.up();
  const dragged = await end.getAttribute("aria-valuetext");
  await end.press("ArrowRight");
  const moved = await end.getAttribute("aria-valuetext");
  console.log(`long axis of ${chosen.drawn} on ${chosen.visit}: ${before}, dragged to ${dragged}, by an arrow key to ${moved}`);
  if (before === dragged) fail("dragging an end changes nothing");
  await page.locator("dialog [data-use]").click();
  await again(page, open);
  const [download] = await Promise.all([page.waitForEvent("download"), page.locator("#save-reads").click()]);
  if (download.suggestedFilename() !== "reads.json") fail(`the file is called ${download.suggestedFilename()}`);
  await download.saveAs(saved);
  savedAsShown(saved, await lesion(chosen.drawn).locator("tr", { hasText: chosen.visit }).innerText(), chosen);
  await page.close();
  return moved;
}

// The dialog opened again shows what was decided, refuses a short axis that is the longer one, and takes a shorter one.
async function again(page, open) {
  const told = page.locator("dialog output");
  const shown = async () => (await told.innerText()).split(" mm")[0].split(" × ").map(Number);
  await open.press("Enter");
  const [long, short] = await shown();
  const end = page.locator('dialog [data-end="11"]');
  const other = await page.locator('dialog [data-end="10"]').boundingBox();
  const box = await end.boundingBox();
  const middle = ({ x, y, width, height }) => [x + width / 2, y + height / 2];
  const [from, to] = [middle(other), middle(box)];
  const at = (part) => [0, 1].map((axis) => from[axis] + part * (to[axis] - from[axis]));
  const drag = async (part) => {
    await page.mouse.move(...middle(await end.boundingBox()));
    await page.mouse.down();
    await page.mouse.move(...at(part), { steps: 5 });
    await page.mouse.up();
  };
  await drag((1.2 * long) / short);
  if (!(await page.locator("dialog [data-use]").isDisabled())) fail(`a short axis that is the longer one (${await told.innerText()}) can be used`);
  await drag(0.7);
  const [kept, shorter] = await shown();
  console.log(`opened again: ${long} × ${short} mm, then ${kept} × ${shorter} mm`);
  if (kept !== long || !(shorter < short)) fail("the dialog does not go on from what was decided");
  await page.locator("dialog [data-use]").click();
}

// The lengths in the saved file are those on the screen.
function savedAsShown(saved, row, chosen) {
  const reads = JSON.parse(fs.readFileSync(saved, "utf8")).reads;
  const shown = row.match(/drawn: ([\d.]+) × ([\d.]+) mm/);
  if (!shown) return fail(`the row does not say what was drawn: ${row}`);
  ["long_axis", "short_axis"].forEach((item, n) => {
    const read = reads.find((other) => other.item === item && other.lesion_id === chosen.drawn);
    if (!read) return fail(`no ${item} is saved`);
    const [a, b] = read.value.split(";").map((point) => point.trim().split(" ").map(Number));
    const mm = Math.hypot(...a.map((value, axis) => value - b[axis]));
    console.log(`${item}: ${shown[n + 1]} mm shown, ${mm.toFixed(2)} mm saved`);
    if (Math.abs(mm - Number(shown[n + 1])) > 0.06) fail(`${item}: ${shown[n + 1]} mm shown, ${mm.toFixed(2)} mm saved`);
  });
}

// One reader's file from the page.
async function savedBy(browser, report, saved, reader, act) {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 }, acceptDownloads: true });
  page.on("pageerror", (error) => fail(`script: ${error.message}`));
  await page.goto(`file://${report}`, { waitUntil: "load" });
  await page.locator("#review-form > summary").press("Enter");
  await page.locator("[data-reader]").fill(reader);
  await act(page);
  const [download] = await Promise.all([page.waitForEvent("download", { timeout: 5000 }), page.locator("#save-reads").click()]);
  await download.saveAs(saved);
  await page.close();
}

// A reader confirms a lesion, another one rejects it, and who adjudicates upholds it from the list of open disagreements.
async function adjudicate(browser, report, out, work, chosen) {
  const finding = (page) => page.locator(`details[data-lesion="${chosen.drawn}"]`);
  const put = async (reader, act) => {
    const saved = path.join(work, "further.json");
    await savedBy(browser, report, saved, reader, act);
    const { code, text } = apply(out, saved);
    if (code !== 0) fail(`the reads of ${reader} are refused: ${text}`);
    return JSON.parse(fs.readFileSync(saved, "utf8")).reads;
  };
  const [confirmed] = await put("Reader B", async (page) => {
    await finding(page).locator("summary").press("Enter");
    await finding(page).locator('input[data-confirm="finding"]').check();
  });
  if (confirmed?.value !== "accept" || confirmed.comment !== "confirmed") fail("a confirmation is not saved");
  await put("Reader C", async (page) => {
    await finding(page).locator("summary").press("Enter");
    await finding(page).locator('select[data-item="finding"]').selectOption("reject");
  });
  await put("Chief", async (page) => {
    const first = page.locator("#review-form [data-disagreement], #review-form .review-lesion").first();
    if ((await first.getAttribute("data-disagreement")) !== chosen.drawn) fail("the open disagreement does not come first");
    await axeFindings(page, "open disagreements");
    await picture(page, "review-open-1280");
    await page.locator("[data-adjudicator]").check();
    await page.locator(`[data-disagreement="${chosen.drawn}"] input[value="accept"]`).check();
  });
  const lesions = fs.readFileSync(path.join(out, "cohort", "reads.csv"), "utf8");
  if (!lesions.split("\n").some((row) => row.includes("Chief") && row.includes(",applied,"))) fail("the adjudicator's word is not in force");
  console.log(`${chosen.drawn} was confirmed by one reader, rejected by another, and upheld`);
}

// Rows that differ, with a mark.
function changedRows(before, after) {
  const [a, b] = [before, after].map((bytes) => bytes.toString("utf8").split("\n"));
  return [...a.filter((row) => !b.includes(row)).map((row) => `- ${row}`), ...b.filter((row) => !a.includes(row)).map((row) => `+ ${row}`)];
}

// Whether a changed row follows from the two decisions.
function follows(table, row, chosen) {
  const cells = row.slice(2).split(",");
  if (cells[0] !== chosen.id) return false;
  if (table === "lesions") return false;
  if (table === "margins") return cells[1] === chosen.rejected;
  if (table !== "measurements") return true;
  return cells[1] === chosen.rejected || (cells[1] === chosen.drawn && cells[2] === chosen.visit.slice(0, 10) && ["long_axis", "short_axis"].includes(cells[5]));
}

function compare(before, after, chosen) {
  const own = ["files.json", "notes.json", "reads.json", "report.html", "result.json", "sources.json"].map((name) => path.join("patients", chosen.patient, name));
  for (const name of changedFiles(before, after)) {
    if (!own.includes(name) && !name.startsWith("cohort")) fail(`${name} changed`);
  }
  for (const table of TABLES) {
    const name = path.join("cohort", `${table}.csv`);
    const rows = changedRows(before.get(name), after.get(name));
    console.log(`${name}: ${rows.length} rows out or in`);
    // Where a target is rejected, the rules choose another one: nothing but a role may differ then.
    const withoutRole = (row) => row.slice(2).split(",").filter((_, column) => column !== 5).join();
    const otherRole = (row) => rows.filter((other) => withoutRole(other) === withoutRole(row)).length === 2;
    for (const row of rows) {
      console.log(`  ${row.slice(0, 150)}`);
      if (table === "lesions" && (row.split(",")[1] === chosen.rejected || otherRole(row))) continue;
      if (!follows(table, row, chosen)) fail(`the row does not follow from the decisions: ${row}`);
    }
    if (["lesions", "measurements", "assessments"].includes(table) && rows.length === 0) fail(`${name} did not change`);
  }
}

function refusals(out, saved, work) {
  const good = JSON.parse(fs.readFileSync(saved, "utf8"));
  const bad = path.join(work, "bad.json");
  const changed = (change) => {
    const file = structuredClone(good);
    change(file.reads[0]);
    return JSON.stringify(file);
  };
  const cases = {
    "of a patient of another cohort": changed((read) => (read.patient_id = "NOBODY")),
    "of another lesion": changed((read) => (read.tracking_uid = "2.25.1")),
    "made of something else": changed((read) => (read.based_on = "0123456789abcdef")),
    "cut in the middle": fs.readFileSync(saved, "utf8").slice(0, 200),
  };
  const before = filesBelow(out);
  for (const [what, text] of Object.entries(cases)) {
    fs.writeFileSync(bad, text);
    const { code, text: said } = apply(out, bad);
    console.log(`a file ${what}: exit code ${code}, ${said.split("\n")[0].slice(0, 160)}`);
    if (code !== 65) fail(`a file ${what} is not refused`);
  }
  const changedNames = changedFiles(before, filesBelow(out));
  if (changedNames.length > 0) fail(`a refused file changed ${changedNames.join(", ")}`);
}

async function main([out, work]) {
  const chosen = choose(out);
  console.log(`patient ${chosen.id}: ${chosen.rejected} is rejected, a caliper of ${chosen.drawn} dragged`);
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM,
    args: ["--no-sandbox", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
  const report = path.resolve(out, "patients", chosen.patient, "report.html");
  const saved = path.join(work, "reads.json");
  await review(browser, report, chosen, saved);
  refusals(out, saved, work);
  const before = filesBelow(out);
  const { code, text } = apply(out, saved);
  console.log(text);
  if (code !== 0) fail(`review apply ended with ${code}`);
  const after = filesBelow(out);
  compare(before, after, chosen);
  if (apply(out, saved).code !== 0 || changedFiles(after, filesBelow(out)).length > 0) fail("applying twice is not applying once");
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  page.on("dialog", (dialog) => fail(`a hostile reader's name was run: ${dialog.message()}`));
  await page.goto(`file://${report}`, { waitUntil: "load" });
  const table = page.locator("table.reads");
  const said = await table.innerText();
  if (!said.includes(READER) || !said.includes("in force")) fail("the page does not say who changed what");
  await table.scrollIntoViewIfNeeded();
  await picture(page, "review-applied-1280");
  await page.close();
  await adjudicate(browser, report, out, work, chosen);
  await browser.close();
  console.log(wrong === 0 ? "review: nothing wrong" : `${wrong} things wrong`);
  process.exit(wrong === 0 ? 0 : 1);
}

main(process.argv.slice(2));
