import type { Spec } from './figure.js';

export type ThemeName = 'light' | 'dark';

/**
 * Colours told apart by eyes with any of the three colour-vision deficiencies, and at 3:1 against the ground:
 * after Okabe and Ito (jfly.uni-koeln.de/color), with orange, yellow and sky blue darkened for the light ground.
 */
interface Theme {
  readonly ground: string;
  readonly ink: string;
  readonly muted: string;
  readonly line: string;
  readonly accent: string;
  readonly rival: string;
  readonly bound: string;
  readonly category: readonly string[];
}

const themes: Readonly<Record<ThemeName, Theme>> = {
  light: {
    ground: '#ffffff',
    ink: '#1b1f24',
    muted: '#59636e',
    line: '#d9dee3',
    accent: '#0060a8',
    rival: '#c24e00',
    bound: '#6b7580',
    category: ['#0072b2', '#d55e00', '#00835f', '#b0508c', '#8a6d00', '#4b3b9e', '#7a2f3b', '#59636e'],
  },
  dark: {
    ground: '#15191e',
    ink: '#e8ecf0',
    muted: '#a2adb8',
    line: '#39424c',
    accent: '#6cbcf5',
    rival: '#f0955c',
    bound: '#98a3ae',
    category: ['#56b4e9', '#f08a4b', '#2fc79a', '#e29cc8', '#f0e442', '#aaa0ff', '#e0808d', '#b4bec8'],
  },
};

/** Every mark that tells two things apart by colour also tells them apart by one of these. */
// One fewer than colours: the two together tell eight times as many things apart.
const SHAPES = ['circle', 'square', 'triangle-up', 'diamond', 'cross', 'triangle-down', 'triangle-left'];
const FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif';

/** The Vega-Lite configuration of a theme, for a chart of this many pixels. */
export function chartConfig(name: ThemeName, width: number): Spec {
  const theme = themes[name];
  return {
    background: theme.ground,
    font: FONT,
    padding: 4,
    view: { stroke: null },
    mark: { color: theme.accent },
    axis: {
      labelColor: theme.muted,
      titleColor: theme.ink,
      labelFontSize: 12,
      titleFontSize: 12,
      titleFontWeight: 500,
      gridColor: theme.line,
      gridOpacity: 0.7,
      domainColor: theme.line,
      tickColor: theme.line,
      labelFlush: true,
      labelOverlap: 'greedy',
      labelSeparation: 8,
    },
    axisQuantitative: { tickCount: 5 },
    legend: {
      labelColor: theme.ink,
      titleColor: theme.muted,
      labelFontSize: 12,
      titleFontSize: 12,
      titleFontWeight: 500,
      orient: 'bottom',
      columns: Math.max(2, Math.floor(width / 150)),
      labelLimit: 180,
      symbolStrokeWidth: 2,
    },
    title: { color: theme.ink, fontSize: 13, anchor: 'start' },
    text: { color: theme.ink, fontSize: 12 },
    point: { size: 60, filled: true, opacity: 1 },
    line: { strokeWidth: 2 },
    rule: { color: theme.muted },
    range: { category: theme.category, symbol: SHAPES, ramp: { scheme: 'viridis' } },
  };
}

/** A specification with its `$name` colours replaced by the theme's; data are left alone. */
export function inTheme(spec: Spec, name: ThemeName): Spec {
  return replaceColours(spec, themes[name]) as Spec;
}

function replaceColours(value: unknown, theme: Theme): unknown {
  if (typeof value === 'string' && value.startsWith('$')) {
    const colour = (theme as unknown as Record<string, unknown>)[value.slice(1)];
    return typeof colour === 'string' ? colour : value;
  }
  if (Array.isArray(value)) return value.map((item) => replaceColours(item, theme));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, key === 'data' ? item : replaceColours(item, theme)]),
  );
}
