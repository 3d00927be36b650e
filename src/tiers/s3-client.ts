import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { AwsV4Signer } from 'aws4fetch';
import type { AwsAccess } from '../aws-credentials.js';
import { EvicpressError, printable } from '../errors.js';

/** `s3://bucket/prefix`, the prefix without slashes at its ends. */
export interface S3Location {
  readonly bucket: string;
  readonly prefix: string;
}

/** A service that sends nothing for this long is taken for dead. */
const SILENCE_MILLISECONDS = 30_000;

/** @throws EvicpressError on another form. */
export function parseS3Url(text: string): S3Location {
  const match = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/(.*))?$/.exec(text);
  if (match === null) {
    throw new EvicpressError(`"${printable(text)}" is not an S3 location. Write it like s3://bucket/prefix.`);
  }
  return { bucket: match[1]!, prefix: (match[2] ?? '').replace(/^\/+|\/+$/g, '') };
}

/**
 * Signed requests over Node's own agent with connections kept alive. Path-style addresses (`/bucket/key`) at a
 * given endpoint, which every compatible service understands; AWS itself by the bucket's host name.
 */
export class S3Client {
  private readonly agent: HttpAgent;
  private readonly base: URL;
  readonly endpoint: string;

  constructor(
    private readonly access: AwsAccess,
    private readonly bucket: string,
    connections: number,
  ) {
    const aws = `https://${bucket}.s3.${access.region}.amazonaws.com/`;
    const given = access.endpoint?.replace(/\/*$/, '');
    if (given !== undefined && !URL.canParse(given)) {
      throw new EvicpressError(
        `The S3 endpoint "${printable(given)}" is not a URL. Set AWS_ENDPOINT_URL like http://127.0.0.1:9000.`,
      );
    }
    this.base = new URL(given === undefined ? aws : `${given}/${bucket}/`);
    this.endpoint = given ?? new URL(aws).origin;
    const options = { keepAlive: true, maxSockets: connections };
    this.agent = this.base.protocol === 'https:' ? new HttpsAgent(options) : new HttpAgent(options);
  }

  async put(key: string, body: Buffer): Promise<void> {
    await this.send('PUT', this.urlOf(key), { 'content-length': String(body.length) }, body, drain);
  }

  /** Reads a range of an object to its end and counts it. @returns bytes received. */
  getRange(key: string, from: number, bytes: number): Promise<number> {
    const range = { range: `bytes=${from}-${from + bytes - 1}` };
    return this.send('GET', this.urlOf(key), range, undefined, drain);
  }

  async delete(key: string): Promise<void> {
    await this.send('DELETE', this.urlOf(key), {}, undefined, drain);
  }

  /** Keys below a prefix, a thousand at most. */
  async list(prefix: string): Promise<string[]> {
    const url = new URL(this.base);
    url.search = new URLSearchParams({ 'list-type': '2', prefix, 'max-keys': '1000' }).toString();
    const text = await this.send('GET', url, {}, undefined, readAll);
    return [...text.matchAll(/<Key>(.*?)<\/Key>/g)].map((match) => unescapeXml(match[1]!));
  }

  close(): void {
    this.agent.destroy();
  }

  private urlOf(key: string): URL {
    return new URL(key.split('/').map(encodeURIComponent).join('/'), this.base);
  }

  private async send<T>(
    method: string,
    url: URL,
    headers: Record<string, string>,
    body: Buffer | undefined,
    read: (response: IncomingMessage) => Promise<T>,
  ): Promise<T> {
    const signer = new AwsV4Signer({
      method,
      url: url.href,
      headers: { ...headers, 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' },
      service: 's3',
      region: this.access.region,
      accessKeyId: this.access.accessKeyId,
      secretAccessKey: this.access.secretAccessKey,
      ...(this.access.sessionToken === undefined ? {} : { sessionToken: this.access.sessionToken }),
    });
    const signed = await signer.sign();
    const response = await this.exchange(method, signed.url, Object.fromEntries(signed.headers), body);
    const status = response.statusCode ?? 0;
    if (status >= 200 && status < 300)
      return read(response).catch((error) => Promise.reject(this.lost(error)));
    throw this.refusal(status, await readAll(response).catch(() => ''));
  }

  private exchange(
    method: string,
    url: URL,
    headers: Record<string, string>,
    body: Buffer | undefined,
  ): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const open = url.protocol === 'https:' ? httpsRequest : httpRequest;
      const request = open(url, { method, headers, agent: this.agent }, resolve);
      request.setTimeout(SILENCE_MILLISECONDS, () => request.destroy(new Error('no answer')));
      request.on('error', (error) => reject(this.lost(error)));
      request.end(body);
    });
  }

  private lost(error: NodeJS.ErrnoException): EvicpressError {
    return new EvicpressError(
      `The S3 service at ${this.endpoint} cannot be reached (${printable(error.code ?? error.message)}). Is it running, and is AWS_ENDPOINT_URL right?`,
    );
  }

  private refusal(status: number, text: string): EvicpressError {
    const code = /<Code>(.*?)<\/Code>/.exec(text)?.[1] ?? `status ${status}`;
    const where = `S3 bucket ${this.bucket} at ${this.endpoint}`;
    const remedy = REMEDIES[code] ?? (status === 403 ? REMEDIES.AccessDenied : undefined);
    if (remedy !== undefined) return new EvicpressError(`${where}: ${remedy}`);
    const said = /<Message>(.*?)<\/Message>/s.exec(text)?.[1];
    return new EvicpressError(
      `${where}: the service refused (${printable(code)}${said === undefined ? '' : `: ${printable(said)}`}).`,
    );
  }
}

const REMEDIES: Readonly<Record<string, string>> = {
  NoSuchBucket: 'there is no such bucket. Make it first, or name another.',
  AccessDenied:
    'access denied. Allow GetObject, PutObject, DeleteObject and ListBucket to these credentials.',
  InvalidAccessKeyId: 'the access key is unknown. Check AWS_ACCESS_KEY_ID or AWS_PROFILE.',
  SignatureDoesNotMatch: 'the secret key does not match. Check AWS_SECRET_ACCESS_KEY and AWS_REGION.',
  ExpiredToken: 'the session token has expired. Get new credentials.',
  PermanentRedirect: 'the bucket is in another region. Set AWS_REGION.',
  SlowDown: 'the service asks to slow down. Measure with fewer --streams.',
  QuotaExceeded: 'the quota is used up. Free some room, or set a smaller --scratch.',
  XMinioStorageFull: 'the service has no room left. Free some, or set a smaller --scratch.',
};

async function drain(response: IncomingMessage): Promise<number> {
  let bytes = 0;
  for await (const chunk of response) bytes += (chunk as Buffer).length;
  return bytes;
}

async function readAll(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

function unescapeXml(text: string): string {
  return text
    .replace(/&lt;/g, '<')
    .replace(/&gt;/g, '>')
    .replace(/&quot;/g, '"')
    .replace(/&#39;|&apos;/g, "'")
    .replace(/&amp;/g, '&');
}
