export type { Demand } from '../formats/demand.js';
