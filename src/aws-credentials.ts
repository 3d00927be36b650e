import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { EvicpressError } from './errors.js';

/** What signs a request to an S3-compatible service, and where the service is. */
export interface AwsAccess {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  readonly region: string;
  /** Without it: AWS itself, in the region. */
  readonly endpoint?: string;
}

/** What the AWS tools would find: the service always, keys where there are some. */
export type AwsSettings = Pick<AwsAccess, 'region' | 'endpoint'> & Partial<AwsAccess>;

/**
 * Finds credentials, region and endpoint as the AWS tools do: the environment first, then the profile
 * (AWS_PROFILE, else default) of the credentials and config files. Roles of an instance or a container are not
 * looked up: export their credentials into the environment.
 */
export function awsSettings(
  environment: NodeJS.ProcessEnv = process.env,
  readFile: (path: string) => string = readIfThere,
): AwsSettings {
  const profile = environment.AWS_PROFILE ?? 'default';
  const home = awsFolder(environment);
  const credentials = iniSection(
    readFile(environment.AWS_SHARED_CREDENTIALS_FILE ?? join(home, 'credentials')),
    profile,
  );
  const config = iniSection(
    readFile(environment.AWS_CONFIG_FILE ?? join(home, 'config')),
    profile === 'default' ? 'default' : `profile ${profile}`,
  );
  const stored = { ...config, ...credentials };
  const fromEnvironment = environment.AWS_ACCESS_KEY_ID !== undefined;
  const accessKeyId = environment.AWS_ACCESS_KEY_ID ?? stored.aws_access_key_id;
  const secretAccessKey = fromEnvironment ? environment.AWS_SECRET_ACCESS_KEY : stored.aws_secret_access_key;
  const sessionToken = fromEnvironment ? environment.AWS_SESSION_TOKEN : stored.aws_session_token;
  const endpoint = environment.AWS_ENDPOINT_URL_S3 ?? environment.AWS_ENDPOINT_URL ?? config.endpoint_url;
  return {
    ...(accessKeyId && secretAccessKey ? { accessKeyId, secretAccessKey } : {}),
    ...(sessionToken ? { sessionToken } : {}),
    region: environment.AWS_REGION ?? environment.AWS_DEFAULT_REGION ?? config.region ?? 'us-east-1',
    ...(endpoint ? { endpoint } : {}),
  };
}

/** The same where a request must be signed. @throws EvicpressError where there are no keys. */
export function findAwsAccess(
  environment: NodeJS.ProcessEnv = process.env,
  readFile: (path: string) => string = readIfThere,
): AwsAccess {
  const { accessKeyId, secretAccessKey, ...settings } = awsSettings(environment, readFile);
  if (accessKeyId !== undefined && secretAccessKey !== undefined)
    return { accessKeyId, secretAccessKey, ...settings };
  throw new EvicpressError(
    `No S3 credentials found. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE for a profile of ${join(awsFolder(environment), 'credentials')}.`,
  );
}

function awsFolder(environment: NodeJS.ProcessEnv): string {
  return join(environment.HOME ?? homedir(), '.aws');
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** The `key = value` lines of one section of an INI file. */
function iniSection(text: string, name: string): Record<string, string> {
  const fields: Record<string, string> = {};
  let inside = false;
  for (const line of text.split('\n')) {
    const section = /^\s*\[(.*)\]\s*$/.exec(line);
    if (section !== null) inside = section[1]!.trim() === name;
    const field = /^\s*([a-z_]+)\s*=\s*(.*?)\s*$/.exec(line);
    if (inside && field !== null) fields[field[1]!] = field[2]!;
  }
  return fields;
}
