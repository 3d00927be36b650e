import { basename, join } from 'node:path';
import type { Command } from 'commander';
import writeFileAtomic from 'write-file-atomic';
import { EvicpressError, printable } from '../errors.js';
import { RESULTS_FOLDER } from '../formats/bundled.js';
import { readConfig } from '../formats/config.js';
import { systemFault, writeWhole } from '../formats/files.js';
import { makeFolder } from '../make-folder.js';
import { answerOf } from '../report/answer.js';
import { chartImages, imagePath, pngOf } from '../report/chart-images.js';
import { type EvidencePaths, gatherEvidence } from '../report/evidence.js';
import { drawFigures, htmlPage } from '../report/html-page.js';
import { provenanceOf } from '../report/provenance.js';
import { openTerminal, type TerminalFlags } from '../report/terminal.js';
import type { ThemeName } from '../report/theme.js';
import { formatBytes } from '../units.js';

interface ReportFlags extends EvidencePaths, TerminalFlags {
  readonly title?: string;
  readonly output?: string;
  readonly svg?: string;
  readonly png?: string;
  readonly theme: string;
}

/** `evicpress report`: one self-contained HTML page from whatever results exist. */
export default function report(command: Command): void {
  command
    .option('--plan <file>', 'the plan (default: .evicpress/plan.ndjson)')
    .option('--replay <file>', 'the result of a replay (default: .evicpress/replay.json)')
    .option('--size <file>', 'the result of capacity planning (default: .evicpress/size.json)')
    .option('--tiers <file|name>', "tier profile (default: the plan's, else .evicpress/tiers.json)")
    .option(
      '--methods <file|name|none>',
      "method profile (default: the plan's, else .evicpress/methods.ndjson)",
    )
    .option('--model <name|file>', "the served model (default: the plan's)")
    .option('--title <text>', 'heading of the page')
    .option('--svg <dir>', 'also write every chart as SVG into this folder')
    .option('--png <dir>', 'also write every chart as PNG (needs the package @resvg/resvg-js)')
    .option('--theme <name>', 'light or dark, for --svg and --png; the page follows its reader', 'light')
    .option('-o, --output <file>', 'where the page goes (default: .evicpress/report.html)')
    .addHelpText('after', EXAMPLES)
    .action(async (_, action: Command) => run(action.optsWithGlobals<ReportFlags>()));
}

const EXAMPLES = `
Examples:
  evicpress report
  evicpress report -o capacity.html --title "KV cache, node 7"
  evicpress report --svg slides`;

async function run(flags: ReportFlags): Promise<void> {
  const terminal = openTerminal(flags);
  if (flags.theme !== 'light' && flags.theme !== 'dark')
    throw new EvicpressError(`--theme: "${printable(flags.theme)}" is unknown. Pick one of: light, dark.`);
  terminal.progress({ stage: 'reading results', done: 0, total: 0 });
  const evidence = await gatherEvidence(flags, await readConfig('.'));
  for (const warning of evidence.warnings) terminal.warn(warning);
  const title = flags.title ?? `KV cache placement: ${basename(process.cwd())}`;
  const html = await htmlPage(evidence, title, new Date());
  const output = flags.output ?? join(RESULTS_FOLDER, 'report.html');
  await writeWhole(output, html);
  const figures = drawFigures(evidence);
  const images = await writeImages(flags, flags.theme, figures, (name, done, total) =>
    terminal.progress({ stage: name, done, total }),
  );
  const answer = answerOf(evidence);
  terminal.finish();
  if (output !== '-') {
    terminal.conclude(answer.sentences.join(' '));
    terminal.say(
      `\nReport written to ${output} (${formatBytes(Buffer.byteLength(html))}${images.length === 0 ? '' : `, ${images.length} pictures`}). Open it in a browser; it needs no network.`,
    );
  }
  terminal.result({
    output,
    bytes: Buffer.byteLength(html),
    answer: answer.sentences,
    figures: figures.map((figure) => figure.id),
    images,
    provenance: provenanceOf(evidence),
  });
}

async function writeImages(
  flags: ReportFlags,
  theme: ThemeName,
  figures: ReturnType<typeof drawFigures>,
  onImage: (name: string, done: number, total: number) => void,
): Promise<string[]> {
  if (flags.svg === undefined && flags.png === undefined) return [];
  const written: string[] = [];
  const images = await chartImages(figures, theme);
  for (const [done, { name, svg }] of images.entries()) {
    onImage(name, done, images.length);
    if (flags.svg !== undefined) {
      const path = imagePath(flags.svg, name, 'svg');
      await writeWhole(path, svg);
      written.push(path);
    }
    if (flags.png !== undefined) {
      const path = imagePath(flags.png, name, 'png');
      const png = await pngOf(svg);
      try {
        await makeFolder(flags.png);
        await writeFileAtomic(path, png);
      } catch (error) {
        throw systemFault(error, path);
      }
      written.push(path);
    }
  }
  return written;
}
