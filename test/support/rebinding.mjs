import dns from 'node:dns';
import { syncBuiltinESMExports } from 'node:module';

/**
 * To be loaded before a program: a name server that an attacker has. `rebind.test` is at a public address for whoever asks first,
 * and on this machine for whoever asks again.
 */
const lookup = dns.lookup;
let asked = 0;
dns.lookup = (name, options, callback) => {
  if (name !== 'rebind.test') return lookup(name, options, callback);
  const address =
    asked++ === 0 && process.env.REBIND_FIRST !== undefined ? process.env.REBIND_FIRST : '127.0.0.1';
  const done = typeof options === 'function' ? options : callback;
  process.nextTick(() =>
    options.all === true ? done(null, [{ address, family: 4 }]) : done(null, address, 4),
  );
};
syncBuiltinESMExports();
