/**
 * Gateway tokens: `tg_pat_` (a person's) or `tg_vat_` (a service account's) + 43 characters of base64url (32 random bytes) + 6 hex digits of checksum. The
 * checksum lets a secret scanner recognise one, and lets the gateway refuse a mistyped one without a look-up.
 */

const BODY_LENGTH = 43;
const CHECKSUM_LENGTH = 6;
const PATTERN = /^tg_[pv]at_[A-Za-z0-9_-]{49}$/;
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** Makes a token of 32 random bytes, which the caller takes from a cryptographic source. */
export function newToken(kind: 'pat' | 'vat', random: Uint8Array): string {
  if (random.length !== 32) throw new RangeError(`a token takes 32 random bytes, not ${random.length}`);
  const body = `tg_${kind}_${base64url(random)}`;
  return body + checksum(body);
}

/** True when the text has a token's form and its checksum holds. */
export function isToken(text: string): boolean {
  if (!PATTERN.test(text)) return false;
  const body = text.slice(0, 'tg_pat_'.length + BODY_LENGTH);
  return text.slice(body.length) === checksum(body);
}

function base64url(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 3) {
    const [a = 0, b = 0, c = 0] = [bytes[at], bytes[at + 1], bytes[at + 2]];
    const chunk = (a << 16) | (b << 8) | c;
    for (const shift of [18, 12, 6, 0]) text += ALPHABET.charAt((chunk >> shift) & 63);
  }
  return text.slice(0, Math.ceil((bytes.length * 4) / 3));
}

/** The last 24 bits of the text's CRC-32 (IEEE 802.3), as six hex digits. */
function checksum(text: string): string {
  let crc = 0xffffffff;
  for (let at = 0; at < text.length; at++) {
    crc ^= text.charCodeAt(at);
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return ((~crc >>> 0) & 0xffffff).toString(16).padStart(CHECKSUM_LENGTH, '0');
}
