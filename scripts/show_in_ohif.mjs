// Shows one imaging study of an archive in OHIF and takes pictures: the images, the outlines (SEG), the calipers (SR).
//
//   node scripts/show_in_ohif.mjs OHIF_DIST STUDY_UID OUT [ARCHIVE]
//
// OHIF_DIST is `package/dist` of the npm package @ohif/app (3.13.2), ARCHIVE the address of an Orthanc with its DICOMweb plug-in
// (http://127.0.0.1:18042), to which `lesiontrace push` has sent the results of an `export` and the images they were made from.
// Writes OUT/images.png, calipers.png, outlines.png for a person to look at, the last two of one slice, and says what the viewer
// lists and complains of.
// Needs playwright-core where node finds it, and chromium. Orthanc 1.10 answers 400 for frames of outlines whose images have a number
// of columns that is no multiple of 8.
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { createRequire } from 'node:module';

const [dist, study, out, archive = 'http://127.0.0.1:18042'] = process.argv.slice(2);
if (!out) {
    console.error('usage: node scripts/show_in_ohif.mjs OHIF_DIST STUDY_UID OUT [ARCHIVE]');
    process.exit(2);
}
const { chromium } = createRequire(path.join(process.cwd(), 'x.js'))('playwright-core');
const port = 13000;
const types = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.wasm': 'application/wasm', '.json': 'application/json', '.svg': 'image/svg+xml' };
const isolated = { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp', 'Cross-Origin-Resource-Policy': 'same-origin' };
const source = {
    namespace: '@ohif/extension-default.dataSourcesModule.dicomweb', sourceName: 'archive',
    configuration: { friendlyName: 'archive', name: 'archive', wadoUriRoot: '/wado', qidoRoot: '/dicom-web', wadoRoot: '/dicom-web', qidoSupportsIncludeField: false, imageRendering: 'wadors', thumbnailRendering: 'wadors', enableStudyLazyLoad: true, supportsWildcard: true, omitQuotationForMultipartRequest: true, bulkDataURI: { enabled: true, relativeResolution: 'studies' } },
};
const config = { routerBasename: '/', extensions: [], modes: [], showStudyList: true, maxNumberOfWebWorkers: 2, showWarningMessageForCrossOrigin: false, showCPUFallbackMessage: false, investigationalUseDialog: { option: 'never' }, defaultDataSourceName: 'archive', dataSources: [source] };
const refused = new Map();

// The viewer's files, and the archive under the same origin. The browser's Host goes along: Orthanc makes addresses of it.
const server = http.createServer((question, answer) => {
    const where = new URL(question.url, 'http://x').pathname;
    if (where.startsWith('/dicom-web') || where.startsWith('/wado')) {
        const { hostname, port } = new URL(archive);
        const asked = http.request({ hostname, port, method: question.method, path: question.url, headers: question.headers }, (got) => {
            if (got.statusCode >= 400) refused.set(got.statusCode, (refused.get(got.statusCode) ?? 0) + 1);
            answer.writeHead(got.statusCode, { ...got.headers, ...isolated });
            got.pipe(answer);
        });
        asked.on('error', () => answer.writeHead(502).end());
        question.pipe(asked);
        return;
    }
    if (where === '/app-config.js') {
        answer.writeHead(200, { ...isolated, 'Content-Type': 'text/javascript' }).end(`window.config = ${JSON.stringify(config)};`);
        return;
    }
    let file = path.join(dist, path.normalize(decodeURIComponent(where)));
    if (!fs.existsSync(file) || fs.statSync(file).isDirectory()) file = path.join(dist, 'index.html');
    answer.writeHead(200, { ...isolated, 'Content-Type': types[path.extname(file)] ?? 'application/octet-stream' });
    fs.createReadStream(file).pipe(answer);
});
await new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
fs.mkdirSync(out, { recursive: true });
const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--use-gl=angle', '--use-angle=swiftshader', '--enable-unsafe-swiftshader', '--ignore-gpu-blocklist'] });
const page = await browser.newPage({ viewport: { width: 1400, height: 850 } });
page.setDefaultTimeout(60_000);
const click = async (text) => {
    const found = page.getByText(text, { exact: true });
    if (await found.count()) await found.first().click();
};
const listed = page.locator('[data-cy="study-browser-thumbnail-no-image"]');
const open = async () => {
    await page.goto(`http://127.0.0.1:${port}/viewer?StudyInstanceUIDs=${study}`, { timeout: 120_000 });
    await page.waitForTimeout(40_000);
    await click('Skip all');
};
// The number of the slice that is shown, as the viewer writes it: I:45 (38/82).
const slice = async () => Number((await page.locator('body').innerText()).match(/\((\d+)\/\d+\)/)?.[1]);
await open();
await page.screenshot({ path: path.join(out, 'images.png') });
console.log('listed beside the images:', await listed.allInnerTexts());
let measured = NaN;
const report = listed.filter({ hasText: 'SR' }).first();
if (await report.count()) {
    await report.dblclick();
    await page.waitForTimeout(15_000);
    measured = await slice();
    console.log('slice of the first caliper:', measured);
    await page.screenshot({ path: path.join(out, 'calipers.png') });
    await open();
}
const segmentation = listed.filter({ hasText: 'SEG' }).first();
if (await segmentation.count()) {
    await segmentation.dblclick();
    await page.waitForTimeout(12_000);
    await click('Yes');
    await page.waitForTimeout(20_000);
    // To the slice that the caliper lies on, so that both pictures show the same lesion.
    for (let n = 0; n < 300 && Number.isFinite(measured) && (await slice()) !== measured; n += 1) {
        await page.keyboard.press((await slice()) < measured ? 'ArrowDown' : 'ArrowUp');
        await page.waitForTimeout(150);
    }
    await page.waitForTimeout(5_000);
    console.log('slice of the outlines:', await slice());
    await page.screenshot({ path: path.join(out, 'outlines.png') });
}
console.log('requests the archive refused, by status:', Object.fromEntries(refused));
await browser.close();
server.close();
