// A module of its own, so that the parser is loaded where there is something to read.
export { parseDocument } from 'yaml';
