import { formatBytes, formatCount, formatSeconds, significant } from '../../units.js';
import type { PlacementData } from '../page-data.js';
import { explain, type PricedOption, ttftOf } from './explain.js';

const PAGE_ROWS = 25;

type Column = 'context' | 'stored' | 'bytes' | 'quality' | 'ttft' | 'accesses';

/** The table of placements: search, filter by tier and form, sort, and an explanation on click. */
export function showTable(data: PlacementData): void {
  const root = document.getElementById('placements-table');
  if (root === null) return;
  const contexts = data.contexts.split('\n');
  const lowered = contexts.map((context) => context.toLowerCase());
  const ttft = data.group.map((_, i) => ttftOf(data, i));
  const byId = <T extends HTMLElement>(id: string) => document.getElementById(id) as T;
  const search = byId<HTMLInputElement>('search');
  const tier = byId<HTMLSelectElement>('filter-tier');
  const method = byId<HTMLSelectElement>('filter-method');
  const body = byId<HTMLTableSectionElement>('placements-body');
  const status = byId('placements-status');
  const previous = byId<HTMLButtonElement>('page-previous');
  const next = byId<HTMLButtonElement>('page-next');
  let sort: { column: Column; down: boolean } = { column: 'accesses', down: true };
  let shown: number[] = [];
  let page = 0;

  fillOptions(tier, [...new Set(data.groups.map((group) => group.tier))]);
  fillOptions(method, [...new Set(data.groups.filter((g) => g.tier !== 'recompute').map((g) => formOf(g)))]);

  const value: Record<Column, (i: number) => number | string> = {
    context: (i) => contexts[i]!,
    stored: (i) => {
      const group = data.groups[data.group[i]!]!;
      return `${data.tiers.findIndex((entry) => entry.name === group.tier) >>> 0} ${formOf(group)}`;
    },
    bytes: (i) => data.storedBytes[i]!,
    quality: (i) => data.forms[data.form[i]!]![0],
    ttft: (i) => ttft[i]!,
    accesses: (i) => data.accesses[i]!,
  };

  const select = () => {
    const needle = search.value.trim().toLowerCase();
    const wanted = data.groups.map(
      (group) =>
        (tier.value === '' || group.tier === tier.value) &&
        (method.value === '' || (group.tier !== 'recompute' && formOf(group) === method.value)),
    );
    shown = data.group.flatMap((group, i) =>
      wanted[group] && (needle === '' || lowered[i]!.includes(needle)) ? [i] : [],
    );
    const key = value[sort.column];
    const sign = sort.down ? -1 : 1;
    shown.sort((a, b) => {
      const x = key(a);
      const y = key(b);
      return (x < y ? -1 : x > y ? 1 : 0) * sign || a - b;
    });
    page = 0;
    draw();
  };

  const draw = () => {
    const pages = Math.max(1, Math.ceil(shown.length / PAGE_ROWS));
    const rows = shown.slice(page * PAGE_ROWS, (page + 1) * PAGE_ROWS);
    body.replaceChildren(...rows.map((i) => rowElement(i)));
    const left = data.total - contexts.length;
    status.textContent =
      `${formatCount(shown.length)} of ${formatCount(data.total)} contexts, page ${formatCount(page + 1)} of ${formatCount(pages)}` +
      (left > 0 ? `; the ${formatCount(left)} least accessed are in the charts only` : '');
    previous.disabled = page === 0;
    next.disabled = page + 1 >= pages;
  };

  const rowElement = (i: number): HTMLTableRowElement => {
    const group = data.groups[data.group[i]!]!;
    const row = element('tr');
    const head = element('th');
    head.scope = 'row';
    const button = element('button', shorten(contexts[i]!));
    button.type = 'button';
    button.className = 'open';
    button.title = contexts[i]!;
    button.setAttribute('aria-expanded', 'false');
    button.addEventListener('click', () => toggle(row, button, i));
    head.append(button);
    const cells: [string, string][] = [
      [group.tier === 'recompute' ? 'recompute' : `${group.tier}, ${formOf(group)}`, ''],
      [group.tier === 'recompute' ? '' : formatBytes(data.storedBytes[i]!), 'number wide'],
      [data.forms[data.form[i]!]![0].toFixed(3), 'number wide'],
      [formatSeconds(Number(ttft[i]!.toPrecision(4))), 'number'],
      [significantCount(data.accesses[i]!), 'number wide'],
    ];
    row.append(head, ...cells.map(([text, name]) => element('td', text, name)));
    return row;
  };

  const toggle = (row: HTMLTableRowElement, button: HTMLButtonElement, i: number) => {
    const open = button.getAttribute('aria-expanded') === 'true';
    button.setAttribute('aria-expanded', String(!open));
    if (open) {
      row.nextElementSibling?.remove();
      return;
    }
    const detail = element('tr', '', 'detail');
    const cell = element('td');
    cell.colSpan = 6;
    cell.append(...explanation(data, contexts, i));
    detail.append(cell);
    row.after(detail);
  };

  for (const control of [search, tier, method]) control.addEventListener('input', select);
  previous.addEventListener('click', () => {
    page--;
    draw();
  });
  next.addEventListener('click', () => {
    page++;
    draw();
  });
  for (const button of root.querySelectorAll<HTMLButtonElement>('button[data-column]')) {
    button.addEventListener('click', () => {
      const column = button.dataset.column as Column;
      sort = { column, down: sort.column === column ? !sort.down : column !== 'context' };
      for (const header of root.querySelectorAll('th[aria-sort]')) header.removeAttribute('aria-sort');
      button.closest('th')?.setAttribute('aria-sort', sort.down ? 'descending' : 'ascending');
      select();
    });
  }
  select();
}

