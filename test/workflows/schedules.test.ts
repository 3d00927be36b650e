import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { alertRules } from '../../src/workflows/refresh/alerts.js';
import { dashboard } from '../../src/workflows/refresh/dashboard.js';
import { exposition, METRICS, metricsPage } from '../../src/workflows/refresh/metrics.js';
import { cron } from '../../src/workflows/refresh/schedules/cron.js';
import { kubernetes } from '../../src/workflows/refresh/schedules/kubernetes.js';
import { serviceUnit, timerUnit } from '../../src/workflows/refresh/schedules/systemd.js';
import { scratchFolder } from './refreshing.js';

const has = (program: string) => spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;

/** `evicpress` as a shell script that writes down how it was called. */
function fakeProgram(folder: string): string {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, 'evicpress');
  writeFileSync(path, '#!/bin/sh\necho "$PWD $*"\n', { mode: 0o755 });
  return path;
}

describe('--print-cron', () => {
  it.each(['plain', "o'clock 100% $HOME"])(
    'starts refresh in its folder, whatever it is called: %s',
    (name) => {
      const folder = join(scratchFolder(), name);
      const program = fakeProgram(folder);
      const line = cron
        .text({ folder, program })
        .split('\n')
        .find((text) => text.startsWith('*/5'))!;
      expect(line).toMatch(/^\*\/5 \* \* \* \* /);
      // cron cuts the command at the first bare %, and takes \% for %.
      const command = line
        .replace(/^(\S+ ){5}/, '')
        .split(/(?<!\\)%/)[0]!
        .replace(/\\%/g, '%');
      execFileSync('/bin/sh', ['-c', command], { cwd: '/' });
      const said = execFileSync('cat', [join(folder, 'refresh.log')], { encoding: 'utf8' });
      expect(said).toBe(`${folder} refresh --quiet --log-format json\n`);
    },
  );
});

describe('--print-systemd', () => {
  it.skipIf(!has('systemd-analyze'))('is accepted by systemd-analyze verify', () => {
    const folder = scratchFolder();
    const program = fakeProgram(join(folder, 'with "space" & 100%'));
    const state = join(folder, 'with "space" & 100%');
    writeFileSync(join(folder, 'evicpress-refresh.service'), serviceUnit({ folder: state, program }));
    writeFileSync(join(folder, 'evicpress-refresh.timer'), timerUnit());
    for (const unit of ['evicpress-refresh.service', 'evicpress-refresh.timer']) {
      const { stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', join(folder, unit)], {
        encoding: 'utf8',
      });
      const about = stderr.split('\n').filter((line) => line.includes('evicpress-refresh'));
      expect(about).toEqual([]);
    }
  });

  it.skipIf(!has('systemd-analyze'))('would be told of a unit that is wrong', () => {
    const folder = scratchFolder();
    const path = join(folder, 'evicpress-refresh.service');
    writeFileSync(path, serviceUnit({ folder, program: '/bin/true' }).replace('oneshot', 'sometimes'));
    const { stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', path], { encoding: 'utf8' });
    expect(stderr).toContain('evicpress-refresh.service');
  });
});

/** The parts of the API's types that we write, closed: a misspelt field is found. */
const quantity = z.string().regex(/^\d+(m|[KMGT]i?)?$/);
const metadata = z.strictObject({
  name: z.string().regex(/^[a-z0-9-]{1,63}$/),
  labels: z.record(z.string(), z.string()),
});
const claim = z.strictObject({
  apiVersion: z.literal('v1'),
  kind: z.literal('PersistentVolumeClaim'),
  metadata,
  spec: z.strictObject({
    accessModes: z.array(z.enum(['ReadWriteOnce', 'ReadWriteMany', 'ReadOnlyMany', 'ReadWriteOncePod'])),
    resources: z.strictObject({ requests: z.strictObject({ storage: quantity }) }),
  }),
});
const configMap = z.strictObject({
  apiVersion: z.literal('v1'),
  kind: z.literal('ConfigMap'),
  metadata,
  data: z.record(z.string(), z.string()),
});
const container = z.strictObject({
  name: z.string(),
  image: z.string(),
  workingDir: z.string(),
  command: z.array(z.string()),
  resources: z.strictObject({
    requests: z.record(z.string(), quantity),
    limits: z.record(z.string(), quantity),
  }),
  securityContext: z.strictObject({
    allowPrivilegeEscalation: z.literal(false),
    readOnlyRootFilesystem: z.literal(true),
    capabilities: z.strictObject({ drop: z.array(z.string()) }),
  }),
  env: z.array(z.strictObject({ name: z.string(), value: z.string() })),
  volumeMounts: z.array(
    z.strictObject({
      name: z.string(),
      mountPath: z.string().startsWith('/'),
      subPath: z.string().optional(),
      readOnly: z.boolean().optional(),
    }),
  ),
});
const volume = z.strictObject({
  name: z.string(),
  persistentVolumeClaim: z
    .strictObject({ claimName: z.string(), readOnly: z.boolean().optional() })
    .optional(),
  configMap: z.strictObject({ name: z.string() }).optional(),
  emptyDir: z.strictObject({}).optional(),
});
const cronJob = z.strictObject({
  apiVersion: z.literal('batch/v1'),
  kind: z.literal('CronJob'),
  metadata,
  spec: z.strictObject({
    schedule: z.string().regex(/^(\S+ ){4}\S+$/),
    concurrencyPolicy: z.enum(['Allow', 'Forbid', 'Replace']),
    startingDeadlineSeconds: z.int(),
    successfulJobsHistoryLimit: z.int(),
    failedJobsHistoryLimit: z.int(),
    jobTemplate: z.strictObject({
      spec: z.strictObject({
        backoffLimit: z.int(),
        activeDeadlineSeconds: z.int(),
        template: z.strictObject({
          metadata: z.strictObject({ labels: z.record(z.string(), z.string()) }),
          spec: z.strictObject({
            restartPolicy: z.enum(['Never', 'OnFailure']),
            automountServiceAccountToken: z.boolean(),
            securityContext: z.strictObject({
              runAsNonRoot: z.boolean(),
              runAsUser: z.int(),
              fsGroup: z.int(),
              seccompProfile: z.strictObject({ type: z.string() }),
            }),
            containers: z.array(container),
            volumes: z.array(volume),
          }),
        }),
      }),
    }),
  }),
});

