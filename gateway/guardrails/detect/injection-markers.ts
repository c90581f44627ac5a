import type { InjectionKind } from './injection-rules.ts';

/** A form that a text has where it plays a turn of a conversation, a system message or a call of a tool. */
export interface Marker {
  readonly entity: InjectionKind;
  readonly weight: number;
  /** Global; each match costs time linear in a bounded piece of the text. */
  readonly pattern: RegExp;
  /** The text can only match where it holds one of these. */
  readonly hints: readonly string[];
  readonly check?: (match: string) => boolean;
}

const ROLE = '(?:system|user|assistant|developer|human|model|tool)';
const CLOSED =
  '(?:tool_(?:result|response|output)s?|function_(?:results?|response|output)s?|search_results?|observation|untrusted_\\w{1,20})';

/** Prose between two marks, and not a sentence about them. */
function holdsProse(match: string): boolean {
  return (match.match(/\s[\p{L}']+/gu) ?? []).length >= 4;
}

/** New patterns: each detector has its own, since they remember where they were. */
export function MARKERS(): readonly Marker[] {
  const marker = (
    entity: InjectionKind,
    weight: number,
    hints: readonly string[],
    pattern: RegExp,
    check?: Marker['check'],
  ): Marker => ({ entity, weight, hints, pattern, ...(check !== undefined && { check }) });
  const role = (...rest: [number, readonly string[], RegExp, Marker['check']?]): Marker =>
    marker('role-marker', ...rest);
  return [
    role(5, ['<|'], new RegExp(`<\\|(?:im_start|start_header_id)\\|>\\s{0,3}${ROLE}\\b`, 'gi')),
    role(4, ['<|'], new RegExp(`<\\|${ROLE}\\|>`, 'gi')),
    role(5, ['<start_of_turn>'], /<start_of_turn>\s{0,3}(?:user|model|system)\b/gi),
    role(5, ['[/INST]'], /\[INST\][^[]{8,800}\[\/INST\]/g, holdsProse),
    role(5, ['<</SYS>>'], /<<SYS>>[^<]{8,800}<<\/SYS>>/g, holdsProse),
    role(2, ['</'], new RegExp(`</${CLOSED}>`, 'gi')),
    role(
      5,
      ['</'],
      new RegExp(
        `</(?:${CLOSED}|document|context|data|page|content|input)>[\\s"']{0,12}(?:</\\w{1,20}>[\\s"']{0,8})?(?:<(?:\\|)?${ROLE}\\b|(?:human|user|system(?: \\w{1,12})?)\\s?:)`,
        'gi',
      ),
    ),
    role(
      5,
      ['###'],
      /^[ \t>]{0,4}#{2,4} ?Instructions?:?[ \t]{0,40}\n[^#]{4,600}\n[ \t>]{0,4}#{2,4} ?Response\b/gim,
    ),
    role(
      3,
      ['###'],
      /^[ \t>]{0,4}#{2,4} ?(?:System|Assistant|Developer)(?: message| prompt)?:[ \t]{0,40}$/gim,
    ),
    role(
      2,
      ['###'],
      /^[ \t>]{0,4}#{3,4} ?System[ \t]{0,40}\n(?:You|The (?:assistant|model|AI)) (?:must|are|is|have|has)\b/gim,
    ),
    role(
      3,
      ['uman', 'UMAN', 'ser:', 'SER:'],
      /\n\s{0,4}(?:Human|User)\s?:[ \t][^\n]{2,400}\n{1,3}[ \t]{0,4}(?:Assistant|AI)\s?:/gi,
    ),
    role(2, ['uman'], /\n\s{0,4}Human:[ \t]/g),
    role(
      2,
      ['YSTEM', 'ystem'],
      /\b(?:SYSTEM (?:MESSAGE|PROMPT|NOTICE|OVERRIDE|INSTRUCTIONS?|UPDATE|ALERT|NOTE|COMMAND)|System (?:override|message|note|instruction|requirement)\s?:)/g,
    ),
    role(
      2,
      ['YSTEM', 'ystem'],
      /(?:^|["“\n]|(?:\\n))[ \t]{0,4}(?:SYSTEM|System)\s?:[ \t]?(?=[A-Z]|you\b)|---\s?SYSTEM\s?---/g,
    ),
    role(2, ['[S', '[s', '***'], /(?:\[|\*\*\*\s?)SYSTEM (?:MESSAGE|OVERRIDE|NOTICE|PROMPT|NOTE|ADMIN)/gi),
    role(4, ['<system-reminder', '<system_'], /<system[-_](?:reminder|message|prompt|note)s?>/gi),
    role(3, ['<system>', '<SYSTEM>', '<System>'], /<system>[ \t\n]{0,4}[^<{}]{12,400}/gi, holdsProse),
    role(2, ['role'], /"role"\s{0,3}:\s{0,3}"(?:system|developer)"\s{0,3},\s{0,3}"content"/g),
    role(2, ['<user', '<human', '<assistant'], /<(?:user|human|assistant)>[^<{}]{12,400}/gi, holdsProse),
    marker(
      'tool-steering',
      4,
      ['<function_calls', '<tool_call', '<invoke'],
      /<function_calls>|<invoke name=|<tool_call>\s{0,3}\{/gi,
    ),
    marker('role-marker', 2, ['<'], /<(?:IMPORTANT|CRITICAL|INSTRUCTIONS?|ADMIN|SECRET|HIDDEN|PRIORITY)>/gi),
    marker('secrecy', 4, ['<'], /<(?:hidden|secret)[_-]?instructions?>/gi),
    marker('secrecy', 2, ['<'], /<(?:SECRET|HIDDEN)(?:[_-]\w{1,20})?>/gi),
    marker('addressed', 1, ['display', 'isibility'], /display\s?:\s?none|visibility\s?:\s?hidden/gi),
    marker(
      'addressed',
      2,
      ['AI', 'LLM', 'gent', 'ssistant', 'laude', 'ChatGPT'],
      /(?:^|[\n"“(>[#.]|\\n)[ \t]{0,4}(?:(?:AI|LLM|Agent|Claude|ChatGPT)s?(?: (?:assistant|agent|reviewer|model)s?)?\s?[:,]|Assistants?,) /g,
    ),
    marker(
      'exfiltration',
      3,
      ['!['],
      /!\[[^\]\n]{0,80}\]\(https?:\/\/[^)\s]{1,300}?=(?:[A-Z_]{4,40}\b|\{[^}\n$]{1,80}|\[[^\]\n]{1,60}|<[^>\n]{1,60}|\.\.\.)/g,
    ),
    marker(
      'exfiltration',
      2,
      ['://'],
      /https?:\/\/[^\s)"'<>]{1,300}?[?&](?:[a-z_]{1,20})=(?=[\s"')]|\.\.\.|[<[{])/g,
    ),
    marker(
      'exfiltration',
      4,
      ['curl', 'wget'],
      /\b(?:curl|wget)\b[^\n|]{0,120}(?:-d|--data(?:-binary)?|-F|-T|--post-file)[ =][^\n]{0,12}(?:~\/\.|\$\((?:env|cat)|@-|@~)/g,
    ),
    marker(
      'tool-steering',
      1,
      ['curl', 'wget', 'rm -'],
      /\b(?:curl|wget)\b[^\n|]{0,200}\|\s?(?:sudo )?(?:ba|z)?sh\b|\brm -rf? ?[~/]/g,
    ),
  ];
}

/** Scripts without spaces between words: what says in them that instructions are to be ignored, and the like. */
export function UNSPACED_MARKERS(): readonly Marker[] {
  const all = (entity: InjectionKind, weight: number, source: string): Marker => ({
    entity,
    weight,
    hints: [],
    pattern: new RegExp(source, 'gu'),
  });
  return [
    all(
      'override',
      4,
      '(?:忽略|无视|無視|忘记|忘掉|忘記|不要理会|不要遵守|不要遵循|抛弃)[^。!\\n]{0,12}(?:指令|指示|规则|規則|提示|设定|設定|命令|限制)',
    ),
    all('override', 3, '(?:从现在开始|從現在開始|从现在起)[^。\\n]{0,10}(?:你|必须|只)'),
    all(
      'override',
      4,
      '(?:指示|命令|ルール|規則|指令|プロンプト|設定|制約)[^。\\n]{0,8}(?:無視して|無視し|忘れて|忘れろ|従わない)',
    ),
    all('override', 4, '(?:이전|위의|앞의|모든)[^.\\n]{0,12}(?:지시|명령|규칙|지침)[^.\\n]{0,6}(?:무시|잊)'),
    all(
      'jailbreak',
      3,
      '(?:没有|沒有|无)[^。\\n]{0,4}限制[^。\\n]{0,6}(?:AI|人工智能|助手|模型)|制限のない[^。\\n]{0,6}AI',
    ),
    all(
      'exfiltration',
      2,
      '(?:输出|显示|告诉我|透露|発表|表示|出力)[^。\\n]{0,12}(?:系统提示|初始提示|密码|密钥|システムプロンプト|キー)',
    ),
    all('exfiltration', 2, '(?:システムプロンプト|秘密|パスワード)[^。\\n]{0,8}(?:表示|出力|送信)'),
    all(
      'secrecy',
      4,
      '(?:不要|别|勿)[^。\\n]{0,4}(?:告诉|告知|让)[^。\\n]{0,4}用户|ユーザー(?:に|には)[^。\\n]{0,10}(?:言わない|知らせない|伝えない)',
    ),
  ];
}
