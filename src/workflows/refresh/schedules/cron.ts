import type { Schedule } from './schedule.js';

/** A line for crontab. A turn that still runs when the next one starts ends that one with exit code 4. */
export const cron: Schedule = {
  name: 'cron',
  summary: 'a line for crontab',
  text: ({ folder, program }) =>
    `# evicpress refresh every 5 minutes. Install with: evicpress refresh --print-cron | crontab -
# (that replaces your crontab: add the line by hand where you have one already)
SHELL=/bin/sh
PATH=${pathOf(program)}
*/5 * * * * cd ${quoted(folder)} && ${quoted(program)} refresh --quiet --log-format json >> refresh.log 2>&1
`,
};

/** cron knows next to no PATH, and node may be elsewhere. */
function pathOf(program: string): string {
  const folders = [process.execPath, program].map((path) => path.slice(0, path.lastIndexOf('/')) || '/');
  return [...new Set([...folders, '/usr/local/bin', '/usr/bin', '/bin'])].join(':');
}

/** For sh; `%` is a newline to cron unless escaped. */
function quoted(text: string): string {
  const plain = /^[A-Za-z0-9_./@:+-]+$/.test(text) ? text : `'${text.replace(/'/g, `'\\''`)}'`;
  return plain.replace(/%/g, '\\%');
}
