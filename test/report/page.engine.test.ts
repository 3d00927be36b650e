import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeWhole } from '../../src/formats/files.js';
import { gatherEvidence } from '../../src/report/evidence.js';
import { htmlPage } from '../../src/report/html-page.js';
import { HOSTILE, resultsFolder } from './fixtures.js';

/** Where Debian, Ubuntu, Fedora and macOS put it; EVICPRESS_CHROMIUM names another. */
const CHROMIUM = [
  process.env.EVICPRESS_CHROMIUM,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
].find((path) => path !== undefined && existsSync(path));
const axePath = createRequire(import.meta.url).resolve('axe-core/axe.min.js');

/** What stands out to the right of 360 px, outside the regions that scroll by themselves. */
const TOO_WIDE =
  "[...document.querySelectorAll('body *')].filter((e) => e.getBoundingClientRect().right > 361 && !e.parentElement.closest('.scroll, nav')).map((e) => e.tagName + '#' + e.id + ' ' + e.getAttribute('class') + ' in ' + e.closest('section, div[id]')?.id)";

/** The page in a real browser; skipped where there is no Chromium (apt install chromium). */
describe.skipIf(CHROMIUM === undefined)('the report in Chromium', () => {
  let browser: Browser;
  let path: string;

  beforeAll(async () => {
    const folder = await resultsFolder({ contexts: 90, hostile: true });
    const file = (name: string) => join(folder, '.evicpress', name);
    const evidence = await gatherEvidence(
      {
        plan: file('plan.ndjson'),
        tiers: file('tiers.json'),
        methods: file('methods.ndjson'),
        replay: file('replay.json'),
        size: file('size.json'),
      },
      {},
    );
    path = join(folder, 'report.html');
    await writeWhole(path, await htmlPage(evidence, HOSTILE, new Date(0)));
    browser = await chromium.launch({ executablePath: CHROMIUM!, args: ['--no-sandbox'] });
  });
  afterAll(async () => browser?.close());

  /** The page with every chart drawn, and what it complained of or asked the network for. */
  async function open(options: BrowserContextOptions): Promise<{ page: Page; faults: string[] }> {
    const page = await (await browser.newContext(options)).newPage();
    const faults: string[] = [];
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) faults.push(message.text());
    });
    page.on('pageerror', (error) => faults.push(String(error)));
    page.on('request', (request) => {
      if (!/^(file|data|blob):/.test(request.url())) faults.push(`asked for ${request.url()}`);
    });
    await page.goto(`file://${path}`);
    await page.waitForSelector('html[data-ready]');
    for (const chart of await page.locator('.chart').all()) {
      await chart.scrollIntoViewIfNeeded();
      await chart.locator('svg.marks').waitFor();
    }
    return { page, faults };
  }

  const SETTINGS: [string, BrowserContextOptions][] = [
    ['light', { viewport: { width: 1280, height: 900 }, colorScheme: 'light' }],
    ['dark', { viewport: { width: 1280, height: 900 }, colorScheme: 'dark' }],
    ['a phone', { viewport: { width: 360, height: 740 }, colorScheme: 'light' }],
  ];

  it.each(SETTINGS)('draws every chart without a fault, %s', async (_, setting) => {
    const { page, faults } = await open(setting);
    expect(await page.locator('.chart svg.marks').count()).toBe(await page.locator('.chart').count());
    expect(await page.locator('.chart').count()).toBeGreaterThan(9);
    expect(faults).toEqual([]);
    expect(await page.evaluate('globalThis.broken')).toBeUndefined();
  });

  it.each(SETTINGS)('has no serious accessibility fault, %s', async (_, setting) => {
    const { page } = await open(setting);
    await page.locator('button.open').first().click();
    // A chart that is being drawn while the page is idle gets its names when it is there.
    await expect.poll(() => page.locator('.chart details > summary:not([aria-label])').count()).toBe(0);
    // Evaluated by the debugger, which the page's own policy does not bind.
    await page.evaluate((await import('node:fs')).readFileSync(axePath, 'utf8'));
    const violations = await page.evaluate(
      "axe.run(document, { resultTypes: ['violations'] }).then((r) => r.violations.filter((v) => ['serious', 'critical'].includes(v.impact)).map((v) => v.id + ': ' + v.nodes.map((n) => n.target.join(' ')).join(', ')))",
    );
    expect(violations).toEqual([]);
  });

  it('never scrolls sideways at 360 px, an explanation opened', async () => {
    const { page } = await open({ viewport: { width: 360, height: 740 } });
    await page.locator('button.open').first().click();
    expect(await page.evaluate(TOO_WIDE)).toEqual([]);
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(360);
  });

  it('searches, filters, sorts and explains with the keyboard alone', async () => {
    const { page } = await open({ viewport: { width: 1280, height: 900 } });
    const status = page.locator('#placements-status');
    await page.locator('#search').focus();
    await page.keyboard.type('CONTEXT-42');
    await expect.poll(() => status.textContent()).toContain('1 of 90 contexts');
    await page.locator('#search').fill('');
    await page.locator('#filter-tier').selectOption('ssd');
    await expect.poll(() => status.textContent()).toContain('30 of 90 contexts');
    await page.locator('#filter-method').selectOption('keydiff@0.6');
    await expect.poll(() => status.textContent()).toContain('15 of 90 contexts');
    await page.locator('#filter-tier').selectOption('');
    await page.locator('#filter-method').selectOption('');
    await page.locator('button[data-column="ttft"]').press('Enter');
    expect(await page.locator('th[aria-sort="descending"]').textContent()).toBe('TTFT');
    await page.locator('button[data-column="context"]').press('Enter');
    const first = page.locator('button.open').first();
    expect(await first.textContent()).toContain('</script>');
    await first.press('Enter');
    expect(await first.getAttribute('aria-expanded')).toBe('true');
    expect(await page.locator('.detail .terms tbody tr').count()).toBeGreaterThan(1);
    expect(await page.locator('.detail .chosen').textContent()).toContain('dram (chosen)');
    await page.locator('#page-next').press('Enter');
    await expect.poll(() => status.textContent()).toContain('page 2 of 4');
  });

  it('shows a tooltip, filters a chart, and switches the theme', async () => {
    const { page, faults } = await open({ viewport: { width: 1280, height: 900 }, colorScheme: 'light' });
    await page.locator('#chart-policies-0 .mark-symbol path').first().hover();
    const tip = page.locator('#vg-tooltip-element.visible');
    await tip.waitFor();
    expect(await tip.textContent()).toContain('mean TTFT');
    const lines = page.locator('#chart-time-0 .mark-line path');
    expect(await lines.count()).toBe(3);
    await page.locator('#chart-time-0 select').selectOption({ label: 'lru' });
    await expect.poll(() => lines.count()).toBe(1);
    const ground = () =>
      page.evaluate("getComputedStyle(document.querySelector('#chart-stored-0 svg.marks')).backgroundColor");
    const light = await ground();
    await page.locator('#theme').click();
    await expect.poll(ground).not.toBe(light);
    expect(faults).toEqual([]);
  });

  it('draws every chart without a scroll', async () => {
    const { page, faults } = await open({ viewport: { width: 1280, height: 900 } });
    await expect
      .poll(() => page.locator('.chart svg.marks').count(), { timeout: 60_000 })
      .toBe(await page.locator('.chart').count());
    expect(faults).toEqual([]);
  });

  it('prints with a chart of its own for paper', async () => {
    const { page } = await open({ viewport: { width: 1280, height: 900 }, colorScheme: 'dark' });
    await expect
      .poll(() => page.locator('.on-paper svg.marks').count(), { timeout: 60_000 })
      .toBe(await page.locator('.chart').count());
    await page.emulateMedia({ media: 'print' });
    expect(await page.locator('.on-paper svg.marks').first().isVisible()).toBe(true);
    expect(await page.locator('.chart svg.marks').first().isVisible()).toBe(false);
  });
});
