import type { PageData } from '../page-data.js';
import type { ThemeName } from '../theme.js';
import { showCharts } from './charts.js';
import { decodeBlock } from './decode.js';
import { showTable } from './table.js';

/** The theme in force: what the reader chose, else what the system prefers. */
function theme(): ThemeName {
  const chosen = document.documentElement.dataset.theme;
  if (chosen === 'light' || chosen === 'dark') return chosen;
  return matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light';
}

async function start(): Promise<void> {
  const data = JSON.parse(await decodeBlock('report-data')) as PageData;
  const charts = showCharts(data.charts, theme);
  if (data.placements !== undefined) showTable(data.placements);
  const toggle = document.getElementById('theme');
  toggle?.addEventListener('click', () => {
    document.documentElement.dataset.theme = theme() === 'dark' ? 'light' : 'dark';
    charts.redraw();
  });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => charts.redraw());
  document.documentElement.dataset.ready = 'true';
}

start().catch((error: unknown) => {
  const place = document.getElementById('fault');
  if (place !== null) {
    place.hidden = false;
    place.textContent = `The charts cannot be shown in this browser (${String(error)}). The text and tables are complete without them.`;
  }
});