/** The explanation of one row: in a sentence, then the terms of every option that can be compared. */
function explanation(data: PlacementData, contexts: readonly string[], i: number): HTMLElement[] {
  const group = data.groups[data.group[i]!]!;
  const { options, flip } = explain(data, i);
  const own = options.find((option) => option.chosen);
  const best = options.find((option) => !option.chosen);
  const parts: HTMLElement[] = [];
  const path = pathOf(data, i);
  const place =
    group.tier === 'recompute'
      ? 'is not kept: it is computed anew each time.'
      : `is kept in ${group.tier}, ${formOf(group)}, in ${formatBytes(data.storedBytes[i]!)}.`;
  parts.push(
    element(
      'p',
      `Context ${contexts[i]!} ${place} It counts ${significantCount(data.accesses[i]!)} accesses a period.`,
    ),
  );
  if (own === undefined) {
    parts.push(
      element('p', 'The tier profile this plan was made from is not at hand, so its terms cannot be shown.'),
    );
    return parts;
  }
  parts.push(optionTable(options));
  const sentences: string[] = [];
  if (best !== undefined)
    sentences.push(
      own.netSeconds >= best.netSeconds
        ? `The next best, ${best.name}, would lose ${formatSeconds(own.netSeconds - best.netSeconds)} a period.`
        : `By itself ${best.name} would score ${formatSeconds(best.netSeconds - own.netSeconds)} a period higher; ${path > 0 || data.parentUp.some((up) => up > 0) ? 'it is placed together with its prefix tree, or' : ''} it is one of the few contexts that fill the last of the room.`,
    );
  if (flip !== undefined && own.netSeconds >= (best?.netSeconds ?? 0))
    sentences.push(
      `It would change to ${flip.to} ${flip.accesses > data.accesses[i]! ? 'above' : 'below'} ${significantCount(flip.accesses)} accesses a period.`,
    );
  if (path > 0)
    sentences.push(`It stands behind ${path} ${path === 1 ? 'segment' : 'segments'} of the same prefix.`);
  if (sentences.length > 0) parts.push(element('p', sentences.join(' ')));
  return parts;
}

function optionTable(options: readonly PricedOption[]): HTMLElement {
  const table = element('table', '', 'terms');
  const head = element('tr');
  for (const name of ['option', 'TTFT', 'answers', '− waiting', '− room', '= net'])
    head.append(element('th', name, name === 'option' ? '' : 'number'));
  const wrapped = element('thead');
  wrapped.append(head);
  const body = element('tbody');
  for (const option of options) {
    const row = element('tr', '', option.chosen ? 'chosen' : '');
    row.append(element('td', option.chosen ? `${option.name} (chosen)` : option.name));
    row.append(element('td', formatSeconds(option.ttftSeconds), 'number'));
    for (const seconds of [
      option.answersSeconds,
      option.waitingSeconds,
      option.rentSeconds,
      option.netSeconds,
    ])
      row.append(element('td', plainSeconds(seconds), 'number'));
    body.append(row);
  }
  const caption = element('caption', 'What each option is worth, in seconds a period');
  table.append(caption, wrapped, body);
  const scroll = element('div', '', 'scroll');
  scroll.tabIndex = 0;
  scroll.setAttribute('role', 'region');
  scroll.setAttribute('aria-label', 'Options of this context');
  scroll.append(table);
  return scroll;
}

/** How many rows of the page stand above row i in its prefix. */
function pathOf(data: PlacementData, i: number): number {
  let depth = 0;
  for (let row = i; data.parentUp[row]! > 0; row -= data.parentUp[row]!) depth++;
  return depth;
}

function formOf(group: PlacementData['groups'][number]): string {
  return group.method === 'none' ? 'whole' : `${group.method}@${group.compressionRatio}`;
}

function significantCount(value: number): string {
  return value >= 100 || Number.isInteger(value) ? formatCount(value) : significant(value);
}

/** Seconds without change of unit, so that terms can be compared and added down a column. */
function plainSeconds(seconds: number): string {
  return `${Math.abs(seconds) >= 100 ? formatCount(seconds) : significant(seconds)} s`;
}

/** A long id by its two ends. */
function shorten(text: string): string {
  return text.length > 28 ? `${text.slice(0, 16)}…${text.slice(-9)}` : text;
}

function fillOptions(select: HTMLSelectElement, names: readonly string[]): void {
  for (const name of [...names].sort()) select.append(new Option(name, name));
}

/** An element with text; text is never taken for markup. */
function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  text = '',
  className = '',
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  if (text !== '') made.textContent = text;
  if (className !== '') made.className = className;
  return made;
}
