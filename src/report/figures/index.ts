import type { FigureKind } from '../figure.js';
import { capacityCurve } from './capacity-curve.js';
import { contextCurves } from './context-curves.js';
import { hitShare } from './hit-share.js';
import { hitsByCapacity } from './hits-by-capacity.js';
import { load } from './load.js';
import { overTime } from './over-time.js';
import { policyPlane } from './policy-plane.js';
import { prices } from './prices.js';
import { qualityCurves } from './quality-curves.js';
import { storedWhere } from './stored-where.js';
import { tierFits } from './tier-fits.js';
import { ttftByPolicy } from './ttft-by-policy.js';
import { ttftDistribution } from './ttft-distribution.js';

/** Every figure, in the order of the page. */
export const figureKinds: readonly FigureKind[] = [
  policyPlane,
  ttftByPolicy,
  ttftDistribution,
  load,
  hitShare,
  hitsByCapacity,
  overTime,
  capacityCurve,
  storedWhere,
  prices,
  qualityCurves,
  contextCurves,
  tierFits,
];
