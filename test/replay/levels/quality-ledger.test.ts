import { describe, expect, it } from 'vitest';
import { QualityLedger } from '../../../src/replay/levels/quality-ledger.js';

describe('the account of a mean quality', () => {
  it('allows what is asked for as long as that is held', () => {
    const ledger = new QualityLedger(0.98, 0);
    for (let request = 0; request < 100; request++) ledger.note(request, 0.98);
    expect(ledger.lossAllowed()).toBeCloseTo(0.02);
  });

  it('lets scored requests be made up for in full, those of the history only as they fade', () => {
    const scored = new QualityLedger(0.98, 0);
    const history = new QualityLedger(0.98, 400);
    for (let request = 0; request < 400; request++) {
      scored.note(request, 0.97);
      history.note(request, 0.97);
    }
    expect(scored.lossAllowed()).toBeCloseTo(0.016);
    for (let request = 400; request < 20_000; request++) {
      scored.note(request, 0.98);
      history.note(request, 0.98);
    }
    expect(scored.lossAllowed()).toBeCloseTo(0.016);
    expect(history.lossAllowed()).toBeCloseTo(0.02);
  });

  it('knows whether requests are scored', () => {
    const ledger = new QualityLedger(0.98, 1);
    ledger.note(0, 0.97);
    expect(ledger.scoring).toBe(false);
    ledger.note(1, 1);
    expect(ledger.scoring).toBe(true);
  });

  it('never allows nothing, nor more than twice what is asked for', () => {
    const poor = new QualityLedger(0.98, 0);
    const good = new QualityLedger(0.98, 0);
    for (let request = 0; request < 10_000; request++) {
      poor.note(request, 0.5);
      good.note(request, 1);
    }
    expect(poor.lossAllowed()).toBeCloseTo(0.005);
    expect(good.lossAllowed()).toBeCloseTo(0.04);
  });

  it('has room while requests lose less of late than they may', () => {
    const ledger = new QualityLedger(0.98, 400);
    for (let request = 0; request < 400; request++) ledger.note(request, 0.99);
    expect(ledger.hasRoom()).toBe(true);
    expect(ledger.hasRoom(0.3)).toBe(false);
    for (let request = 400; request < 1000; request++) ledger.note(request, 0.96);
    expect(ledger.hasRoom()).toBe(false);
  });

  it('aims at a share of the loss where it is told so', () => {
    expect(new QualityLedger(0.98, 0).lossAllowed(0.5)).toBeCloseTo(0.01);
  });
});
