import { foldWord } from './injection-tokens.ts';

/**
 * The words that rules against injected instructions are made of, by what they do in a sentence, in several languages
 * at once: a rule in terms of these holds for all of them.
 */
const WORDS = {
  IGNORE: `ignore disregard forget neglect disobey discard nevermind unlearn
    ignoriere ignorieren ignoriert vergiss vergiß vergessen vergesst missachte missachten verwirf
    ignorez ignorer oublie oubliez oublier
    ignora ignorar olvida olvide olvidar olvidad desestima
    ignorate ignorare dimentica dimenticate dimenticare trascura
    esqueça esquece esqueçam desconsidere desconsidera
    игнорируй игнорируйте проигнорируй проигнорируйте игнорировать забудь забудьте отбрось
    negeer negeren vergeet zignoruj ignoruj zapomnij pomiń`,
  OVERRIDE: 'override overrule bypass skip drop abandon circumvent replace suspend cancel stop',
  NOT: `not dont never no nicht nichts nie kein keine niemals ne n pas rien jamais non niente mai não nao nada nunca
    не ничего никогда niet nooit nie nikdy cannot wont shouldnt mustnt neither none`,
  FOLLOW: `follow obey heed adhere comply befolge befolgen folge gehorche suivez suis obéis obéissez sigas siga sigue
    obedezcas seguire segui sigam следуй следуйте слушай слушайся выполняй volg wykonuj`,
  PRIOR: `previous prior earlier above preceding former foregoing original initial existing before past old
    vorherigen vorherige vorigen bisherigen bisherige obigen früheren ursprünglichen vorangegangenen
    précédentes précédents précédente antérieures initiales
    anteriores previas previos anterior originales
    precedenti precedente iniziali anteriori
    предыдущие предыдущих предыдущим прежние прошлые
    vorige eerdere bovenstaande voorgaande poprzednie wcześniejsze`,
  AFTER: `above before earlier previously far oben zuvor bisher vorher vorhin stehenden avant dessus auparavant
    précédemment arriba antes precedentemente prima sopra antes acima раньше выше прежде hierboven`,
  RULES: `instructions instruction directions directives directive guidelines guideline rules prompt prompts commands
    orders constraints restrictions policies programming guardrails safeguards rubric criteria systemprompt
    anweisungen anweisung regeln vorgaben instruktionen befehle richtlinien
    consignes règles ordres
    instrucciones reglas órdenes indicaciones directrices
    istruzioni regole ordini direttive indicazioni
    instruções regras ordens orientações diretrizes
    инструкции инструкциям указания указаниям правила правилам команды
    instructies regels opdrachten instrukcje polecenia zasady`,
  ALL: `all any every everything anything whatever alles alle allem sämtliche tout toute toutes tous todo toda todas
    todos tutto tutte tutti tudo всё все всех alle wszystkie wszystko`,
  TOLD: `told said instructed gesagt mitgeteilt dit dites dicho dijeron detto dito dita говорили сказано gezegd
    powiedziano configured learned`,
  YOUR: `your deine deinen deiner tes vos ton tus tue tuoi vostre tuas suas sua su свои твои je jouw swoje`,
  OWNER: `system developer developers operator openai anthropic user vendor provider entwicklers nutzers desarrollador
    usuario utente utilisateur пользователя creator creators`,
  NEW: 'new real actual updated true next revised neue neuen neues nouvelle nouvelles nueva nuevas nuova nuove nova novas новая новые nowe',
  TASK: `task goal objective mission job instructions instruction orders directive directives aufgabe anweisungen tâche
    consignes tarea instrucciones compito istruzioni tarefa instruções задача инструкции zadanie`,
  VOID: `void invalid revoked lifted suspended obsolete superseded cancelled canceled overridden disabled
    removed null`,
  OFF: 'off disabled lifted suspended removed deactivated',
  USER: `user human person operator benutzer nutzer utilisateur usuario usuário utente пользователю пользователь
    gebruiker użytkownikowi`,
  REQUEST: 'request question task query messages message input',
  MODEL: `ai llm llms assistant assistants chatbot agent agents model models gpt chatgpt claude gemini copilot bot ki ia
    assistent ии`,
  TELL: `tell inform mention notify reveal say disclose alert sag sage sagen teile verrate erwähne informiere dis dites
    informe informez digas diga cuentes dire dica conte diga говори сообщай zeg vertel mów`,
  SHOW: 'show display explain report see discuss refer',
  HIDE: 'hide conceal withhold keep',
  SEND: `send post forward upload transmit email leak exfiltrate append collect gather hand sende schicke envoyez envoie envía envia invia envie отправь wyślij stuur`,
  PASS: 'pass put provide include supply append write give insert',
  PRINT: 'print reveal output show dump display expose disclose recite give leak reply',
  SENDING: 'sending posting forwarding uploading transmitting',
  READ: 'read cat open retrieve find load fetch access look search',
  SECRET: `password passwords credentials secrets cookies id_rsa id_ed25519 netrc passwd bash_history apikey
    <secret> passwörter passwort contraseñas contraseña senhas senha пароли пароль wachtwoord hasła aws_secret_access_key`,
  KEYFILE:
    'id_rsa id_ed25519 ssh netrc passwd bash_history env pem aws mcp <secret> credentials passwords secrets',
  CHAT: 'conversation chat messages history inbox clipboard',
  WHOLE: 'full complete entire whole all every',
  MAILS: 'mails emails mail messages customers contacts documents matches customer',
  PARAM: 'parameter param argument arguments field sidenote comment',
  URL: 'http https ftp @',
  MUST: 'must now immediately next required have needs shall',
  CALL: 'call invoke execute run use trigger',
  TOOL: `tool function <name> <danger>`,
  BADTOOL: '<danger>',
  ACT: 'act pretend roleplay simulate respond behave imagine',
  WITHOUT: 'without no any zero ohne sans sin senza sem без zonder',
  LIMITS: `restrictions restriction rules limits limitations filters filter censorship morals ethics guidelines
    boundaries policy norms regeln grenzen limite limites règles restricciones límites restrizioni limiti restrições regole
    ограничений`,
  FREE: 'unrestricted uncensored unfiltered amoral jailbroken unethical',
} as const;

export type WordClass = keyof typeof WORDS;

/** The words, as a text is looked up by, of a class or of a list (`a|b`) of words and classes. */
export function wordsOf(name: string): readonly string[] {
  return name
    .split('|')
    .flatMap((part) => (Object.hasOwn(WORDS, part) ? WORDS[part as WordClass].split(/\s+/) : [part]))
    .map(foldWord);
}

/** Two words that say together what one alone does not: they are given as this one, after the second. */
export const PAIRS: ReadonlyMap<string, string> = new Map(
  [
    ...[
      'api key',
      'api keys',
      'ssh key',
      'ssh keys',
      'private key',
      'private keys',
      'secret key',
      'aws keys',
    ],
    ...[
      'aws key',
      'access token',
      'session token',
      'secret tokens',
      'system prompt',
      'hidden prompt',
      'hidden rules',
    ],
    ...[
      'environment variables',
      'environment variable',
      'chat history',
      'conversation history',
      'credit card',
    ],
    ...['card number', 'card numbers', 'session cookie', 'confidential data', 'confidential documents'],
  ].map((pair) => [pair, '<secret>']),
);
