#!/usr/bin/env node
import module from 'node:module';

module.enableCompileCache?.(); // from Node 22 on: what was compiled once is not compiled again
const { main } = await import('../dist/cli.js');

await main(process.argv);
