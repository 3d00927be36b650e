import { join } from 'node:path';
import { createContext, runInContext } from 'node:vm';
import { gunzipSync } from 'node:zlib';
import { EvicpressError } from '../errors.js';
import type { Figure, Spec } from './figure.js';
import { pagePart } from './html-page.js';
import { chartConfig, inTheme, type ThemeName } from './theme.js';

/** Pixels: a slide of 16:9 with room for a heading. */
const SLIDE_WIDTH = 960;
/** PNGs are this many times as large, so that a projector does not blur them. */
const PNG_SCALE = 2;

/** A picture of one panel: the name of its file without the ending, and its SVG. */
export interface ChartImage {
  readonly name: string;
  readonly svg: string;
}

/** The part of the chart library that draws without a browser. */
interface Vega {
  parse(spec: unknown, config?: unknown, options?: { ast: boolean }): unknown;
  View: new (runtime: unknown, options: object) => { toSVG(): Promise<string>; finalize(): void };
}
interface VegaLite {
  compile(spec: Spec, options: { config: Spec; logger: object }): { spec: unknown };
}

/** Its warnings are for who writes a specification, not for who reads the picture; its errors are thrown. */
const SILENT = {
  level: () => SILENT,
  error: () => SILENT,
  warn: () => SILENT,
  info: () => SILENT,
  debug: () => SILENT,
};

/** Every panel of the figures as SVG, for slides. @throws EvicpressError where the program was not built. */
export async function chartImages(figures: readonly Figure[], theme: ThemeName): Promise<ChartImage[]> {
  const { vega, vegaLite } = await loadLibrary();
  const images: ChartImage[] = [];
  for (const figure of figures) {
    for (const [i, panel] of figure.panels.entries()) {
      const { spec } = vegaLite.compile(
        {
          ...inTheme(panel.spec, theme),
          width: SLIDE_WIDTH,
          autosize: { type: 'fit-x', contains: 'padding' },
        },
        { config: chartConfig(theme, SLIDE_WIDTH), logger: SILENT },
      );
      const view = new vega.View(vega.parse(spec), { renderer: 'none' });
      const svg = await view.toSVG();
      view.finalize();
      images.push({ name: figure.panels.length > 1 ? `${figure.id}-${i + 1}` : figure.id, svg });
    }
  }
  return images;
}

/** The browser build of the library, run in a context of its own: it is the same code the page carries. */
async function loadLibrary(): Promise<{ vega: Vega; vegaLite: VegaLite }> {
  const code = gunzipSync(await pagePart('charts.js.gz')).toString();
  const sandbox: Record<string, unknown> = {
    console,
    setTimeout,
    clearTimeout,
    setInterval,
    clearInterval,
    structuredClone,
    URL,
    performance,
  };
  sandbox.self = sandbox;
  sandbox.window = undefined;
  createContext(sandbox);
  runInContext(code, sandbox, { filename: 'charts.js' });
  return { vega: sandbox.vega as Vega, vegaLite: sandbox.vegaLite as VegaLite };
}

/**
 * An SVG as PNG, through the optional package @resvg/resvg-js.
 * @throws EvicpressError that says how to get it where it is missing.
 */
export async function pngOf(svg: string): Promise<Buffer> {
  const { Resvg } = await loadResvg();
  const image = new Resvg(svg, {
    fitTo: { mode: 'zoom', value: PNG_SCALE },
    font: { loadSystemFonts: true, defaultFontFamily: 'DejaVu Sans' },
  });
  return image.render().asPng();
}

interface Resvg {
  Resvg: new (svg: string, options: object) => { render(): { asPng(): Buffer } };
}

async function loadResvg(): Promise<Resvg> {
  const name: string = '@resvg/resvg-js';
  try {
    return (await import(name)) as Resvg;
  } catch {
    throw new EvicpressError(
      'PNG pictures need the package @resvg/resvg-js. Install it beside evicpress: npm install @resvg/resvg-js. SVG pictures (--svg) need nothing.',
    );
  }
}

/** Where an image of a folder goes. */
export function imagePath(folder: string, name: string, ending: 'svg' | 'png'): string {
  return join(folder, `evicpress-${name}.${ending}`);
}
