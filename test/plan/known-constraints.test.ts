import { describe, expect, it } from 'vitest';
import { knownConstraints } from '../../src/plan/constraints.js';
import { ordinaryInstance } from '../support/instances.js';

describe('constraints of a recent part of a log', () => {
  it('leave out tenants and classes that it does not have', () => {
    const { demand } = ordinaryInstance({ contexts: 10, classes: 2 });
    const constraints = {
      bandwidthShare: 0.5,
      tenantShares: [{ tenant: 'acme', tier: 'dram', share: 0.5 }],
      minQualityOfClass: { 'class-1': 0.9, 'class-7': 0.9 },
    };
    expect(knownConstraints(constraints, demand)).toEqual({
      bandwidthShare: 0.5,
      tenantShares: [],
      minQualityOfClass: { 'class-1': 0.9 },
    });
    expect(knownConstraints(constraints, { ...demand, tenants: ['acme'] }).tenantShares).toHaveLength(1);
  });
});
