import { englishDataset, SyntaxKind, type Node, type ParsedPattern } from 'obscenity';
import type { UnsafeCategory } from '../../contract/unsafe.ts';

/**
 * The library's phrases by what they are unsafe by. Not among them are those that are also a clinical word (`anus`,
 * `semen`), a name or a place (`dick`, `dyke`), an everyday word (`cock`, `prick`, `hooker`) or another language's
 * (`negro`).
 */
const PHRASES: Readonly<Record<string, UnsafeCategory>> = {
  ...of('profanity', 'bastard bollocks cunt turd twat'),
  ...of(
    'sexual',
    'blowjob deepthroat dildo doggystyle fellatio fisting gangbang handjob hentai incest lubejob',
  ),
  ...of('sexual', 'masturbate slut whore'),
  ...of('slurs', 'abeed africoon arabush chingchong'),
  'finger bang': 'sexual',
};

/** In place of phrases of the library that find too much (`|fk`) or that its doubled letters keep from being found. */
const OWN: Readonly<Partial<Record<UnsafeCategory, string>>> = {
  profanity: [
    'fuck|^phuck|^f[cv]ck|^fuk(?:ing?|ers?|ed)?$|^[sg]tfo$|^shit|(?:bull?|dip|horse|ape|chicken|bat|dog)shits?$',
    'bitch|^assholes?$|^arses?$|^arseholes?$|^(?:dumb|jack|lard)ass(?:es)?$|^ass(?:hat|wipe|clown)s?$',
    '^wank(?:ers?|ing|ed|s|y)?$|^piss(?:ed|ing|es|er|y)?$|^dick(?:head|wad)s?$|^cocksuck|^cuck(?:s|old|olds)?$',
  ].join('|'),
  sexual: [
    'porn|^boobs$|^org(?:y|ies)$|^orgasm|^ejaculat|^cumshots?$|^cum(?:ing|ed)$|^tit(?:s|ies)$|^jerkof',
    '^shemales?$|^milfs?$|^sexting$|^creampies?$|^butplugs?$|^jiz(?:ed|ing|m)?$|^felching$|^bestiality$',
  ].join('|'),
  slurs: [
    'nigger|^nigg(?:a|as|az)$|^faggot|^faggy$|^retard(?:ed|s)$|^tran(?:y|ies)$|^spastics$|^gooks?$|^wetbacks?$',
    '^towelheads?$|^ragheads?$|^pakis?$|^beaners?$|^spics$|^kikes?$',
  ].join('|'),
  violence: '^rapists?$|^raping$|^raped$',
  'self-harm': '^kys$|^thinspo',
};

/** Words that hold one of those without meaning it: a plant, a bird, a town, a mushroom. */
const HARMLESS =
  /snigger|turdus|turdid|turducken|twattle|pornic|shii?take|shitt?im|slutsk|slutzk|^bitche$|scunthorpe|bastardo$|bastardi[sz]/g;

/** One pattern for each category, over words as `normaliser` writes them. */
export function wordPatterns(
  categories: ReadonlySet<UnsafeCategory>,
): readonly (readonly [UnsafeCategory, RegExp])[] {
  const { blacklistedTerms } = englishDataset.build();
  const sources = new Map<UnsafeCategory, string[]>();
  const add = (category: UnsafeCategory, source: string): void => {
    if (categories.has(category)) sources.set(category, [...(sources.get(category) ?? []), source]);
  };
  for (const { id, pattern } of blacklistedTerms) {
    const { phraseMetadata } = englishDataset.getPayloadWithPhraseMetadata({
      ...{ termId: id, matchLength: 0, startIndex: 0, endIndex: 0 },
    });
    const category = PHRASES[phraseMetadata?.originalWord ?? ''];
    if (category !== undefined) add(category, sourceOf(pattern));
  }
  for (const [category, source] of Object.entries(OWN)) add(category as UnsafeCategory, source);
  return [...sources].map(([category, all]) => [category, new RegExp(all.join('|'))] as const);
}

/** The word without the harmless ones in it. */
export function withoutHarmless(word: string): string {
  return word.replace(HARMLESS, '-');
}

function of(category: UnsafeCategory, words: string): Record<string, UnsafeCategory> {
  return Object.fromEntries(words.split(' ').map((word) => [word, category]));
}

/** A pattern of the library over one whole word, where a boundary is an end. */
function sourceOf({ nodes, requireWordBoundaryAtStart, requireWordBoundaryAtEnd }: ParsedPattern): string {
  const ends = [requireWordBoundaryAtStart ? '^' : '', requireWordBoundaryAtEnd ? '$' : ''] as const;
  return `${ends[0]}${nodes.map(nodeSource).join('')}${ends[1]}`;
}

function nodeSource(node: Node): string {
  switch (node.kind) {
    case SyntaxKind.Optional:
      return `(?:${nodeSource(node.childNode)})?`;
    case SyntaxKind.Wildcard:
      return '.';
    case SyntaxKind.Literal:
      return String.fromCodePoint(...node.chars).replace(/[[\]{}()*+?.\\^$|]/g, '\\$&');
  }
}
