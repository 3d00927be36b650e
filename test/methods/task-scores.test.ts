import { describe, expect, it } from 'vitest';
import { taskScores } from '../../src/methods/task-scores.js';

describe('task scores', () => {
  it.each([
    ['The Eiffel Tower.', 'eiffel tower', 1, 1],
    ['In 1889, in Paris', 'Paris', 0, 0.4],
    ['no idea', 'Paris', 0, 0],
    ['', '', 1, 1],
    ['paris paris', 'Paris', 0, 2 / 3],
  ])('of %j, where %j is right', (answer, right, exactMatch, f1) => {
    expect(taskScores(answer, right).exactMatch).toBe(exactMatch);
    expect(taskScores(answer, right).f1).toBeCloseTo(f1, 12);
  });

  it('take the best of several right answers', () => {
    expect(taskScores('14 March', ['March 14th, 2024', '14 March'])).toEqual({ exactMatch: 1, f1: 1 });
  });
});
