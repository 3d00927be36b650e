import { stringify } from 'yaml';
import type { Schedule } from './schedule.js';

const NAME = 'evicpress-refresh';
const LABELS = { 'app.kubernetes.io/name': 'evicpress', 'app.kubernetes.io/component': 'refresh' };

/** A CronJob with its configuration and the volume that state and plans live on. */
export const kubernetes: Schedule = {
  name: 'k8s',
  summary: 'a CronJob, a ConfigMap and a volume claim for Kubernetes',
  text: () =>
    `# kubectl apply -f -
# Set the image, the storage class and the claim that holds the engine's request log. The serving pods mount the
# claim ${NAME} read-only; the adapter runs beside the engine as a sidecar and is given
# --plan /var/lib/evicpress/.evicpress/state/in-force.ndjson.
${kubernetesObjects()
  .map((object) => stringify(object, { lineWidth: 0 }))
  .join('---\n')}`,
};

/** The objects, for whoever checks them against the API. */
export function kubernetesObjects(): readonly Record<string, unknown>[] {
  return [claim(), configMap(), cronJob()];
}

function claim() {
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name: NAME, labels: LABELS },
    spec: { accessModes: ['ReadWriteMany'], resources: { requests: { storage: '10Gi' } } },
  };
}

function configMap() {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: NAME, labels: LABELS },
    data: {
      'evicpress.yaml': stringify({
        trace: '/var/log/engine/requests.jsonl',
        tiers: 'h100-host',
        model: 'llama-3.1-8b',
        capacity: { dram: '80GB' },
        refresh: { probeEvery: 'never' },
      }),
    },
  };
}

function cronJob() {
  return {
    apiVersion: 'batch/v1',
    kind: 'CronJob',
    metadata: { name: NAME, labels: LABELS },
    spec: {
      schedule: '*/5 * * * *',
      concurrencyPolicy: 'Forbid',
      startingDeadlineSeconds: 120,
      successfulJobsHistoryLimit: 1,
      failedJobsHistoryLimit: 3,
      jobTemplate: {
        spec: {
          backoffLimit: 0,
          activeDeadlineSeconds: 1800,
          template: { metadata: { labels: LABELS }, spec: podSpec() },
        },
      },
    },
  };
}

function podSpec() {
  return {
    restartPolicy: 'Never',
    automountServiceAccountToken: false,
    securityContext: {
      runAsNonRoot: true,
      runAsUser: 10001,
      fsGroup: 10001,
      seccompProfile: { type: 'RuntimeDefault' },
    },
    containers: [
      {
        name: 'refresh',
        image: 'node:22-slim',
        workingDir: '/var/lib/evicpress',
        command: ['npx', '--yes', 'evicpress', 'refresh', '--log-format', 'json'],
        resources: { requests: { cpu: '250m', memory: '512Mi' }, limits: { memory: '4Gi' } },
        securityContext: {
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        },
        env: [{ name: 'HOME', value: '/tmp' }],
        volumeMounts: [
          { name: 'state', mountPath: '/var/lib/evicpress' },
          {
            name: 'config',
            mountPath: '/var/lib/evicpress/evicpress.yaml',
            subPath: 'evicpress.yaml',
            readOnly: true,
          },
          { name: 'log', mountPath: '/var/log/engine', readOnly: true },
          { name: 'tmp', mountPath: '/tmp' },
        ],
      },
    ],
    volumes: [
      { name: 'state', persistentVolumeClaim: { claimName: NAME } },
      { name: 'config', configMap: { name: NAME } },
      { name: 'log', persistentVolumeClaim: { claimName: 'engine-log', readOnly: true } },
      { name: 'tmp', emptyDir: {} },
    ],
  };
}
