import { describe, expect, it } from 'vitest';
import { bundledModels, bundledNames, loadModel, profilePath } from '../../src/formats/bundled.js';
import { readTiers } from '../../src/formats/tiers.js';

describe('bundled models', () => {
  it('are all valid, with names of their own', async () => {
    const models = await bundledModels();
    expect(models.length).toBeGreaterThan(26);
    expect(new Set(models.map((model) => model.name)).size).toBe(models.length);
    expect(models.find((model) => model.name === 'smollm2-135m')?.kvBytesPerToken).toBe(23_040);
  });

  it('weigh what layers, heads and dimensions give', async () => {
    for (const model of await bundledModels()) {
      const { attention, layers, kvHeads, headDim } = model as Record<string, unknown>;
      if (attention !== 'gqa' && attention !== 'mha') continue;
      expect(model.kvBytesPerToken, model.name).toBe(
        2 * Number(layers) * Number(kvHeads) * Number(headDim) * 2,
      );
    }
  });

  it('halve with fp8 and divide among ranks', async () => {
    const model = await loadModel('llama-3.1-70b@fp8@tp8');
    expect(model).toMatchObject({ kvBytesPerToken: 163_840, kvBytesPerTokenPerRank: 20_480, kvDtype: 'fp8' });
  });

  it('repeat heads where there are more ranks than heads', async () => {
    const model = await loadModel('llama-3.1-70b@tp16');
    expect(model).toMatchObject({ kvBytesPerToken: 2 * 327_680, kvBytesPerTokenPerRank: 40_960 });
  });

  it('count every head once under their bare name, whatever degree they are served at', async () => {
    expect(await loadModel('qwen3-235b-a22b')).toMatchObject({
      kvBytesPerToken: 192_512,
      kvBytesPerTokenPerRank: 48_128,
    });
    expect(await loadModel('qwen3-235b-a22b@tp8')).toMatchObject({ kvBytesPerToken: 2 * 192_512 });
  });

  it('store the latent cache of MLA once, whole on every rank', async () => {
    expect(await loadModel('deepseek-v3@tp8')).toMatchObject({
      kvBytesPerToken: 70_272,
      kvBytesPerTokenPerRank: 70_272,
    });
  });

  it('take the prefill of the machine and degree, or say that it is assumed', async () => {
    const [base, h200, tp8] = await Promise.all(
      ['llama-3.1-70b', 'llama-3.1-70b@h200', 'llama-3.1-70b@tp8'].map(loadModel),
    );
    expect(h200!.prefill).toMatchObject({ machine: 'h200' });
    expect(h200!.source).toBe('reference');
    expect(tp8!.prefill.secondsPerToken).toBeCloseTo(base!.prefill.secondsPerToken / 2, 12);
    expect(tp8!.source).toBe('assumed');
  });

  it('suggest the nearest variant', async () => {
    await expect(loadModel('llama-3.1-8b@pf8')).rejects.toThrow(/Did you mean fp8\?/);
  });
});

describe('bundled machines', () => {
  it('are all valid tier profiles, fast to slow, with a source for every figure', async () => {
    for (const name of bundledNames('tiers')) {
      const { tiers } = await readTiers(profilePath('tiers', name));
      const rates = tiers.map((tier) => tier.read.bytesPerSecond);
      expect(rates, name).toEqual([...rates].sort((a, b) => b - a));
      for (const tier of tiers) {
        expect(tier.source).toBe('reference');
        expect((tier.read as { source?: string }).source?.length, `${name} ${tier.name}`).toBeGreaterThan(5);
      }
    }
  });
});
