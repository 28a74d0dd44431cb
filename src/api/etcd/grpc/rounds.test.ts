import { describe, expect, it } from 'vitest';
import { Rounds } from './rounds.js';

describe('Rounds', () => {
  it('visits everybody once a round, and only its part of them at a step', () => {
    const members = new Set(Array.from({ length: 1_000 }, (_, index) => index));
    const rounds = new Rounds(members, 10);
    const visited: number[] = [];
    for (let step = 0; step < 10; step++) {
      rounds.step((member) => visited.push(member));
      expect(visited.length).toBe((step + 1) * 100);
    }
    expect(new Set(visited).size).toBe(1_000);
    for (let step = 0; step < 11; step++) rounds.step((member) => visited.push(member));
    expect(visited.length).toBe(2_000);
  });

  it('goes on while members come and go, and when there is one or none', () => {
    const members = new Set(['a', 'b', 'c', 'd']);
    const rounds = new Rounds(members, 2);
    const visited: string[] = [];
    const step = (): void =>
      rounds.step((member) => {
        visited.push(member);
        if (member === 'b') members.delete('c');
      });
    step();
    members.add('e');
    step();
    expect(visited).toEqual(['a', 'b', 'd', 'e']);
    members.clear();
    step();
    members.add('f');
    step();
    step();
    expect(visited).toEqual(['a', 'b', 'd', 'e', 'f']);
  });
});
