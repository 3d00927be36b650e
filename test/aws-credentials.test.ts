import { describe, expect, it } from 'vitest';
import { awsSettings, findAwsAccess } from '../src/aws-credentials.js';

const READ_NOTHING = () => '';

describe('findAwsAccess', () => {
  it('prefers the environment', () => {
    const environment = {
      AWS_ACCESS_KEY_ID: 'id',
      AWS_SECRET_ACCESS_KEY: 'key',
      AWS_SESSION_TOKEN: 'token',
      AWS_REGION: 'eu-central-1',
      AWS_ENDPOINT_URL_S3: 'http://minio:9000',
      AWS_ENDPOINT_URL: 'http://other',
    };
    expect(findAwsAccess(environment, READ_NOTHING)).toEqual({
      accessKeyId: 'id',
      secretAccessKey: 'key',
      sessionToken: 'token',
      region: 'eu-central-1',
      endpoint: 'http://minio:9000',
    });
  });

  it('reads the named profile of both files', () => {
    const files: Record<string, string> = {
      '/home/u/.aws/credentials':
        '[default]\naws_access_key_id=no\n[team]\naws_access_key_id = id\naws_secret_access_key = a=b\n',
      '/home/u/.aws/config': '[profile team]\nregion = eu-west-1\nendpoint_url = http://store:9000\n',
    };
    const environment = { HOME: '/home/u', AWS_PROFILE: 'team' };
    expect(findAwsAccess(environment, (path) => files[path] ?? '')).toEqual({
      accessKeyId: 'id',
      secretAccessKey: 'a=b',
      region: 'eu-west-1',
      endpoint: 'http://store:9000',
    });
  });

  it('is not asked of what needs none, as a public bucket', () => {
    expect(awsSettings({ HOME: '/home/u', AWS_ACCESS_KEY_ID: 'alone' }, READ_NOTHING)).toEqual({
      region: 'us-east-1',
    });
  });

  it('says what to set where there are none', () => {
    expect(() => findAwsAccess({ HOME: '/home/u' }, READ_NOTHING)).toThrow(/Set AWS_ACCESS_KEY_ID/);
  });
});
