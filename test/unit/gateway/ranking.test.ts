import { describe, expect, it } from 'vitest';
import { rank, termsOf, type RankedDocument } from '../../../gateway/registry/ranking.ts';

const doc = (item: string, name: string, description = ''): RankedDocument<string> => ({
  item,
  terms: [
    termsOf([
      [name, 5],
      [description, 1],
    ]),
  ],
});

const order = (documents: readonly RankedDocument<string>[], query: string): string[] =>
  rank(documents, query).map(({ item }) => item);

const PULLS = [
  doc('list', 'listPullRequests', 'Lists the open pull requests of a repository'),
  doc('comment', 'add_comment', 'Comments on a pull request or an issue'),
  doc('issue', 'create-issue', 'Creates an issue'),
  doc('wiki', 'HTTPWikiSearch', 'Pages'),
];

describe('ranking', () => {
  it('puts the name before the description, and leaves out what does not fit', () => {
    expect(order(PULLS, 'pull request')).toEqual(['list', 'comment']);
    expect(order(PULLS, 'issue')).toEqual(['issue', 'comment']);
    expect(order(PULLS, 'payment')).toEqual([]);
  });

  it('prefers what has more of the words', () => {
    expect(order(PULLS, 'comment on an issue')).toEqual(['comment', 'issue']);
  });

  it('lets a rare word count for more than a common one', () => {
    const common = ['a', 'b', 'c', 'd', 'e'].map((item) => doc(item, `send ${item}mail`));
    expect(order([...common, doc('fax', 'send fax')], 'send fax')[0]).toBe('fax');
    expect(order([...common, doc('other', 'receive fax')], 'send fax')[0]).toBe('other');
  });

  it.each([
    ['listPullRequests', 'list'],
    ['list_pull_requests', 'list'],
    ['listpullrequests', 'list'],
    ['LIST', 'list'],
    ['wiki', 'wiki'],
    ['http', 'wiki'],
    ['comments', 'comment'],
    ['commenting', 'comment'],
    ['repositories', 'list'],
    ['repo', 'list'],
  ])('finds a name however it is written: %s', (query, item) => {
    expect(order(PULLS, query)[0]).toBe(item);
  });

  it('prefers a whole word to the beginning of one', () => {
    const documents = [doc('long', 'logging'), doc('whole', 'log')];
    expect(order(documents, 'log')).toEqual(['whole', 'long']);
  });

  it('does without case, accents and the alphabet', () => {
    const documents = [doc('cafe', 'Café suchen'), doc('jp', '天気予報'), doc('gr', 'Καιρός')];
    expect(order(documents, 'CAFE')).toEqual(['cafe']);
    expect(order(documents, '天気')).toEqual(['jp']);
    expect(order(documents, 'καιρος')).toEqual(['gr']);
  });

  it('lets filler words count only when there are no others', () => {
    expect(order([doc('on', 'on'), doc('light', 'light')], 'the light on')).toEqual(['light']);
    expect(order([doc('on', 'on'), doc('light', 'light')], 'on')).toEqual(['on']);
  });

  it('keeps the order of equals, and answers the same twice', () => {
    const twins = ['b', 'a', 'c'].map((item) => doc(item, 'same'));
    expect(order(twins, 'same')).toEqual(['b', 'a', 'c']);
    expect(rank(PULLS, 'pull issue')).toEqual(rank(PULLS, 'pull issue'));
  });

  it.each(['', ' ', '---', '💥', '__proto__ constructor'])('finds nothing for %j', (query) => {
    expect(order(PULLS, query)).toEqual([]);
  });

  it('reads long texts and long queries to their limits', () => {
    const long = doc('long', 'x', `${'word '.repeat(100_000)} needle`);
    expect(order([long], 'needle')).toEqual([]);
    expect(order(PULLS, `${'zz'.repeat(10)} `.repeat(10_000))).toEqual([]);
  });
});
