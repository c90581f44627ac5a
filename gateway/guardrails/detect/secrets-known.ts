import type { Pattern } from './pattern.ts';

const token = (entity: string, hints: readonly string[], source: string): Pattern => ({
  entity,
  hints,
  pattern: new RegExp(`(?<![A-Za-z0-9_])(?:${source})(?![A-Za-z0-9_-])`, 'g'),
});
const part = (entity: string, hints: readonly string[], source: string): Pattern => ({
  entity,
  hints,
  pattern: new RegExp(source, 'dg'),
  group: 1,
});

/** Tokens whose form says what they are. */
export function TOKENS(): readonly Pattern[] {
  return [
    token('toolgate-token', ['tg_pat_', 'tg_vat_'], 'tg_[pv]at_[A-Za-z0-9_-]{40,60}'),
    token('aws-access-key', ['AKIA', 'ASIA', 'ABIA', 'ACCA'], '(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}'),
    token('google-api-key', ['AIza'], 'AIza[A-Za-z0-9_-]{35}'),
    token('google-oauth-token', ['ya29.'], 'ya29\\.[A-Za-z0-9_-]{20,500}'),
    token('google-oauth-secret', ['GOCSPX-'], 'GOCSPX-[A-Za-z0-9_-]{28}'),
    part(
      'azure-storage-key',
      ['AccountKey=', 'SharedAccessKey='],
      '(?:AccountKey|SharedAccessKey)=([A-Za-z0-9+/]{40,100}={0,2})',
    ),
    part('azure-sas-signature', ['sig='], '[?&]sig=([A-Za-z0-9%+/]{30,120}(?:%3[Dd]|=){0,2})'),
    token('azure-client-secret', ['8Q~'], '[A-Za-z0-9_~.]{3}8Q~[A-Za-z0-9_~.-]{31,34}'),
    token('github-token', ['ghp_', 'gho_', 'ghu_', 'ghs_', 'ghr_'], 'gh[pousr]_[A-Za-z0-9]{36,255}'),
    token('github-token', ['github_pat_'], 'github_pat_[A-Za-z0-9_]{50,255}'),
    token(
      'gitlab-token',
      ['glpat-', 'glptt-', 'gldt-', 'glrt-', 'glcbt-', 'glsoat-'],
      'gl(?:pat|ptt|dt|rt|cbt|soat)-[A-Za-z0-9_.-]{20,300}',
    ),
    token('slack-token', ['xox', 'xapp-'], '(?:xox[abeoprs]|xapp)-[A-Za-z0-9-]{10,250}'),
    part(
      'slack-webhook',
      ['hooks.slack.com/'],
      'hooks\\.slack\\.com/(?:services|workflows|triggers)/([A-Za-z0-9/_-]{20,120})',
    ),
    part(
      'discord-webhook',
      ['/api/webhooks/'],
      'discord(?:app)?\\.com/api/webhooks/(\\d{17,20}/[A-Za-z0-9_-]{60,80})',
    ),
    token(
      'stripe-key',
      ['k_live_', 'k_test_', 'whsec_'],
      '(?:[sr]k_(?:live|test)_[A-Za-z0-9]{16,250}|whsec_[A-Za-z0-9+/]{24,100})',
    ),
    token('anthropic-key', ['sk-ant-'], 'sk-ant-[A-Za-z0-9_-]{20,250}'),
    token(
      'openai-key',
      ['sk-'],
      'sk-(?:(?:proj|svcacct|admin|None)-[A-Za-z0-9_-]{20,250}|[A-Za-z0-9]{32,64})',
    ),
    token('openrouter-key', ['sk-or-'], 'sk-or-v1-[a-f0-9]{40,80}'),
    token('huggingface-token', ['hf_'], 'hf_[A-Za-z0-9]{30,60}'),
    token('groq-key', ['gsk_'], 'gsk_[A-Za-z0-9]{40,80}'),
    token('npm-token', ['npm_'], 'npm_[A-Za-z0-9]{36}'),
    token('pypi-token', ['pypi-'], 'pypi-[A-Za-z0-9_-]{50,400}'),
    token('sendgrid-key', ['SG.'], 'SG\\.[A-Za-z0-9_-]{16,32}\\.[A-Za-z0-9_-]{30,64}'),
    token('mailgun-key', ['key-'], 'key-[a-f0-9]{32}'),
    token('twilio-key', ['SK', 'AC'], '(?:SK|AC)[a-f0-9]{32}'),
    token('telegram-bot-token', [':A'], '\\d{8,10}:A[A-Za-z0-9_-]{34}'),
    token('digitalocean-token', ['_v1_'], 'do[opr]_v1_[a-f0-9]{64}'),
    token('shopify-token', ['shp'], 'shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}'),
    token('databricks-token', ['dapi'], 'dapi[a-f0-9]{32}(?:-\\d)?'),
    token('linear-key', ['lin_api_'], 'lin_api_[A-Za-z0-9]{40}'),
    token('notion-token', ['ntn_', 'secret_'], '(?:ntn_|secret_)[A-Za-z0-9]{40,50}'),
    token('atlassian-token', ['ATATT3'], 'ATATT3[A-Za-z0-9_=-]{100,250}'),
    token('vault-token', ['hvs.', 'hvb.'], 'hv[sb]\\.[A-Za-z0-9_-]{24,200}'),
    token('doppler-token', ['dp.'], 'dp\\.(?:pt|st|ct|sa)\\.[A-Za-z0-9._-]{36,80}'),
    token('age-secret-key', ['AGE-SECRET-KEY-1'], 'AGE-SECRET-KEY-1[A-Z0-9]{58}'),
    token('jwt', ['eyJ'], 'eyJ[A-Za-z0-9_-]{10,4000}\\.eyJ[A-Za-z0-9_-]{10,8000}\\.[A-Za-z0-9_-]{10,2000}'),
    part(
      'bearer-token',
      ['earer ', 'asic '],
      '\\b(?:[Bb]earer|[Bb]asic) {1,3}([A-Za-z0-9._~+/-]{16,2000}={0,2})',
    ),
  ].map((pattern) => (pattern.entity === 'bearer-token' ? { ...pattern, check: hasDigitOrCase } : pattern));
}

