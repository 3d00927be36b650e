import type { Spec } from '../figure.js';
import type { PageData } from '../page-data.js';
import { chartConfig, inTheme, type ThemeName } from '../theme.js';
import { decodeBlock } from './decode.js';

/** What the inlined chart library offers. */
type Embed = (host: HTMLElement, spec: Spec, options: object) => Promise<{ finalize(): void }>;

/** Width of a chart on paper, in pixels. */
const PRINT_WIDTH = 620;

let library: Promise<Embed> | undefined;
const drawn = new Map<HTMLElement, { finalize(): void }>();

/** The chart library, unpacked and started when the first chart comes into view. */
function loadLibrary(): Promise<Embed> {
  library ??= decodeBlock('chart-library').then((code) => {
    const script = document.createElement('script');
    script.textContent = code;
    document.head.append(script);
    return (globalThis as unknown as { vegaEmbed: Embed }).vegaEmbed;
  });
  return library;
}

/** Draws the charts near the screen at once, the others while the page is idle, and all anew when the theme changes. */
export function showCharts(charts: PageData['charts'], theme: () => ThemeName): { redraw(): void } {
  const hosts = charts.flatMap(({ id, spec }) => {
    const host = document.getElementById(id);
    return host === null ? [] : [{ host, spec }];
  });
  const specOf = new Map(hosts.map(({ host, spec }) => [host, spec]));
  const draw = (host: HTMLElement) => drawOne(host, specOf.get(host)!, theme());
  const observer = new IntersectionObserver(
    (entries) => {
      for (const entry of entries) {
        if (!entry.isIntersecting) continue;
        observer.unobserve(entry.target);
        void draw(entry.target as HTMLElement);
      }
    },
    { rootMargin: '400px' },
  );
  for (const { host } of hosts) observer.observe(host);
  void drawWhileIdle(hosts, async (host) => {
    observer.unobserve(host);
    if (!drawn.has(host)) await draw(host);
  });
  return {
    redraw() {
      for (const host of drawn.keys()) void draw(host);
    },
  };
}

async function drawOne(host: HTMLElement, spec: Spec, theme: ThemeName): Promise<void> {
  const embed = await loadLibrary();
  drawn.get(host)?.finalize();
  const view = await embed(
    host,
    { ...inTheme(spec, theme), width: 'container', autosize: { type: 'fit-x', contains: 'padding' } },
    {
      ...OPTIONS,
      config: chartConfig(theme, host.clientWidth),
      actions: { export: { svg: true, png: true }, source: false, compiled: false, editor: false },
      tooltip: { theme: theme === 'dark' ? 'dark' : 'light' },
    },
  );
  drawn.set(host, view);
  nameControls(host);
}

/** vega.Error: its warnings are for who writes a specification. */
const ERRORS_ONLY = 1;

/** No evaluation of text as code: expressions are interpreted, so that the page can forbid it. */
const OPTIONS = { mode: 'vega-lite', renderer: 'svg', ast: true, logLevel: ERRORS_ONLY } as const;

/** The menu and the selections under a chart, named for screen readers. */
function nameControls(host: HTMLElement): void {
  const name = host.dataset.name ?? 'chart';
  const summary = host.querySelector('details > summary');
  summary?.setAttribute('aria-label', `Save ${name} as a picture`);
  for (const svg of host.querySelectorAll('svg.marks')) {
    svg.setAttribute('role', 'img');
    svg.setAttribute('aria-label', host.dataset.description ?? name);
  }
}

/** First what is still to be drawn on the screen, so that nobody scrolls into a blank, then the charts for paper. */
async function drawWhileIdle(
  hosts: readonly { host: HTMLElement; spec: Spec }[],
  drawOnScreen: (host: HTMLElement) => Promise<void>,
): Promise<void> {
  for (const { host } of hosts) {
    await idle();
    await drawOnScreen(host);
  }
  for (const { host, spec } of hosts) {
    await idle();
    await drawOnPaper(host, spec);
  }
}

function idle(): Promise<unknown> {
  return new Promise((resolve) => {
    if ('requestIdleCallback' in globalThis) requestIdleCallback(resolve, { timeout: 2000 });
    else setTimeout(resolve, 100);
  });
}

/** Paper has one width and a white ground: its charts are drawn apart. */
async function drawOnPaper(host: HTMLElement, spec: Spec): Promise<void> {
  const paper = document.createElement('div');
  paper.className = 'on-paper';
  paper.setAttribute('aria-hidden', 'true');
  host.after(paper);
  const inner = document.createElement('div');
  paper.append(inner);
  const embed = await loadLibrary();
  const bare = withoutControls(inTheme(spec, 'light'));
  await embed(
    inner,
    { ...bare, width: PRINT_WIDTH, autosize: { type: 'fit-x', contains: 'padding' } },
    { ...OPTIONS, config: chartConfig('light', PRINT_WIDTH), actions: false, tooltip: false },
  );
}

/** Parameters keep their value on paper, but lose the control that sets it. */
function withoutControls(spec: Spec): Spec {
  if (!Array.isArray(spec.params)) return spec;
  return { ...spec, params: spec.params.map(({ bind: _, ...param }: { bind?: unknown }) => param) };
}
