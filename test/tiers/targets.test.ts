import { describe, expect, it } from 'vitest';
import { besideKinds, tierKinds } from '../../src/tiers/index.js';
import { parseTargets } from '../../src/tiers/targets.js';

describe('parseTargets', () => {
  it('reads name, kind and location', () => {
    expect(parseTargets(['dram=dram', 'ssd=file:/mnt/nvme'])).toEqual([
      { name: 'dram', kind: 'dram' },
      { name: 'ssd', kind: 'file', location: '/mnt/nvme' },
    ]);
  });

  it.each([
    ['ssd', /not NAME=KIND/],
    ['ssd=', /not NAME=KIND/],
    ['=dram', /cannot be the name of a tier/],
    ['recompute=dram', /option to keep nothing/],
    ['a b=dram', /cannot be the name of a tier/],
    ['ssd=fil:/mnt', /Unknown tier kind "fil"\. Did you mean file\?/],
  ])('refuses %s', (text, message) => {
    expect(() => parseTargets([text])).toThrow(message);
  });

  it('refuses a name given twice', () => {
    expect(() => parseTargets(['a=dram', 'a=file:/tmp'])).toThrow(/tier "a" is named twice/);
  });
});

describe('every tier kind', () => {
  it.each([...tierKinds, ...besideKinds].map((kind) => [kind.name, kind] as const))(
    '%s can be found and says what it is',
    async (name, kind) => {
      expect(name).toMatch(/^[a-z][a-z0-9-]*$/);
      expect(kind.summary.length).toBeGreaterThan(5);
      for (const { target, note } of await kind.detect('.')) {
        expect(target.kind).toBe(name);
        expect(
          parseTargets([
            `${target.name}=${target.kind}${target.location === undefined ? '' : `:${target.location}`}`,
          ]),
        ).toHaveLength(1);
        expect(note).not.toBe('');
      }
    },
  );
});