/** Not the words of a sentence: `basic authentication-mechanism`. */
function hasDigitOrCase(match: string): boolean {
  return /\d/.test(match) || (/[a-z][A-Z]/.test(match) && /[A-Z][a-z][A-Z]/.test(match));
}

/** A PEM private key, from its first line to its last one, or to the end of what there is of it. */
export function PRIVATE_KEY(): Pattern {
  return {
    entity: 'private-key',
    hints: ['PRIVATE KEY'],
    pattern:
      /-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----[A-Za-z0-9+/=\s\\:,().<@>-]*?(?:-----END (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----|(?![A-Za-z0-9+/=\s\\:,().<@>-]))/g,
  };
}

/** The password in an address: basic-auth, and the connection strings of databases and brokers. */
export function WITH_PASSWORD(): Pattern {
  return {
    entity: 'url-password',
    pattern:
      /(?<![A-Za-z0-9+.-])[A-Za-z][A-Za-z0-9+.-]{1,30}:\/\/[^\s/:@?#"'<>]{0,128}:([^\s/@"'<>]{1,256})@/dg,
    group: 1,
    check: (match) => !isPlaceholder(match),
  };
}

const PLACEHOLDER =
  /^(?:[<{[%*.$#]|\$?\{|your\b|your[-_]|my[-_]?(?:password|secret|token|key)|pass(?:word|wd|phrase)?$|pwd$|secret$|token$|(?:api[-_]?)?key$|x{3,}|example|sample|placeholder|redacted|masked|hidden|changeme|null$|none$|nil$|undefined$|true$|false$|string$|required$|optional$|process\.env|os\.|env[.(:]|secret:|vault:|file:|op:\/\/|ref\+)/i;

/** True for what stands in place of a secret: `${DB_PASSWORD}`, `<token>`, `********`, `[API_KEY]`. */
export function isPlaceholder(value: string): boolean {
  return PLACEHOLDER.test(value) || /^(.)\1*$/.test(value) || /\$\{|\{\{|<[a-z_ -]+>|\.\.\.$/i.test(value);
}
