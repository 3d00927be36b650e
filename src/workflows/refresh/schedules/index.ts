import { cron } from './cron.js';
import { kubernetes } from './kubernetes.js';
import type { Schedule } from './schedule.js';
import { systemd } from './systemd.js';

/** Every way of running refresh again and again that `--print-<name>` writes down. */
export const schedules: readonly Schedule[] = [cron, systemd, kubernetes];
