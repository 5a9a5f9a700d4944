// Looks at reports in a headless browser and prints what it finds; see scripts/check_reports. Exit code 1: something is wrong.
"use strict";
const fs = require("node:fs");
const path = require("node:path");
const { chromium } = require("playwright-core");

const axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
// A page must answer this soon after it was asked for, in milliseconds.
const SOON = { patient: 1000, cohort: 2000 };

async function main(reports) {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM,
    args: ["--no-sandbox", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
  let failures = 0;
  for (const report of reports) failures += await check(browser, path.resolve(report));
  await browser.close();
  console.log(failures === 0 ? `${reports.length} reports: nothing wrong` : `${failures} things wrong`);
  process.exit(failures === 0 ? 0 : 1);
}

async function check(browser, report) {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  const wrong = [];
  page.on("request", (request) => {
    if (!/^(data:|blob:)/.test(request.url()) && !["about:blank", `file://${report}`].includes(request.url())) wrong.push(`asks for ${request.url()}`);
  });
  page.on("pageerror", (error) => wrong.push(`script: ${error.message}`));
  page.on("console", (message) => message.type() === "error" && wrong.push(`console: ${message.text()}`));
  // The fastest of three, and of clock and processor time the smaller: what else the machine does must not count.
  const tools = await page.context().newCDPSession(page);
  await tools.send("Performance.enable");
  const processorTime = async () => {
    const { metrics } = await tools.send("Performance.getMetrics");
    return 1000 * metrics.find((metric) => metric.name === "ProcessTime").value;
  };
  let answers = Infinity;
  let clock = Infinity;
  for (let n = 0; n < 3; n += 1) {
    await page.goto("about:blank");
    const [start, worked] = [performance.now(), await processorTime()];
    await page.goto(`file://${report}`, { waitUntil: "load" });
    // Two frames after loading, the page has been drawn and answers.
    await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
    clock = Math.min(clock, performance.now() - start);
    answers = Math.min(answers, clock, (await processorTime()) - worked);
  }
  const kind = (await page.locator("#patients").count()) > 0 ? "cohort" : "patient";
  if (answers > SOON[kind]) wrong.push(`answers after ${answers.toFixed(0)} ms, expected ${SOON[kind]} at most`);
  const used = await use(page, kind, wrong);
  const found = await page.evaluate(`${axe}; axe.run(document, { resultTypes: ["violations"] })`);
  for (const violation of found.violations) {
    const where = violation.nodes.slice(0, 3).map((node) => node.target.join(" ")).join("; ");
    const text = `axe ${violation.impact}: ${violation.id} (${violation.nodes.length} times): ${where}`;
    if (["serious", "critical"].includes(violation.impact)) wrong.push(text);
    else console.log(`  remark: ${text}`);
  }
  for (const width of [1280, 390]) {
    await page.setViewportSize({ width, height: 900 });
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    if (overflow > 0) wrong.push(`is ${overflow} px wider than a window of ${width} px`);
    if (process.env.REPORT_PICTURES) {
      // What lies below the window is not drawn before it is scrolled to.
      await page.addStyleTag({ content: "* { content-visibility: visible !important; }" });
      const name = `${path.basename(path.dirname(report))}-${path.basename(report, ".html")}-${width}.png`;
      await page.screenshot({ path: path.join(process.env.REPORT_PICTURES, name), fullPage: true });
    }
  }
  await page.close();
  const size = (fs.statSync(report).size / 2 ** 20).toFixed(2);
  console.log(`${report}: ${size} MiB, answers after ${answers.toFixed(0)} ms (clock ${clock.toFixed(0)} ms), ${used}, ${found.violations.length} axe findings`);
  for (const text of wrong) console.log(`  wrong: ${text}`);
  return wrong.length;
}

// Sorts the table of lesions or of patients by keyboard, and filters the patients of a cohort.
async function use(page, kind, wrong) {
  const table = page.locator(kind === "cohort" ? "#patients" : "table[data-sortable]").first();
  if ((await table.count()) === 0) return "nothing to sort";
  const heading = table.locator("thead th").nth(1);
  await heading.locator("button").focus();
  const order = () => table.locator("tbody tr th").allInnerTexts();
  await page.keyboard.press("Enter");
  const upwards = await order();
  if ((await heading.getAttribute("aria-sort")) !== "ascending") wrong.push("Enter on a heading does not sort");
  await page.keyboard.press("Enter");
  const downwards = await order();
  if ((await heading.getAttribute("aria-sort")) !== "descending") wrong.push("a second Enter does not sort downwards");
  if ([...upwards].sort().join() !== [...downwards].sort().join()) wrong.push("sorting loses rows");
  if (kind === "patient") return `${upwards.length} rows sorted`;
  const rows = page.locator("#patients tbody tr");
  const name = await rows.last().locator("th").innerText();
  const start = performance.now();
  await page.locator("[data-filter=text]").fill(name);
  const shown = await page.locator("#patients tbody tr:not([hidden])").count();
  const took = performance.now() - start;
  if (shown === 0 || shown === (await rows.count())) wrong.push(`the filter shows ${shown} rows for ${name}`);
  if (!(await page.locator("form output").innerText()).startsWith(`${shown} of `)) wrong.push("the filter miscounts");
  await page.locator("form button[type=reset]").click();
  await page.waitForFunction(() => document.querySelectorAll("#patients tbody tr[hidden]").length === 0);
  return `${upwards.length} rows sorted, filtered in ${took.toFixed(0)} ms`;
}

main(process.argv.slice(2));
