import type { Placement, Plan, PlanHeader } from '../formats/plan.js';
import type { Trace } from '../traces/trace.js';

/** Gives an id its keyed name. */
export type Rename = (id: string) => string;

/**
 * A plan that can leave the house: contexts, parents, tenants and classes under keyed names, and no engine keys,
 * which anybody who has a text could recognise. Engines cannot follow it; everything else in it is as it was.
 */
export function keyedPlan(
  plan: Plan,
  rename: Rename,
): { header: PlanHeader; rows: () => Iterable<Placement> } {
  const { header } = plan;
  return {
    header: {
      ...header,
      inputs: header.inputs.map(({ sha256 }) => ({ path: 'keyed', sha256 })),
      rules: {
        ...header.rules,
        ...(header.rules.classes === undefined
          ? {}
          : {
              classes: header.rules.classes.map((rule) => ({
                ...rule,
                ...(rule.class === undefined ? {} : { class: rename(rule.class) }),
                ...(rule.tenant === undefined ? {} : { tenant: rename(rule.tenant) }),
              })),
            }),
      },
    },
    *rows() {
      for (const { keys: _, ...row } of plan.rows)
        yield {
          ...row,
          context: rename(row.context),
          ...(row.parent === undefined ? {} : { parent: rename(row.parent) }),
        };
    },
  };
}

/** A log in our native form with keyed block ids and labels: times, lengths and shared prefixes stay. */
export function* keyedLog(trace: Trace, rename: Rename): Generator<string> {
  const labels = { class: trace.classes, session: trace.sessions, tenant: trace.tenants } as const;
  const columns = { class: trace.classOf, session: trace.sessionOf, tenant: trace.tenantOf } as const;
  const names = new Map<number, string>();
  const nameOf = (block: number) => {
    const known = names.get(block) ?? rename(trace.blockIds[block]!);
    names.set(block, known);
    return known;
  };
  for (let r = 0; r < trace.requests; r++) {
    const blocks = trace.blocks.subarray(trace.blockOffsets[r]!, trace.blockOffsets[r + 1]!);
    const line: Record<string, unknown> = {
      timestamp: Math.round(1000 * trace.timestampSeconds[r]!),
      input_length: trace.inputTokens[r]!,
      output_length: trace.outputTokens[r]!,
      hash_ids: Array.from(blocks, nameOf),
    };
    for (const name of ['class', 'session', 'tenant'] as const) {
      const index = columns[name][r]!;
      if (index >= 0) line[name] = rename(labels[name][index]!);
    }
    yield `${JSON.stringify(line)}\n`;
  }
}
