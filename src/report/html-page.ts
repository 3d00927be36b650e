import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { EvicpressError } from '../errors.js';
import { PACKAGE_ROOT } from '../package-root.js';
import { formatCount } from '../units.js';
import { type Answer, answerOf } from './answer.js';
import { escapeHtml } from './escape.js';
import type { Evidence } from './evidence.js';
import type { Figure } from './figure.js';
import { figureKinds } from './figures/index.js';
import { packData } from './pack.js';
import { isoMinute, type Provenance, provenanceOf } from './provenance.js';

/** The page's own script and style and the chart library, as scripts/report-page.mjs builds them. */
const PAGE_FOLDER = join(PACKAGE_ROOT, 'dist/page');

/** A built part of the page. @throws EvicpressError where the program was not built. */
export async function pagePart(name: 'main.js' | 'page.css' | 'charts.js.gz'): Promise<Buffer> {
  try {
    return await readFile(join(PAGE_FOLDER, name));
  } catch {
    throw new EvicpressError(
      `The report's page is missing (${name}). Install evicpress again, or build it: npm run build.`,
    );
  }
}

/** The figures that this evidence can fill, in the order of the page. */
export function drawFigures(evidence: Evidence): Figure[] {
  return figureKinds.flatMap((kind) => kind.draw(evidence) ?? []);
}

/**
 * The report as one HTML page that needs nothing else: no network, no other file.
 * @param title heads the page; @param madeAt is printed with it.
 * @throws EvicpressError where the program was not built.
 */