describe('--print-k8s', () => {
  it('is a claim, a ConfigMap and a CronJob of the API, whose names fit together', () => {
    const documents = parseAllDocuments(kubernetes.text({ folder: '/', program: 'evicpress' }));
    const [claimObject, mapObject, jobObject] = documents.map((document) => document.toJS());
    claim.parse(claimObject);
    const map = configMap.parse(mapObject);
    const pod = cronJob.parse(jobObject).spec.jobTemplate.spec.template.spec;
    const volumes = pod.volumes.map(({ name }) => name).sort();
    expect(pod.containers[0]!.volumeMounts.map(({ name }) => name).sort()).toEqual(volumes);
    expect(parse(map.data['evicpress.yaml']!)).toMatchObject({ model: 'llama-3.1-8b' });
  });

  it.skipIf(!has('kubernetes-validate'))('is accepted by kubernetes-validate, strictly', () => {
    const path = join(scratchFolder(), 'refresh.yaml');
    writeFileSync(path, kubernetes.text({ folder: '/', program: 'evicpress' }));
    const outcome = spawnSync('kubernetes-validate', ['--strict', path], { encoding: 'utf8' });
    expect(outcome.status, outcome.stderr).toBe(0);
  });
});

it('docs/metrics.md names every metric, as they are', async () => {
  await expect(metricsPage()).toMatchFileSnapshot('../../docs/metrics.md');
});

describe('alert rules and dashboard', () => {
  const known = new Set(Object.values(METRICS).map(({ name }) => name));
  const named = (expr: string) => expr.match(/evicpress_\w+/g) ?? [];

  it('use only metrics that refresh writes', () => {
    const rules = parse(alertRules()).groups[0].rules as { expr: string }[];
    const panels = JSON.parse(dashboard()).panels as { targets: { expr: string }[] }[];
    const expressions = [
      ...rules.map(({ expr }) => expr),
      ...panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)),
    ];
    expect(expressions.length).toBeGreaterThan(10);
    for (const expr of expressions) {
      expect(named(expr).length, expr).toBeGreaterThan(0);
      for (const name of named(expr)) expect(known).toContain(name);
    }
  });

  it.skipIf(!has('promtool'))('are accepted by promtool', () => {
    const folder = scratchFolder();
    const path = join(folder, 'alerts.yml');
    writeFileSync(path, alertRules());
    expect(spawnSync('promtool', ['check', 'rules', path], { encoding: 'utf8' })).toMatchObject({
      status: 0,
    });
    const metrics = exposition(
      Object.values(METRICS).map((family) => ({ family, value: 1, labels: { tier: 'a"\\\n' } })),
    );
    expect(spawnSync('promtool', ['check', 'metrics'], { input: metrics, encoding: 'utf8' })).toMatchObject({
      status: 0,
    });
  });

  it('writes labels so that no name can break out of them', () => {
    const text = exposition([
      { family: METRICS.used, value: 1, labels: { tier: 'a"} 1\nevil{x="\u001b[31m\\' } },
    ]);
    expect(text.split('\n').filter((line) => !line.startsWith('#') && line !== '')).toEqual([
      'evicpress_plan_used_bytes{tier="a\\"} 1\\nevil{x=\\"?[31m\\\\"} 1',
    ]);
  });
});
