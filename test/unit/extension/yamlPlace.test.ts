import { expect, it } from 'vitest';
import { placeAt, type YamlPlace } from '../../../extension/yamlPlace.ts';

/** The place of the `|` in a text. */
function at(text: string): YamlPlace {
  const before = text.slice(0, text.indexOf('|')).split('\n');
  return placeAt(text.replace('|', ''), before.length - 1, before.at(-1)?.length ?? 0);
}

it.each<[string, YamlPlace]>([
  ['|', { path: [], key: undefined }],
  ['version: 1\nli|', { path: [], key: undefined }],
  ['listen:\n  |', { path: ['listen'], key: undefined }],
  ['listen:\n  tls: |', { path: ['listen'], key: 'tls' }],
  ['groups:\n  - |', { path: ['groups', 0], key: undefined }],
  ['groups:\n  - name: g\n    |', { path: ['groups', 0], key: undefined }],
  ['groups:\n- name: g\n  pins: |', { path: ['groups', 0], key: 'pins' }],
  [
    'groups:\n  - name: g\n    servers:\n      - name: s\n        # a comment\n\n        auth:\n          type: |',
    { path: ['groups', 0, 'servers', 0, 'auth'], key: 'type' },
  ],
  ['groups:\n  - name: g\n    servers:\n      - url: x\n  - |', { path: ['groups', 0], key: undefined }],
  ['groups:\n  - name: g\nmodels:\n  |', { path: ['models'], key: undefined }],
  ['"listen":\n  ho|', { path: ['listen'], key: undefined }],
])('%j', (text, place) => {
  expect(at(text)).toEqual(place);
});
