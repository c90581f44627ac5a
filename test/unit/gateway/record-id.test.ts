import { describe, expect, it } from 'vitest';
import { newRecordId } from '../../../gateway/telemetry/record-id.ts';

describe('the id of a record', () => {
  it('is a UUID of version 7 that says when it was made', () => {
    const id = newRecordId(Date.UTC(2026, 10, 30, 6, 0, 0, 123));
    expect(id).toMatch(/^[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/);
    expect(parseInt(id.replaceAll('-', '').slice(0, 12), 16)).toBe(Date.UTC(2026, 10, 30, 6, 0, 0, 123));
  });

  it('follows the one of a millisecond before, and is never the same twice', () => {
    const times = [0, 1, 255, 256, 1_764_482_400_000, 1_764_482_400_001];
    const ids = times.map(newRecordId);
    expect(ids.toSorted()).toEqual(ids);
    expect(new Set(Array.from({ length: 1_000 }, () => newRecordId(1))).size).toBe(1_000);
  });
});
