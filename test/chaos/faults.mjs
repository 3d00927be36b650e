/**
 * Preloaded into the program under test (`node --import`): makes the n-th write-like operation on files end the
 * process as kill -9 does, or fail as a full or read-only disk does. FAULT=<kill|ENOSPC|EROFS>:<n>[:always]
 */
import { openSync, writeSync } from 'node:fs';
import promises from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';

const [kind, number, repeat] = (process.env.FAULT ?? 'none:0').split(':');
const at = Number(number);
let operations = 0;

function strike(what) {
  operations++;
  if (operations < at || (operations > at && repeat !== 'always')) return undefined;
  if (kind === 'kill') process.kill(process.pid, 'SIGKILL');
  if (kind === 'ENOSPC' || kind === 'EROFS')
    return Object.assign(new Error(`${kind}: injected, ${what}`), { code: kind, syscall: what });
  return undefined;
}

for (const name of ['rename', 'unlink', 'mkdir', 'copyFile']) {
  const original = promises[name];
  promises[name] = async (...args) => {
    const fault = strike(name);
    if (fault !== undefined) throw fault;
    return original(...args);
  };
}

const original = promises.open;
promises.open = async (path, flags = 'r', ...rest) => {
  const writes = /[wa+]/.test(String(flags));
  const fault = writes ? strike('open') : undefined;
  if (fault !== undefined) throw fault;
  const handle = await original(path, flags, ...rest);
  return writes ? wrapped(handle) : handle;
};

function wrapped(handle) {
  for (const name of ['write', 'writeFile', 'truncate', 'sync']) {
    const method = handle[name].bind(handle);
    handle[name] = async (...args) => {
      // Half of what was to be written is on the disk when the process ends.
      const willKill = kind === 'kill' && operations + 1 === at && name.startsWith('write');
      if (willKill && typeof args[0] === 'string') writeSync(handle.fd, args[0].slice(0, args[0].length / 2));
      const fault = strike(name);
      if (fault !== undefined) throw fault;
      return method(...args);
    };
  }
  return handle;
}

syncBuiltinESMExports();
process.on('exit', () => {
  if (process.env.FAULT_COUNT !== undefined)
    writeSync(openSync(process.env.FAULT_COUNT, 'w'), String(operations));
});
