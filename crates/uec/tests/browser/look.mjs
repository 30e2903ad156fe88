// Opens pages in a real browser, at telephone and desktop width, as a reader would, and says what is wrong with each.
// Usage: node look.mjs CHROMIUM PICTURES PAGE...   One JSON object a line; pictures go to the folder PICTURES.
import { chromium } from 'playwright-core';
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { pathToFileURL } from 'node:url';

const WIDTHS = { phone: 360, desktop: 1280 };
const [executablePath, pictures, ...pages] = process.argv.slice(2);
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });

for (const file of pages) {
  for (const [name, width] of Object.entries(WIDTHS)) {
    const said = { page: basename(file), width: name, errors: [], violations: [] };
    // First as it is, with its own content security policy: its script has to run, and nothing may be fetched.
    const strict = await browser.newContext({ viewport: { width, height: 800 } });
    const plain = await strict.newPage();
    plain.on('console', (message) => message.type() === 'error' && said.errors.push(message.text()));
    plain.on('pageerror', (error) => said.errors.push(error.message));
    plain.on('request', (request) => request.url().startsWith('file:') || said.errors.push(`asks for ${request.url()}`));
    await plain.goto(pathToFileURL(file).href);
    await plain.screenshot({ path: join(pictures, `${basename(file, '.html')}-${name}.png`) });
    await plain.keyboard.press('Tab');
    said.firstStop = await plain.evaluate(() => document.activeElement.textContent);
    if (await plain.isVisible('#filter')) {
      await plain.check('input[value=failed]');
      said.filter = await plain.textContent('#said');
      said.shown = await plain.locator('tr[data-verdict]:visible').count();
      said.failedShown = await plain.locator('tr[data-verdict=failed]:visible').count();
      await plain.check('input[value=all]');
    }
    said.unfolded = await plain.evaluate(() => document.querySelectorAll('details').forEach((d) => { d.open = true; }) ?? true);
    said.scrolls = await plain.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    said.wide = said.scrolls > 0 ? await plain.evaluate(() =>
      [...document.querySelectorAll('body *')].filter((e) => e.getBoundingClientRect().right > window.innerWidth + 1)
        .slice(0, 3).map((e) => e.outerHTML.slice(0, 160))) : [];
    await strict.close();
    // Then with axe-core, which the policy of the page would not let in.
    const open = await browser.newContext({ viewport: { width, height: 800 }, bypassCSP: true });
    const judged = await open.newPage();
    await judged.goto(pathToFileURL(file).href);
    await judged.evaluate(() => document.querySelectorAll('details').forEach((d, i) => { d.open = i < 20; }));
    await judged.addScriptTag({ content: axe });
    const result = await judged.evaluate(() => window.axe.run());
    said.rules = result.passes.length;
    said.violations = result.violations.map((v) => `${v.id} (${v.impact}), ${v.nodes.length} times: ${v.nodes[0].html.slice(0, 160)}`);
    await open.close();
    console.log(JSON.stringify(said));
  }
}
await browser.close();
