import type { Schedule } from './schedule.js';

/** A service and its timer, in one text with a line per file that says where it goes. */
export const systemd: Schedule = {
  name: 'systemd',
  summary: 'a service and a timer for systemd',
  text: (place) => `# /etc/systemd/system/evicpress-refresh.service
${serviceUnit(place)}
# /etc/systemd/system/evicpress-refresh.timer
${timerUnit()}`,
};

/** The service: one turn, in a sandbox that may write to its folder only. */
export function serviceUnit({ folder, program }: { folder: string; program: string }): string {
  return `[Unit]
Description=evicpress: one turn of re-planning
Documentation=man:evicpress
After=local-fs.target

[Service]
Type=oneshot
WorkingDirectory=${unitPath(folder)}
ExecStart=${execPath(process.execPath)} ${execPath(program)} refresh --quiet --log-format json
TimeoutStartSec=30min
Nice=10
IOSchedulingClass=idle
UMask=0077
# Add the folder of each tier that is probed (ReadWritePaths=/mnt/nvme/kv), and drop PrivateNetwork for redis and s3.
ReadWritePaths=${listedPath(folder)}
ProtectSystem=strict
ProtectHome=read-only
PrivateTmp=true
PrivateDevices=true
PrivateNetwork=true
NoNewPrivileges=true
ProtectKernelTunables=true
ProtectKernelModules=true
ProtectKernelLogs=true
ProtectControlGroups=true
ProtectClock=true
ProtectHostname=true
RestrictNamespaces=true
RestrictRealtime=true
RestrictSUIDSGID=true
LockPersonality=true
CapabilityBoundingSet=
SystemCallArchitectures=native
SystemCallFilter=@system-service
`;
}

/** The timer: every five minutes, and once after a boot that missed one. */
export function timerUnit(): string {
  return `[Unit]
Description=evicpress: re-plan every five minutes

[Timer]
OnCalendar=*:0/5
RandomizedDelaySec=30
Persistent=true

[Install]
WantedBy=timers.target
`;
}

/** A path as unit files take it: `%` begins a specifier. */
function unitPath(path: string): string {
  return path.replace(/%/g, '%%');
}

/** A path in a list of paths, where a blank begins the next one. */
function listedPath(path: string): string {
  const safe = unitPath(path).replace(/\\/g, '\\\\').replace(/"/g, '\\"');
  return /[\s"';]/.test(path) ? `"${safe}"` : safe;
}

/** A word of ExecStart, where `$` means something, too. */
function execPath(path: string): string {
  return listedPath(path).replace(/\$/g, '$$$$');
}