export async function htmlPage(evidence: Evidence, title: string, madeAt: Date): Promise<string> {
  const [script, style, library] = await Promise.all([
    pagePart('main.js'),
    pagePart('page.css'),
    pagePart('charts.js.gz'),
  ]);
  const figures = drawFigures(evidence);
  const charts = figures.flatMap((figure) =>
    figure.panels.map(({ spec }, i) => ({ id: panelId(figure, i), spec })),
  );
  const packed = packData(evidence, charts);
  const policy = [
    "default-src 'none'",
    "style-src 'unsafe-inline'",
    'img-src data: blob:',
    `script-src ${hashOf(script)} ${hashOf(gunzipSync(library))}`,
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="generator" content="evicpress">
<title>${escapeHtml(title)}</title>
<style>${style.toString()}</style>
</head>
<body>
<a class="skip" href="#answer">To the answer</a>
<header class="top"><div><strong>evicpress</strong>
<nav aria-label="Sections" tabindex="0">${navigation(evidence, figures)}</nav>
<button id="theme" type="button" aria-label="Switch between light and dark">◐</button></div></header>
<main>
${answerHtml(answerOf(evidence), title, madeAt, evidence.warnings)}
${figures.map(figureHtml).join('\n')}
${evidence.plan === undefined ? '' : placementsHtml(packed.rows, evidence.plan.placements.contexts.length)}
${provenanceHtml(provenanceOf(evidence))}
</main>
<footer class="muted">Made by evicpress. Charts by Vega, Vega-Lite and Vega-Embed (University of Washington Interactive Data Lab, BSD 3-Clause).</footer>
<script type="application/octet-stream" id="chart-library">${library.toString('base64')}</script>
<script type="application/octet-stream" id="report-data">${packed.base64}</script>
<script>${script.toString()}</script>
</body>
</html>
`;
}

function hashOf(script: Buffer): string {
  return `'sha256-${createHash('sha256').update(script).digest('base64')}'`;
}

function panelId(figure: Figure, i: number): string {
  return `chart-${figure.id}-${i}`;
}

function navigation(evidence: Evidence, figures: readonly Figure[]): string {
  const links = [
    ['answer', 'Answer'],
    ...figures.map((figure) => [figure.id, SHORT_TITLES[figure.id] ?? figure.title]),
    ...(evidence.plan === undefined ? [] : [['placements', 'Contexts']]),
    ['provenance', 'Sources'],
  ];
  return links.map(([id, text]) => `<a href="#${id}">${escapeHtml(text!)}</a>`).join('');
}

/** A word for each section, for the line at the top. */
const SHORT_TITLES: Readonly<Record<string, string>> = {
  policies: 'Policies',
  ttft: 'TTFT',
  distribution: 'Distribution',
  load: 'Load',
  hits: 'Hits',
  'lru-curve': 'LRU',
  time: 'Over time',
  capacity: 'Room',
  stored: 'Stored',
  prices: 'Prices',
  quality: 'Quality',
  tiers: 'Tiers',
};

function answerHtml(
  { sentences, figures }: Answer,
  title: string,
  madeAt: Date,
  warnings: readonly string[],
): string {
  const further = sentences.slice(1);
  const tiles = figures
    .map(
      ({ label, value, note }) =>
        `<li><span>${escapeHtml(label)}</span><b>${escapeHtml(value)}</b><span>${escapeHtml(note)}</span></li>`,
    )
    .join('');
  return `<div id="answer"><h1>${escapeHtml(title)}</h1>
<p class="muted">${isoMinute(madeAt)}</p>
<p class="answer">${escapeHtml(sentences[0] ?? '')}</p>
${further.length === 0 ? '' : `<ul class="further">${further.map((sentence) => `<li>${escapeHtml(sentence)}</li>`).join('')}</ul>`}
${warnings.map((warning) => `<p class="known">Note: ${escapeHtml(warning)}</p>`).join('')}
<p id="fault" hidden></p>
<noscript><p class="known">Charts and the table of contexts need JavaScript; the words and sources below do not.</p></noscript>
<ul class="tiles">${tiles}</ul></div>`;
}

function figureHtml(figure: Figure): string {
  const panels = figure.panels.map(({ name, description }, i) => {
    const head = figure.panels.length > 1 ? `<h3>${escapeHtml(name)}</h3>` : '';
    return `<figure>${head}<div class="chart" id="${panelId(figure, i)}" data-name="${escapeHtml(name)}" data-description="${escapeHtml(description)}"></div></figure>`;
  });
  return `<section id="${figure.id}"><h2>${escapeHtml(figure.title)}</h2>
<p>${escapeHtml(figure.reading)}</p>
<div class="panels${panels.length > 1 ? ' many' : ''}">${panels.join('')}</div>
<p class="source">Source: ${escapeHtml(figure.source)}.</p></section>`;
}

function placementsHtml(rows: number, total: number): string {
  const columns = [
    ['context', 'context', ''],
    ['stored', 'stored', ''],
    ['bytes', 'bytes', 'number wide'],
    ['quality', 'quality', 'number wide'],
    ['ttft', 'TTFT', 'number'],
    ['accesses', 'accesses', 'number wide'],
  ];
  const heads = columns
    .map(
      ([column, text, name]) =>
        `<th scope="col" class="${name}"${column === 'accesses' ? ' aria-sort="descending"' : ''}><button type="button" data-column="${column}">${text}</button></th>`,
    )
    .join('');
  const part =
    rows === total
      ? `All ${formatCount(total)} contexts of the plan.`
      : `The ${formatCount(rows)} most accessed of ${formatCount(total)} contexts; a page for all would be too large to pass on.`;
  return `<section id="placements"><h2>Every context and why it is where it is</h2>
<p>${part} Choose one to see what its options are worth at the plan’s prices.</p>
<div class="controls"><label class="search">search<input id="search" type="search" autocomplete="off" spellcheck="false"></label>
<label>tier<select id="filter-tier"><option value="">all</option></select></label>
<label>stored as<select id="filter-method"><option value="">all</option></select></label></div>
<table id="placements-table"><thead><tr>${heads}</tr></thead><tbody id="placements-body"></tbody></table>
<div class="pager"><button type="button" id="page-previous" disabled>Previous</button><button type="button" id="page-next" disabled>Next</button><p id="placements-status" class="muted" role="status"></p></div>
<p class="source">Source: the plan’s rows; alternatives priced in this page by the planner’s own functions.</p></section>`;
}

function provenanceHtml(rows: readonly Provenance[]): string {
  const body = rows
    .map(
      ({ what, figures, known, when, command }) =>
        `<tr><th scope="row" class="known">${escapeHtml(what)}</th><td>${escapeHtml(figures)}</td><td>${escapeHtml(known)}</td><td>${escapeHtml(when)}</td><td><code>${escapeHtml(command)}</code></td></tr>`,
    )
    .join('');
  return `<section id="provenance"><h2>Where every number comes from</h2>
<p>Measured on a real machine, carried from a reference with its source, assumed, or computed from those.</p>
<table class="provenance"><thead><tr><th scope="col">what</th><th scope="col">figures</th><th scope="col">how it is known</th><th scope="col">when</th><th scope="col">made by</th></tr></thead><tbody>${body}</tbody></table></section>`;
}
