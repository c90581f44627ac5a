import type { Pattern } from './pattern.ts';
import type { UnsafeCategory } from '../../contract/unsafe.ts';

/** The gaps between the words of a phrase: a line may break there. `hints`: in small letters, one of them is in it. */
const phrase = (entity: UnsafeCategory, hints: string, source: string): Pattern => ({
  entity,
  hints: hints.split(' '),
  pattern: new RegExp(`(?<![\\w])(?:${source.replaceAll(' ', '[\\s-]{1,3}')})(?![\\w])`, 'gi'),
});

const WHOM =
  '(?:you|him|her|them all|everyone|everybody|you all|all of (?:you|them)|your family|those people)';
const WILL =
  "(?:i|we)(?:'ll| will|'m going to|'m gonna| am going to| are going to|'re going to| wanna| want to| swear i'll)";
const HOW = '(?:how (?:to|do i|do you|can i|could i|would i|would one)|instructions (?:to|for)|ways? to)';
const SOMEONE =
  '(?:a person|someone|somebody|people|a human|a child(?! (?:process|thread|window|node|element|component|workflow))|my (?:wife|husband|boss|neighbou?r|girlfriend|boyfriend|parents|mother|father|teacher|classmates?)|him|her|them)';
/** What follows a verb that is then no threat. */
const HARMLESS_END =
  '(?! (?:a|an|the|your|some) (?:e-?mail|message|note|line|text|call)| (?:(?:off|down|later|over) )?(?:with kindness|at (?:chess|poker|tennis|golf)))';

/**
 * Phrases that say it in so many words: threats and instructions for violence, plans and methods of harming oneself,
 * what is asked for or offered of sexual content. Conservative: news, history and medicine have the same words.
 */
export function UNSAFE_PHRASES(): readonly Pattern[] {
  return [
    phrase(
      'violence',
      'kill murder stab strangle behead slaughter beat shoot',
      `${WILL} (?:kill|murder|stab|strangle|behead|slaughter|beat up|shoot) ${WHOM}${HARMLESS_END}`,
    ),
    phrase(
      'violence',
      'bomb molotov explosive nerve sarin ricin',
      `${HOW} (?:mak(?:e|ing)|build(?:ing)?|construct(?:ing)?|assembl(?:e|ing)) (?:an? )?(?:pipe bomb|nail bomb|car bomb|dirty bomb|bomb|molotov cocktail|explosive (?:device|vest)|explosives|nerve (?:gas|agent)|sarin|ricin)`,
    ),
    phrase(
      'violence',
      'kill murder poison strangl stab',
      `${HOW} (?:kill(?:ing)?|murder(?:ing)?|poison(?:ing)?|strangl(?:e|ing)|stab(?:bing)?) ${SOMEONE}`,
    ),
    phrase(
      'violence',
      'shoot',
      'shoot(?:ing)? up (?:the|a|my|your|this|that) (?:school|mosque|church|synagogue|office|mall|place)',
    ),
    phrase(
      'violence',
      'lynched raped gassed beheaded strung',
      '(?:deserves?|ought|needs?|should|going) (?:to )?be (?:lynched|raped|gassed|beheaded|strung up)',
    ),
    phrase('violence', 'rape', "(?:i'll|i will|i'm going to|gonna) rape (?:you|him|her|them)"),
    phrase(
      'violence',
      'snuff gore torture beheading',
      '(?:snuff (?:film|video|movie)s?|gore (?:videos?|pics)|torture porn|beheading videos?)',
    ),
    phrase(
      'violence',
      'live find',
      `(?:i|we) (?:know where you live|will find you) and (?:i|we|you) (?:will|'ll|are going to) (?:kill|hurt|pay|regret|die|suffer)`,
    ),
    phrase(
      'self-harm',
      'myself yourself',
      `(?:kill|hang|shoot|drown|starv(?:e|ing)|kill(?:ing)|hanging) (?:myself|yourself)(?! (?:laughing|for (?:forgetting|missing)|if))`,
    ),
    phrase(
      'self-harm',
      'hurt harm cut injure',
      '(?:want(?:ed)?|going|need|urge|planning|tempted|ways?|how) to (?:hurt|harm|cut|injure) (?:myself|my (?:arms?|wrists?|legs?|thighs?))(?! (?:some slack|off|out|shaving|a (?:slice|piece)))',
    ),
    phrase('self-harm', 'own', '(?:end(?:ing)?|tak(?:e|ing)) my own life'),
    phrase(
      'self-harm',
      'end',
      '(?:want|wanted|going|decided|ready|planning) to end (?:my life|it all)(?! (?:insurance|assurance))',
    ),
    phrase(
      'self-harm',
      'die dead live wake',
      "i (?:just |really |only |don't |do not )?(?:want|wanna|wanted|wish) (?:to )?(?:die|be dead|live any(?: )?more|not wake up)",
    ),
    phrase(
      'self-harm',
      'alive live wake',
      "(?:don't|do not) want to (?:be alive|live any(?: )?more|wake up any(?: )?more)",
    ),
    phrase(
      'self-harm',
      'suicide kill overdose slit',
      `(?:${HOW}|(?:painless|easiest|best|quickest|fastest) ways? to) (?:commit suicide|die by suicide|kill (?:my|your|one)self|overdose on|slit (?:my|your) wrists)`,
    ),
    phrase(
      'self-harm',
      'suicide slit ana',
      '(?:commit suicide (?:tonight|tomorrow|today|together)|suicide (?:methods?|pact)|my suicide note|slit(?:ting)? my wrists|pro ana)',
    ),
    phrase(
      'sexual',
      'nude naked',
      '(?:(?:send(?:ing)?|sent) (?:(?:me|you|him|her|them) )?nudes?|nude (?:pics?|photos? of (?:you|her|him)|selfies?)|naked (?:pics?|selfies?|photos? of (?:you|her|him)))',
    ),
    phrase(
      'sexual',
      'sex job bang plug jerk penetrat pics pic',
      '(?:(?:anal|oral|hardcore|explicit|rough) sex(?! (?:education|offen[cd]er|trafficking))|sex (?:tape|chat|cam|slave|toys?)s?|blow jobs?|hand jobs?|gang bangs?|butt plugs?|jerk(?:ing|ed)? off|double penetrat\\w{2,5}|dick pics?)',
    ),
    phrase(
      'sexual',
      'cock dick pussy tits boobs titties horny',
      "(?:suck(?:ing)?|rid(?:e|ing)|strok(?:e|ing)) (?:my|his|your|the) (?:cock|dick)|(?:big|hard|huge) (?:cock|dick)s?|wet pussy|(?:big|huge|nice) (?:tits|boobs|titties)|so horny|(?:i'm|im|i am|are you|feeling) horny",
    ),
    phrase(
      'profanity',
      'ass dick prick piss bitch',
      '(?:kick(?:ed|s|ing)?|my|your|fat|dumb|lazy|smart|bad|sorry) ass|such a dick|a total prick|piss off|son of a bitch',
    ),
    phrase(
      'slurs',
      'chink kike spic coon dyke gyps jew arab negro',
      '(?:dirty|filthy|stupid|damn|fucking) (?:chinks?|kikes?|spics?|coons?|dykes?|gypsies|jews|arabs|negro(?:es|s)?)',
    ),
    phrase('profanity', '* #', 'f[*#]{1,2}c?k\\w{0,5}|sh[*#]{1,2}t\\w{0,5}|c[*#]nts?'),
    phrase('slurs', 'ching', 'ching chong'),
    phrase('slurs', 'chinks', 'chinks(?! (?:in|of|between))'),
  ];
}
